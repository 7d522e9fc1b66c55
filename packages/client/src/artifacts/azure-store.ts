import { invalidParameter, MlflowError } from '@lazuli/contract';
import type { AzureMlTrackingUri } from '../tracking-uri.ts';
import type { CallOptions, Transport } from '../transport.ts';
import {
  checkArtifactPath,
  encodePath,
  inParallel,
  joinPath,
  type ArtifactEntry,
  type ArtifactStore,
} from './artifact-store.ts';
import { hashing, type DigestOf } from './content-digest.ts';
import { openBlob, putBlob } from './signed-blob.ts';

/**
 * Files of an Azure ML workspace. The run history service (for a run) or the artifact service (for what was uploaded by
 * itself) reserves paths and hands out signed URLs; bytes go to those, by the rules of blob storage.
 *
 *     azureml://…/{experiment}/runs/{run}[/artifacts[/{folder}]]     a run's files
 *     azureml://{ignored}/{origin}/{container}/{folder}              others
 */
const pathsInOneRequest = 50;

interface Reserved {
  readonly artifactContentInformation?: Readonly<Record<string, { readonly contentUri?: string }>>;
  readonly errors?: Readonly<
    Record<string, { readonly error?: { readonly code?: string; readonly message?: string } }>
  >;
}

interface Listed {
  readonly value?: readonly { readonly path: string }[];
  readonly nextLink?: string | null;
}

export function azureStore(
  transport: Transport,
  workspace: AzureMlTrackingUri,
  uri: string,
  digestOf?: DigestOf,
): ArtifactStore {
  const { service, folder: root } = placeOf(workspace, uri);
  const inRoot = (path: string): string => joinPath(root, checkArtifactPath(path));
  const json = async <T>(
    method: string,
    url: string,
    body: object | undefined,
    options: CallOptions = {},
  ): Promise<T> => {
    const given =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const response = await transport.exchange(method, url, { ...given, ...options });
    return (await response.json()) as T;
  };

  async function addressesOf(paths: readonly string[], options: CallOptions): Promise<Map<string, string>> {
    const body = { paths: paths.map((path) => ({ path })) };
    const { artifactContentInformation = {}, errors = {} } = await json<Reserved>(
      'POST',
      `${service}/batch/metadata`,
      body,
      options,
    );
    for (const [path, { error }] of Object.entries(errors)) {
      const why = [error?.code, error?.message].filter((part) => part !== undefined).join(': ');
      throw new MlflowError('RESOURCE_ALREADY_EXISTS', `The artifact '${path}' was refused: ${why}`);
    }
    return new Map(paths.map((path) => [path, signedUrl(path, artifactContentInformation[path]?.contentUri)]));
  }

  return {
    async list(folder, options) {
      const prefix = joinPath(root, folder);
      const entries = new Map<string, ArtifactEntry>();
      let next: string | undefined = service;
      while (next !== undefined) {
        const page: Listed = await json<Listed>('GET', next, undefined, options);
        for (const { path } of page.value ?? []) {
          if (prefix !== '' && !path.startsWith(`${prefix}/`)) continue;
          const [name = '', ...below] = path.slice(prefix === '' ? 0 : prefix.length + 1).split('/');
          const entry = { path: joinPath(folder, name), isFolder: below.length > 0 };
          entries.set(entry.path, entry);
        }
        next = nextPage(service, page.nextLink);
      }
      return [...entries.values()];
    },
    async upload(uploads, options = {}) {
      const { signal, parallel = 4, verify } = options;
      const hashes = hashing(verify, digestOf);
      for (let start = 0; start < uploads.length; start += pathsInOneRequest) {
        const batch = uploads.slice(start, start + pathsInOneRequest);
        const addresses = await addressesOf(
          batch.map(({ path }) => inRoot(path)),
          signal === undefined ? {} : { signal },
        );
        await inParallel(batch, parallel, async ({ path, content }) => {
          const blob = { url: addresses.get(inRoot(path)) ?? '', path, content, existing: 'refused' } as const;
          await putBlob(transport, blob, options, hashes);
        });
      }
    },
    async open(path, { offset = 0, etag, signal } = {}) {
      const query = new URLSearchParams({ path: inRoot(path) }).toString().replaceAll('+', '%20');
      const options = signal === undefined ? {} : { signal };
      const { contentUri } = await json<{ contentUri?: string }>(
        'GET',
        `${service}/contentinfo?${query}`,
        undefined,
        options,
      );
      return openBlob(transport, signedUrl(path, contentUri), offset, etag, options);
    },
  };
}

function placeOf({ host, scope }: AzureMlTrackingUri, uri: string): { service: string; folder: string } {
  const ofRun = /^azureml:\/\/[^?]*\/([^/]+)\/runs\/([^/]+)(?:\/artifacts(?:\/(.*))?)?$/i.exec(uri);
  if (ofRun !== null) {
    const [, experiment = '', run = '', folder = ''] = ofRun;
    return { service: `https://${host}/history/v1.0${scope}/experiments/${experiment}/runs/${run}/artifacts`, folder };
  }
  const [, origin, container, folder] = /^azureml:\/\/[^/]+\/([^/]+)\/([^/]+)\/(.+?)\/?$/i.exec(uri) ?? [];
  if (!origin || !container || !folder)
    throw invalidParameter(`'${uri}' does not say where artifacts of Azure ML lie.`);
  return {
    service: `https://${host}/artifact/v2.0${scope}/artifacts/${encodePath(origin)}/${encodePath(container)}`,
    folder,
  };
}

/** A link to the next page gets the token, so it must lead to the service that gave it. */
function nextPage(service: string, link: string | null | undefined): string | undefined {
  if (link === null || link === undefined || link === '') return undefined;
  if (new URL(link).origin !== new URL(service).origin) {
    throw new MlflowError(
      'BAD_REQUEST',
      `The list of artifacts goes on at another host, ${new URL(link).host}; it gets no credentials.`,
    );
  }
  return link;
}

function signedUrl(path: string, uri: string | undefined): string {
  if (uri === undefined || !uri.startsWith('https://')) {
    throw new MlflowError('INTERNAL_ERROR', `The workspace gave no usable address for the content of '${path}'.`);
  }
  return uri;
}
