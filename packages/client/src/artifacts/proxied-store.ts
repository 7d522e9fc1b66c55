import { MlflowError, type FileInfo } from '@lazuli/contract';
import type { Transport } from '../transport.ts';
import { digestIn, hashing, md5Header, wantDigest, type DigestOf } from './content-digest.ts';
import {
  checkArtifactPath,
  encodePath,
  inParallel,
  joinPath,
  openedFrom,
  type ArtifactStore,
  type TransferOptions,
  type Upload,
} from './artifact-store.ts';

/**
 * Files behind the artifact proxy of an MLflow server. A large one goes in parts straight to the server's store, where the
 * server hands out signed URLs for them (*MLflow: `mlflow-artifacts/mpu`; 501 where its store has no such thing*), and
 * through the proxy otherwise.
 */
export interface TransferSettings {
  /** Files of this many bytes and more go in parts; *MLflow: MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE, 500 MiB*. */
  readonly minimumSize: number;
  /** Bytes of a part; *MLflow: MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE, 10 MiB*. */
  readonly partSize: number;
  /** Where the runtime can hash content without holding it. */
  readonly digestOf?: DigestOf;
}

const api = '/api/2.0/mlflow-artifacts';
/** S3 takes no more parts than these. */
const mostParts = 10_000;

/**
 * Whether a server takes digests, once an answer has told. What it is told beforehand it refuses to store where it comes
 * otherwise; a server that does nothing with a digest is not worth reading a large file twice for.
 */
const takesDigests = new WeakMap<Transport, boolean>();
const cheaplyHashed = 1024 ** 2;

export function proxiedStore(transport: Transport, root: string, settings: TransferSettings): ArtifactStore {
  const placeOf = (path: string): string => encodePath(joinPath(root, path));

  async function uploadOne({ path, content }: Upload, options: TransferOptions): Promise<void> {
    checkArtifactPath(path);
    const isLarge = content.size >= settings.minimumSize;
    if (!isLarge || !(await uploadInParts(transport, placeOf(path), { path, content }, settings, options))) {
      await uploadWhole({ path, content }, options);
    }
    options.onProgress?.({ path, bytes: content.size, total: content.size });
  }

  async function uploadWhole({ path, content }: Upload, { signal, verify }: TransferOptions): Promise<void> {
    const hashes = hashing(verify, settings.digestOf);
    const digestOf = verify !== true && takesDigests.get(transport) === false ? undefined : hashes;
    const isCheap = takesDigests.get(transport) === true || content.size <= cheaplyHashed;
    const named = isCheap ? await digestOf?.(content, 'sha256') : undefined;
    const response = await transport.exchange('PUT', `${transport.url}${api}/artifacts/${placeOf(path)}`, {
      body: content,
      headers: {
        'content-type': content.type || 'application/octet-stream',
        ...(digestOf === undefined ? {} : wantDigest),
        ...(named === undefined ? {} : { 'repr-digest': `sha-256=:${named}:` }),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    await response.body?.cancel();
    if (digestOf === undefined) return;
    const stored = digestIn(response);
    takesDigests.set(transport, stored !== undefined);
    if (stored?.algorithm !== 'sha256') {
      if (verify !== true) return;
      throw new MlflowError(
        'BAD_REQUEST',
        `'${path}' was sent, but cannot be verified: the server tells no digest of it. Without 'verify: true' that is no failure.`,
      );
    }
    const sent = named ?? (await digestOf(content, 'sha256'));
    if (sent === stored.value) return;
    throw new MlflowError(
      'INTERNAL_ERROR',
      `'${path}' arrived damaged, or was written to while it was sent: its sha256 is ${sent}, the server has stored ${stored.value}. Log it again.`,
    );
  }

  return {
    async list(folder, options) {
      const query = new URLSearchParams({ path: joinPath(root, folder) }).toString();
      const text = await transport.send('GET', `${api}/artifacts?${query}`, undefined, options);
      const { files = [] } = JSON.parse(text) as { files?: (Omit<FileInfo, 'is_dir'> & { is_dir?: boolean })[] };
      return files.map(({ path, is_dir, file_size }) => ({
        // *MLflow answers the names alone.*
        path: joinPath(folder, path),
        isFolder: is_dir === true,
        ...(file_size === undefined ? {} : { size: Number(file_size) }),
      }));
    },
    upload: (uploads, options = {}) =>
      inParallel(uploads, options.parallel ?? 4, (upload) => uploadOne(upload, options)),
    async open(path, { offset = 0, etag, digest, signal } = {}) {
      checkArtifactPath(path);
      const response = await transport.exchange('GET', `${transport.url}${api}/artifacts/${placeOf(path)}`, {
        headers: {
          'accept-encoding': 'identity',
          ...(digest === undefined ? {} : wantDigest),
          ...(offset === 0 ? {} : { range: `bytes=${offset}-` }),
          ...(offset === 0 || etag === undefined ? {} : { 'if-range': etag }),
        },
        ...(signal === undefined ? {} : { signal }),
      });
      return openedFrom(response);
    },
  };
}

interface PartAddress {
  readonly url: string;
  readonly part_number: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Uploads a file in parts; says whether the server can do so. */
async function uploadInParts(
  transport: Transport,
  place: string,
  { path, content }: Upload,
  { partSize, digestOf }: TransferSettings,
  { signal, parallel = 4, onProgress, verify }: TransferOptions,
): Promise<boolean> {
  const hashes = hashing(verify, digestOf);
  const size = Math.max(partSize, Math.ceil(content.size / mostParts));
  const slash = place.lastIndexOf('/');
  // *MLflow: the path of the address is the file's folder, that of the body its name.*
  const folder = place.slice(0, Math.max(0, slash));
  const name = decodeURIComponent(place.slice(slash + 1));
  const call = (verb: string, body: object): Promise<string> =>
    transport.send(
      'POST',
      `${api}/mpu/${verb}/${folder}`,
      JSON.stringify({ path: name, ...body }),
      signal === undefined ? {} : { signal },
    );

  let started: { upload_id: string; credentials?: PartAddress[] };
  try {
    started = JSON.parse(await call('create', { num_parts: Math.ceil(content.size / size) })) as typeof started;
  } catch (error) {
    if (error instanceof MlflowError && [404, 405, 501].includes(error.status)) return false;
    throw error;
  }
  const { upload_id, credentials = [] } = started;
  const parts: { part_number: number; etag: string; url: string }[] = [];
  let bytes = 0;
  try {
    await inParallel(credentials, parallel, async ({ url, part_number, headers = {} }) => {
      const part = content.slice((part_number - 1) * size, part_number * size);
      const response = await transport.exchange('PUT', url, {
        body: part,
        headers: { ...headers, ...(await md5Header(part, hashes)) },
        signed: 'by URL',
        ...(signal === undefined ? {} : { signal }),
      });
      await response.body?.cancel();
      parts.push({ part_number, etag: response.headers.get('etag') ?? '', url });
      bytes += part.size;
      onProgress?.({ path, bytes, total: content.size });
    });
    parts.sort((one, two) => one.part_number - two.part_number);
    await call('complete', { upload_id, parts });
    return true;
  } catch (error) {
    // What has arrived is taken away; the failure that led here is the one to tell of.
    await call('abort', { upload_id }).catch(() => undefined);
    throw error;
  }
}
