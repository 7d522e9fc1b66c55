import { invalidParameter, MlflowError } from '@lazuli/contract';
import type { AzureMlTrackingUri } from '../tracking-uri.ts';
import type { CallOptions, Transport } from '../transport.ts';
import {
  checkArtifactPath,
  encodePath,
  inParallel,
  joinPath,
  openedFrom,
  type ArtifactEntry,
  type ArtifactStore,
  type TransferOptions,
} from './artifact-store.ts';
import { hashing, md5Header, type DigestOf } from './content-digest.ts';

/**
 * Files of an Azure ML workspace. The run history service (for a run) or the artifact service (for what was uploaded by
 * itself) reserves paths and hands out signed URLs; bytes go to those, by the rules of blob storage.
 *
 *     azureml://…/{experiment}/runs/{run}[/artifacts[/{folder}]]     a run's files
 *     azureml://{ignored}/{origin}/{container}/{folder}              others
 */
const pathsInOneRequest = 50;
/** *Azure ML's own client sends more than this in blocks of 4 MiB.* */
const largestPut = 64 * 1024 ** 2;
const blockSize = 4 * 1024 ** 2;
const rangeSize = 32 * 1024 ** 2;
const blobVersion = '2025-11-05';

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
      const { signal, parallel = 4, onProgress, verify } = options;
      const hashes = hashing(verify, digestOf);
      const md5Of = (content: Blob) => md5Header(content, hashes);
      for (let start = 0; start < uploads.length; start += pathsInOneRequest) {
        const batch = uploads.slice(start, start + pathsInOneRequest);
        const addresses = await addressesOf(
          batch.map(({ path }) => inRoot(path)),
          signal === undefined ? {} : { signal },
        );
        await inParallel(batch, parallel, async ({ path, content }) => {
          await putBlob(transport, addresses.get(inRoot(path)) ?? '', content, options, md5Of, (bytes) =>
            onProgress?.({ path, bytes, total: content.size }),
          );
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

async function putBlob(
  transport: Transport,
  url: string,
  content: Blob,
  { signal, parallel = 4 }: TransferOptions,
  md5Of: (content: Blob) => Promise<Record<string, string>>,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const common = { signed: 'by URL', ...(signal === undefined ? {} : { signal }) } as const;
  const headers = { 'x-ms-version': blobVersion };
  const asNew = { ...headers, 'if-none-match': '*' };
  if (content.size <= largestPut) {
    const response = await transport.exchange('PUT', url, {
      ...common,
      body: content.size === 0 ? new Uint8Array() : content,
      headers: {
        ...asNew,
        ...(await md5Of(content)),
        'x-ms-blob-type': 'BlockBlob',
        'content-type': 'application/octet-stream',
      },
      accept: [409],
    });
    await confirm(response);
    onProgress(content.size);
    return;
  }
  const blocks = Array.from({ length: Math.ceil(content.size / blockSize) }, (_, index) => ({
    id: btoa(String(index).padStart(8, '0')),
    start: index * blockSize,
  }));
  let bytes = 0;
  await inParallel(blocks, parallel, async ({ id, start }) => {
    const body = content.slice(start, start + blockSize);
    const response = await transport.exchange('PUT', withQuery(url, { comp: 'block', blockid: id }), {
      ...common,
      headers: { ...headers, ...(await md5Of(body)) },
      body,
    });
    await response.body?.cancel();
    bytes += body.size;
    onProgress(bytes);
  });
  const list = blocks.map(({ id }) => `<Latest>${id}</Latest>`).join('');
  const response = await transport.exchange('PUT', withQuery(url, { comp: 'blocklist' }), {
    ...common,
    headers: { ...asNew, 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`,
    accept: [409],
  });
  await confirm(response);
}

/** *Blob storage answers 409 to a write of what must be new and is there.* */
async function confirm(response: Response): Promise<void> {
  const text = await response.text();
  if (response.status !== 409) return;
  const code = response.headers.get('x-ms-error-code') ?? 'Conflict';
  throw new MlflowError('RESOURCE_ALREADY_EXISTS', `The artifact is there already (${code}). ${text.slice(0, 200)}`, {
    status: 409,
  });
}

/** *The names come before those of the signature.* */
function withQuery(url: string, names: Record<string, string>): string {
  const [address = '', query = ''] = url.split('?');
  return `${address}?${new URLSearchParams(names).toString()}${query === '' ? '' : `&${query}`}`;
}

/** Reads a blob in ranges, so that a connection that breaks costs one of them. */
async function openBlob(
  transport: Transport,
  url: string,
  offset: number,
  etag: string | undefined,
  options: CallOptions,
) {
  const range = (start: number, known: string | undefined): Promise<Response> =>
    transport.exchange('GET', url, {
      signed: 'by URL',
      headers: {
        'x-ms-version': blobVersion,
        'x-ms-range': `bytes=${start}-${start + rangeSize - 1}`,
        ...(known === undefined ? {} : { 'if-match': known }),
      },
      accept: [416],
      ...options,
    });
  const first = await range(offset, etag);
  if (first.status === 416) return { ...openedFrom(new Response()), offset: 0, size: 0 };
  const opened = openedFrom(first);
  const { size } = opened;
  if (first.status !== 206 || size === undefined) return opened;
  const version = etag ?? opened.etag;
  let at = opened.offset;
  let reader = opened.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const { done, value } = await reader.read();
        if (!done) {
          at += value.byteLength;
          controller.enqueue(value);
          return;
        }
        if (at >= size) {
          controller.close();
          return;
        }
        reader = openedFrom(await range(at, version)).body.getReader();
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { ...opened, body };
}
