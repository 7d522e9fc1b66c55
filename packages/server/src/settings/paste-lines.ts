import { isIP } from 'node:net';
import { withoutPassword } from './database-location.ts';
import type { Settings } from './parse-settings.ts';

/** Where clients find the server, and what a person pastes to try it: the same on the terminal and on the page. */
export interface PasteLines {
  readonly title: string;
  readonly text: string;
}

/**
 * The base URL that clients use: the public URL where there is one, else where the server listens. It carries the static
 * prefix; a public URL with a path of its own is taken as it stands.
 */
export function clientUrl(settings: Pick<Settings, 'publicUrl' | 'host' | 'staticPrefix'>, port: number): string {
  const { publicUrl, host, staticPrefix } = settings;
  if (publicUrl !== undefined) return new URL(publicUrl).pathname === '/' ? publicUrl + staticPrefix : publicUrl;
  return `http://${reachableHost(host)}:${port}${staticPrefix}`;
}

/** Where clients find HTTPS: an address rather than a name, because *azure-identity takes no authority of a name with a port*. */
export function tlsOrigin({ host }: Pick<Settings, 'host'>, port: number): string {
  return `https://${reachableHost(host)}:${port}`;
}

/**
 * The https origin that azureml:// addresses, signed URLs and Azure's documents name: configuration, never guessed from a
 * request. A public URL without https is where a proxy speaks HTTP; Azure's clients then come to the listener for HTTPS.
 */
export function azureOrigin(
  settings: Pick<Settings, 'publicUrl' | 'host'>,
  ports: { readonly http: number; readonly https: number | undefined },
): string {
  const { publicUrl, host } = settings;
  if (publicUrl?.startsWith('https:') === true) return new URL(publicUrl).origin;
  if (ports.https !== undefined) return tlsOrigin(settings, ports.https);
  return publicUrl === undefined ? `http://${reachableHost(host)}:${ports.http}` : new URL(publicUrl).origin;
}

/** An address that means every address of the machine is no place to connect to. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return isIP(host) === 6 ? `[${host}]` : host;
}

export function pasteLines({ url, auth }: { readonly url: string; readonly auth: Settings['auth'] }): PasteLines[] {
  const giveToken = 'export MLFLOW_TRACKING_TOKEN="<your token>"';
  const python = [
    ...(auth !== 'none' ? [`# First, in the shell: ${giveToken}`] : []),
    'import mlflow',
    '',
    `mlflow.set_tracking_uri("${url}")`,
    'with mlflow.start_run():',
    '    mlflow.log_param("rate", 0.1)',
    '    mlflow.log_metric("loss", 0.42, step=1)',
  ];
  const call = `"${url}/api/2.0/mlflow/experiments/get?experiment_id=0"`;
  const curl =
    auth !== 'none' ? [giveToken, `curl -H "Authorization: Bearer $MLFLOW_TRACKING_TOKEN" ${call}`] : [`curl ${call}`];
  return [
    { title: 'Python', text: python.join('\n') },
    { title: 'curl', text: curl.join('\n') },
  ];
}

/** The database as a person may be shown it. */
export function databaseName({ database }: Pick<Settings, 'database'>): string {
  return database.kind === 'sqlite' ? database.path : withoutPassword(database.url);
}
