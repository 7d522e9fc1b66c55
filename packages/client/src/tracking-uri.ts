import { invalidParameter } from '@lazuli/contract';

/**
 * Tracking URIs: which service an address means, and where its MLflow endpoints lie.
 *
 *     http(s)://host[:port][/prefix]                                    an MLflow server
 *     azureml://host[:port]/…/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.MachineLearningServices/workspaces/{w}
 *     azureml://host[:port]/…/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.MachineLearningServices/registries/{r}
 *     databricks, databricks://profile, databricks-uc, databricks-uc://profile
 *
 * *The plugin of Azure ML replays names as they are written, ignores what stands between host and `subscriptions` and what
 * follows a `?`, and always speaks https under `/mlflow/v2.0`.* The fixed words are taken in any case.
 */
export type TrackingUri = HttpTrackingUri | AzureMlTrackingUri | DatabricksTrackingUri;

export interface HttpTrackingUri {
  readonly kind: 'http';
  /** The base URL, without a slash at its end: endpoints follow as `/api/2.0/mlflow/…`. */
  readonly url: string;
}

export interface AzureMlTrackingUri {
  readonly kind: 'azureml';
  /** The base URL of MLflow's endpoints: `https://{host}/mlflow/v2.0{scope}`. */
  readonly url: string;
  /** Host and, where the URI has one, port. */
  readonly host: string;
  /** `/subscriptions/…/workspaces/{name}` as it is written. */
  readonly scope: string;
  /** The region that a host of Azure's own names. */
  readonly region?: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  /** What the URI leads to, a workspace or a shared registry, and its name. */
  readonly target: 'workspace' | 'registry';
  readonly name: string;
}

export interface DatabricksTrackingUri {
  readonly kind: 'databricks';
  /** The section of `~/.databrickscfg`; without it, the environment comes first, then `DEFAULT`. */
  readonly profile?: string;
  /** Whether the registry is Unity Catalog's (`databricks-uc`). */
  readonly unityCatalog: boolean;
}

const azureScope =
  /\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.MachineLearningServices\/(workspaces|registries)\/([^/]+)/i;

/**
 * Reads a tracking or registry URI; refuses what no client of a server can use, and says why.
 *
 * @example
 * ```ts
 * console.log(parseTrackingUri('databricks://team').kind); // databricks
 * console.log(parseTrackingUri('http://127.0.0.1:5000/prefix/')); // { kind: 'http', url: 'http://127.0.0.1:5000/prefix' }
 * ```
 */
export function parseTrackingUri(uri: string): TrackingUri {
  const text = uri.trim();
  const scheme = /^([a-z][a-z0-9+.-]*)(?::|$)/i.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'http':
    case 'https':
      return { kind: 'http', url: httpBase(text) };
    case 'azureml':
      return azureMl(text);
    case 'databricks':
    case 'databricks-uc': {
      const profile = /^[^:]+:\/\/([^/]+)\/?$/.exec(text)?.[1];
      if (profile === undefined && !/^[^:]+(?::\/\/)?$/.test(text)) throw refused(uri, 'names no profile');
      const unityCatalog = scheme === 'databricks-uc';
      return { kind: 'databricks', unityCatalog, ...(profile === undefined ? {} : { profile }) };
    }
    default:
      throw refused(uri, 'is not the address of a server: this client keeps nothing in local files or databases');
  }
}

function httpBase(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refused(text, 'is not a URL');
  }
  if (url.username !== '' || url.password !== '') {
    throw refused(
      `${url.protocol}//…@${url.host}`,
      'holds credentials; give them as options or as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function azureMl(text: string): AzureMlTrackingUri {
  const [, host, path = ''] = /^azureml:\/\/([^/?#]*)([^?#]*)/i.exec(text) ?? [];
  if (host === undefined || !/^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i.test(host)) throw refused(text, 'names no host');
  const [scope, subscriptionId, resourceGroup, noun, name] = azureScope.exec(path) ?? [];
  if (!scope || !subscriptionId || !resourceGroup || !noun || !name) {
    throw refused(text, 'does not name subscription, resource group and workspace (or registry)');
  }
  const region = /^(?:[^.]+\.workspace\.)?([^.]+)\.(?:api\.azureml\.ms|api\.ml\.azure\.(?:cn|us))(?::\d+)?$/i.exec(
    host,
  );
  return {
    kind: 'azureml',
    url: `https://${host}/mlflow/v2.0${scope}`,
    host,
    scope,
    ...(region?.[1] === undefined ? {} : { region: region[1] }),
    subscriptionId,
    resourceGroup,
    target: noun.toLowerCase() === 'workspaces' ? 'workspace' : 'registry',
    name,
  };
}

function refused(uri: string, problem: string): Error {
  return invalidParameter(
    `The tracking URI '${uri}' ${problem}. Use http(s)://{host}, azureml://{host}/mlflow/v1.0/subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/{name}, or databricks[://{profile}].`,
  );
}

/** Where Azure's clouds serve workspaces. */
const workspaceHosts: Readonly<Record<string, string>> = {
  azurecloud: 'api.azureml.ms',
  azurechinacloud: 'api.ml.azure.cn',
  azureusgovernment: 'api.ml.azure.us',
};

export interface WorkspaceAddress {
  /** `westeurope`; not needed where `host` is given. */
  readonly region?: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly workspaceName: string;
  /** `AzureCloud` (default), `AzureChinaCloud`, `AzureUSGovernment`. */
  readonly cloud?: string;
  /** The host, with its port, of a workspace elsewhere: a self-hosted cloud, a private link. */
  readonly host?: string;
}

/**
 * The tracking URI of a workspace, built by hand. A workspace behind a private link has another host, which carries its
 * id: fetch its URI, or give `host`.
 *
 * @example
 * ```ts
 * const uri = azureMlTrackingUri({
 *   region: 'westeurope',
 *   subscriptionId: '00000000-0000-0000-0000-000000000000',
 *   resourceGroup: 'research',
 *   workspaceName: 'flowers',
 * });
 * setTrackingUri(uri); // signs in with the first operation
 * ```
 */
export function azureMlTrackingUri(address: WorkspaceAddress): string {
  const { subscriptionId, resourceGroup, workspaceName } = address;
  for (const [name, value] of Object.entries({ subscriptionId, resourceGroup, workspaceName })) {
    if (!/^[^/?#\s]+$/.test(value)) throw invalidParameter(`'${value}' cannot be the ${name} of a tracking URI.`);
  }
  return `azureml://${address.host ?? regionalHost(address)}/mlflow/v1.0/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/Microsoft.MachineLearningServices/workspaces/${workspaceName}`;
}

function regionalHost({ region, cloud = 'AzureCloud' }: WorkspaceAddress): string {
  const suffix = workspaceHosts[cloud.toLowerCase()];
  if (suffix === undefined) {
    throw invalidParameter(`No host is known for workspaces in the cloud '${cloud}'; give 'host'.`);
  }
  if (region === undefined || !/^[a-z\d]+$/i.test(region)) {
    throw invalidParameter(`'${region ?? ''}' is not a region; give one such as westeurope, or 'host'.`);
  }
  return `${region.toLowerCase()}.${suffix}`;
}
