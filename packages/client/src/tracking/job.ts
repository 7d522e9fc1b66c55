import type { Environment } from '../environment.ts';
import type { AzureMlTrackingUri } from '../tracking-uri.ts';
import { createTransport, type AuthorizationSource, type TransportOptions } from '../transport.ts';

/**
 * The process of a job: its environment names tracking URI, token, run and experiment. The token is a short-lived JWT that
 * proves the run. *Azure ML's plugin asks for the next one when fewer than 95 s remain, and looks every 30 s.*
 */
const refreshBeforeMs = 95_000;
const lookEveryMs = 30_000;

/** *The plugin's rule: URI, token, run, and the experiment's id or name.* */
export function isJob(environment: Environment): boolean {
  const has = (name: string): boolean => Boolean(environment[name]);
  return (
    ['MLFLOW_TRACKING_URI', 'MLFLOW_TRACKING_TOKEN', 'MLFLOW_RUN_ID'].every(has) &&
    (has('MLFLOW_EXPERIMENT_ID') || has('MLFLOW_EXPERIMENT_NAME'))
  );
}

/** Whether the platform, not this client, keeps the status of a run. */
export function isStatusForeign(environment: Environment, runId: string): boolean {
  return environment['AZUREML_RUN_ID'] === runId;
}

export function jobAuthorization(
  uri: AzureMlTrackingUri,
  environment: Environment,
  base: Omit<TransportOptions, 'url'>,
  warn: (message: string) => void,
): AuthorizationSource {
  let token = environment['MLFLOW_TRACKING_TOKEN'] ?? '';
  let expiry = expiryOf(token);
  let refreshing: Promise<void> | undefined;
  const transport = createTransport({
    ...base,
    url: `https://${uri.host}`,
    authorization: { header: async () => `Bearer ${token}` },
  });

  async function experimentId(): Promise<string> {
    const id = environment['MLFLOW_EXPERIMENT_ID'];
    if (id) return id;
    const name = encodeURIComponent(environment['MLFLOW_EXPERIMENT_NAME'] ?? '');
    const path = `/mlflow/v2.0${uri.scope}/api/2.0/mlflow/experiments/get-by-name?experiment_name=${name}`;
    const answer = JSON.parse(await transport.send('GET', path, undefined)) as {
      experiment: { experiment_id: string };
    };
    return answer.experiment.experiment_id;
  }

  async function refresh(): Promise<void> {
    const run = environment['MLFLOW_RUN_ID'] ?? '';
    const path = `/history/v1.0${uri.scope}/experimentids/${await experimentId()}/runs/${run}/token`;
    const answer = JSON.parse(await transport.send('GET', path, undefined)) as {
      token: string;
      expiryTimeUtc?: string;
    };
    token = answer.token;
    const told = Date.parse(answer.expiryTimeUtc ?? '');
    expiry = Number.isNaN(told) ? expiryOf(token) : told;
  }

  async function keepFresh(): Promise<void> {
    if (expiry === undefined || expiry - Date.now() > refreshBeforeMs) return;
    refreshing ??= refresh()
      .catch((error: unknown) => {
        // The token may still do; if not, the request itself is refused.
        warn(`The token of the job could not be refreshed: ${error instanceof Error ? error.message : String(error)}`);
      })
      .finally(() => {
        refreshing = undefined;
      });
    await refreshing;
  }

  // A token that has expired cannot be exchanged, so it is renewed also where nothing is sent for a long time.
  const timer = setInterval(() => void keepFresh(), lookEveryMs);
  (timer as { unref?: () => void }).unref?.();
  return {
    async header(target) {
      if (target.host !== uri.host) return undefined;
      await keepFresh();
      return `Bearer ${token}`;
    },
  };
}

/** The end of a JWT's life in milliseconds; nothing where the token does not tell. */
function expiryOf(token: string): number | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const { exp } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
