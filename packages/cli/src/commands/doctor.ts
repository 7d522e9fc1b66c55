import type { Command } from 'commander';
import { findAzureWorkspace } from '../azure-workspace.ts';
import { connectionOver, connectTracking, isAzureMl, trackingUrl } from '../connection.ts';
import { EndWithStatus } from '../output.ts';
import { withHelp } from '../command-help.ts';
import { explained, printer, withServerOptions, type ServerOptions } from '../server-command.ts';
import { version, type Surroundings } from '../surroundings.ts';

/**
 * `lazuli doctor`: what stands between this shell and a server, one step after the other: is it there, is it one of MLflow's, are
 * the clocks together, who is calling, and which workspace is meant. What fails says why; what comes after it is not asked.
 */
interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'failed';
  readonly detail: string;
}

/** Signed URLs and tokens allow for five minutes of difference. */
const toleratedSkewMs = 5 * 60_000;

export function describeDoctor(command: Command, surroundings: Surroundings): void {
  withHelp(withServerOptions(command), {
    notes: 'The command ends with status 1 when something fails.',
    examples: ['lazuli doctor -o table', `lazuli doctor --url https://lazuli.example.org --query "[?state=='failed']"`],
  }).action(async (options: ServerOptions) => {
    const print = printer(options, surroundings, { Check: 'check', State: 'state', Detail: 'detail' });
    const findings = await explained(() => examine(options, surroundings));
    print(findings);
    if (findings.some(({ state }) => state === 'failed')) throw new EndWithStatus(1);
  });
}

async function examine(options: ServerOptions, surroundings: Surroundings): Promise<Finding[]> {
  const azure = await findAzureWorkspace(options, surroundings);
  const url = azure === undefined ? trackingUrl(options, surroundings) : await azure.trackingUri();
  const { proof, workspace } = connectionOver(url, options, surroundings);
  const { client } = await connectTracking({ ...options, url }, surroundings);
  const { environmentFetch, parseTrackingUri } = await import('@lazuli/client');
  const uri = isAzureMl(url) ? parseTrackingUri(url) : undefined;
  const named = uri?.kind === 'azureml' ? uri : undefined;
  const origin = named === undefined ? url : `https://${named.host}`;
  const ask = (path: string): Promise<Response> => environmentFetch(surroundings.env)(origin + path);

  const findings: Finding[] = [
    { check: 'command', state: 'ok', detail: `lazuli ${version} on Node ${process.versions.node}` },
  ];
  const steps: readonly (readonly [string, () => Promise<string>])[] = [
    ['server', async () => serverVersion(await ask('/version'), origin, named === undefined ? 'MLflow' : 'Azure')],
    ['clock', async () => clockSkew(await ask('/health'))],
    [
      'sign-in',
      async () => {
        if (named === undefined) await client.serverInfo.getServerInfo({});
        else await client.experiments.searchExperiments({ max_results: 1 });
        if (proof !== undefined) return `with ${proof}`;
        return named === undefined ? 'without a credential' : "with the first of Azure's credentials that is there";
      },
    ],
    [
      'workspace',
      async () => {
        if (named !== undefined) return named.name;
        const { experiment } = await client.experiments.getExperiment({ experiment_id: '0' });
        return workspace === undefined ? `${experiment.workspace}, because none is named` : experiment.workspace;
      },
    ],
  ];
  for (const [check, step] of steps) {
    try {
      findings.push({ check, state: 'ok', detail: await step() });
    } catch (error) {
      return [...findings, { check, state: 'failed', detail: reasonOf(error) }];
    }
  }
  return findings;
}

async function serverVersion(response: Response, origin: string, form: 'MLflow' | 'Azure'): Promise<string> {
  const text = await response.text();
  if (response.ok && text.length <= 50) return `MLflow ${text.trim()} at ${origin}`;
  // Azure Machine Learning has no such page.
  if (form === 'Azure') return `Azure Machine Learning at ${origin}`;
  throw new Error(`${origin}/version is not answered as a tracking server does (status ${response.status}).`);
}

async function clockSkew(response: Response): Promise<string> {
  await response.body?.cancel();
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(date)) return 'the server does not tell its time';
  const skewMs = Math.abs(Date.now() - date);
  if (skewMs <= toleratedSkewMs) return 'together with the server';
  throw new Error(
    `This machine and the server are ${Math.round(skewMs / 1000)} s apart: tokens and signed URLs will be refused.`,
  );
}

/** `fetch` hides in the cause why a server was not reached. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && error.message === 'fetch failed'
    ? `It is not reached: ${cause.message || String(cause)}`
    : error.message;
}
