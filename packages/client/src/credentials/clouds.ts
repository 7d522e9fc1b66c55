import { MlflowError } from '@lazuli/contract';

/**
 * Azure's clouds and self-hosted ones. A cloud says who signs in, for which audience, and which hosts may see such a
 * token. *`AZUREML_CURRENT_CLOUD` names one; any other name is looked up in the document at `ARM_CLOUD_METADATA_URL`.*
 */
export interface Cloud {
  readonly name: string;
  /** Azure Resource Manager, without a trailing slash. */
  readonly resourceManager: string;
  /** The authority's origin: `https://login.microsoftonline.com`. */
  readonly login: string;
  /** The audience of tokens for tracking: `https://management.azure.com/.default`. */
  readonly scope: string;
  /** What follows the region in the host of a regional tracking URI; a self-hosted cloud has none. */
  readonly mlApiSuffix: string | undefined;
  readonly mlResource: string;
  readonly portal: string;
  readonly storageSuffix: string;
  /** Hosts that tokens of this cloud are meant for; `*.` stands for any name below. */
  readonly hosts: readonly string[];
}

interface CloudFacts {
  readonly arm: string;
  readonly login: string;
  readonly ml: string | undefined;
  readonly mlResource: string;
  readonly portal: string;
  readonly storageSuffix: string;
  readonly moreHosts?: readonly string[];
}

function builtIn(
  name: string,
  { arm, login, ml, mlResource, portal, storageSuffix, moreHosts = [] }: CloudFacts,
): Cloud {
  return {
    name,
    resourceManager: `https://${arm}`,
    login: `https://${login}`,
    scope: `https://${arm}/.default`,
    mlApiSuffix: ml,
    mlResource,
    portal: `https://${portal}`,
    storageSuffix,
    // Scoring hosts run code of customers, who could use such a token elsewhere: they are not among these.
    hosts: [arm, ...(ml === undefined ? [] : [`*.${ml}`]), ...moreHosts],
  };
}

export const builtInClouds: readonly Cloud[] = [
  builtIn('AzureCloud', {
    arm: 'management.azure.com',
    login: 'login.microsoftonline.com',
    ml: 'api.azureml.ms',
    mlResource: 'https://ml.azure.com',
    portal: 'portal.azure.com',
    storageSuffix: 'core.windows.net',
    moreHosts: ['*.experiments.azureml.net'],
  }),
  builtIn('AzureChinaCloud', {
    arm: 'management.chinacloudapi.cn',
    login: 'login.chinacloudapi.cn',
    ml: 'api.ml.azure.cn',
    mlResource: 'https://ml.azure.cn',
    portal: 'portal.azure.cn',
    storageSuffix: 'core.chinacloudapi.cn',
  }),
  builtIn('AzureUSGovernment', {
    arm: 'management.usgovcloudapi.net',
    login: 'login.microsoftonline.us',
    ml: 'api.ml.azure.us',
    mlResource: 'https://ml.azure.us',
    portal: 'portal.azure.us',
    storageSuffix: 'core.usgovcloudapi.net',
  }),
  builtIn('AzureGermanCloud', {
    arm: 'management.microsoftazure.de',
    login: 'login.microsoftonline.de',
    ml: undefined,
    mlResource: 'https://ml.azure.de',
    portal: 'portal.microsoftazure.de',
    storageSuffix: 'core.cloudapi.de',
  }),
];

export interface ResolveCloudOptions {
  /** Default: `AZUREML_CURRENT_CLOUD`, else the one that `ARM_CLOUD_METADATA_URL` belongs to, else AzureCloud. */
  readonly name?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  readonly signal?: AbortSignal | undefined;
}

export async function resolveCloud({ name, environment, fetch, signal }: ResolveCloudOptions): Promise<Cloud> {
  const wanted = name ?? (environment['AZUREML_CURRENT_CLOUD'] || undefined);
  const known = builtInClouds.find((cloud) => isNamed(cloud, wanted));
  if (known !== undefined) return known;

  const url = environment['ARM_CLOUD_METADATA_URL'];
  if (url === undefined || url === '') {
    if (wanted === undefined) return azureCloud();
    throw new MlflowError(
      'RESOURCE_DOES_NOT_EXIST',
      `No cloud is named '${wanted}'. It is one of ${namesOf(builtInClouds)}, or one that the document at ARM_CLOUD_METADATA_URL describes.`,
    );
  }
  const described = await readClouds(url, fetch, signal);
  if (wanted === undefined) {
    // *azure-ai-ml: the cloud whose resource manager the URL contains is the current one.*
    return described.find(({ resourceManager }) => url.includes(resourceManager)) ?? azureCloud();
  }
  const match = described.find((cloud) => isNamed(cloud, wanted));
  if (match !== undefined) return match;
  throw new MlflowError(
    'RESOURCE_DOES_NOT_EXIST',
    `No cloud is named '${wanted}'. ${url} describes ${namesOf(described)}.`,
  );
}

function azureCloud(): Cloud {
  const [first] = builtInClouds;
  if (first === undefined) throw new TypeError('There is a first cloud.');
  return first;
}

function isNamed(cloud: Cloud, name: string | undefined): boolean {
  return cloud.name.toLowerCase() === name?.toLowerCase();
}

function namesOf(clouds: readonly Cloud[]): string {
  return clouds.map(({ name }) => name).join(', ');
}

async function readClouds(url: string, fetch: typeof globalThis.fetch, signal?: AbortSignal): Promise<Cloud[]> {
  const limit = AbortSignal.timeout(10_000);
  try {
    const response = await fetch(url, { signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    const document: unknown = await response.json();
    // *Azure: an array until api-version 2020-06-01, one object from 2022-09-01.*
    return [document].flat().map(describedCloud);
  } catch (cause) {
    signal?.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MlflowError(
      'TEMPORARILY_UNAVAILABLE',
      `The clouds at ARM_CLOUD_METADATA_URL (${url}) cannot be read: ${reason}`,
      { cause },
    );
  }
}

interface CloudDocument {
  readonly name?: string;
  readonly portal?: string;
  readonly resourceManager?: string;
  readonly authentication?: { readonly loginEndpoint?: string };
  readonly suffixes?: { readonly storage?: string };
}

function describedCloud(document: unknown): Cloud {
  const { name, portal = '', resourceManager, authentication, suffixes } = (document ?? {}) as CloudDocument;
  const loginEndpoint = authentication?.loginEndpoint;
  if (name === undefined || resourceManager === undefined || loginEndpoint === undefined)
    throw new Error('a cloud there lacks name, resourceManager or authentication.loginEndpoint');
  const manager = resourceManager.replace(/\/+$/, '');
  const { host } = new URL(manager);
  return {
    name,
    resourceManager: manager,
    // Without user info, which some servers publish for clients that cannot read a port.
    login: new URL(loginEndpoint).origin,
    scope: `${manager}/.default`,
    mlApiSuffix: undefined,
    // *azure-ai-ml: what follows the second dot of the portal's host.*
    mlResource: `https://ml.azure.${portal.replace(/^https?:\/\/[^.]*\.[^.]*\./, '').replace(/\/.*$/, '')}`,
    portal: portal.replace(/\/+$/, ''),
    storageSuffix: suffixes?.storage ?? '',
    hosts: [host, `*.${host}`],
  };
}
