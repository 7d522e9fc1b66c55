import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MlflowError } from '@lazuli/contract';
import {
  filesBelow,
  inParallel,
  type ArtifactEntry,
  type ArtifactStore,
  type TransferOptions,
} from '../artifacts/artifact-store.ts';
import type { ContentDigest } from '../artifacts/content-digest.ts';
import { watched, type WatchTransfer } from '../artifacts/watched-transfer.ts';
import type { Location } from '../models/model-location.ts';

/**
 * Downloads into local folders. A file appears under its name when it is whole, and of the digest that the store tells.
 * Until then it lies beside it as `.part`, with the version that it is a part of in `.part.etag`: a connection that breaks
 * goes on from there, and so does the next download, in this process or another.
 */

/** Tries of one file that bring no byte before its download is given up. */
const fruitlessTries = 5;

/** Downloads a file, or a folder with all below it, into a folder or a new temporary one; gives the files. */
export async function download(
  location: Location,
  into: string | undefined,
  options: TransferOptions = {},
  watchTransfer?: WatchTransfer,
): Promise<string[]> {
  if (into !== undefined) return downloadInto(into, location, options, watchTransfer);
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-artifacts-'));
  try {
    return await downloadInto(folder, location, options, watchTransfer);
  } catch (error) {
    // Nobody knows its name to go on in it.
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function downloadInto(
  into: string,
  { store, folder: path }: Location,
  options: TransferOptions,
  watchTransfer: WatchTransfer | undefined,
): Promise<string[]> {
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const entries: ArtifactEntry[] = [];
  for await (const entry of filesBelow(store, path, signal)) entries.push(entry);
  const root = path === '' ? '' : `${path}/`;
  let files = entries.map((entry) => ({ entry, to: join(into, ...entry.path.slice(root.length).split('/')) }));
  if (entries.length === 0 && path !== '') {
    files = [{ entry: { path, isFolder: false }, to: join(into, basename(path)) }];
  }
  await watched(watchTransfer?.('Downloading', files.length), options, (own) =>
    inParallel(files, options.parallel ?? 4, ({ entry, to }) => downloadFile(store, entry, to, own)),
  );
  return files.map(({ to }) => to);
}

async function downloadFile(
  store: ArtifactStore,
  { path }: ArtifactEntry,
  to: string,
  { signal, onProgress, verify }: TransferOptions,
): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const partial = `${to}.part`;
  let { bytes, etag } = await leftOver(partial);
  let digest: ContentDigest | undefined;
  let fruitless = 0;
  let restarts = 0;
  for (;;) {
    const before = bytes;
    try {
      const opened = await store.open(path, {
        offset: bytes,
        ...(etag === undefined || bytes === 0 ? {} : { etag }),
        ...(verify === true ? { digest: 'wanted' as const } : {}),
        ...(signal === undefined ? {} : { signal }),
      });
      if (verify === true && opened.digest === undefined) {
        await opened.body.cancel();
        throw new MlflowError(
          'BAD_REQUEST',
          `'${path}' cannot be verified: the server tells no digest of it. Without 'verify: true' it is taken as it comes.`,
        );
      }
      if (opened.offset === 0) await begin(partial, opened.etag);
      ({ etag, digest } = opened);
      bytes = opened.offset;
      const counted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const chunk of chunks) {
          yield chunk;
          bytes += chunk.byteLength;
          onProgress?.({ path, bytes, ...(opened.size === undefined ? {} : { total: opened.size }) });
        }
      };
      const file = createWriteStream(partial, { flags: 'r+', start: opened.offset });
      await pipeline(Readable.fromWeb(opened.body as never), counted, file);
      if (opened.size === undefined || bytes === opened.size) break;
      throw new MlflowError('TEMPORARILY_UNAVAILABLE', `Of '${path}' came ${bytes} of ${opened.size} bytes.`);
    } catch (error) {
      const status = error instanceof MlflowError ? error.status : 500;
      if (before > 0 && (status === 412 || status === 416) && restarts < fruitlessTries) {
        // There is another version by now, or the part is the whole.
        restarts += 1;
        bytes = 0;
        etag = undefined;
        continue;
      }
      fruitless = bytes > before ? 0 : fruitless + 1;
      if (signal?.aborted || status < 500 || fruitless >= fruitlessTries) {
        if (etag === undefined || status === 404) await forget(partial);
        throw signal?.aborted ? signal.reason : error;
      }
      // What is on the disk counts, not what was on its way there.
      bytes = Math.min(bytes, await sizeOf(partial));
    }
  }
  if (verify !== false) await checkDigest(partial, path, digest);
  await rename(partial, to);
  await forget(partial);
}

async function checkDigest(partial: string, path: string, digest: ContentDigest | undefined): Promise<void> {
  if (digest === undefined) return;
  const hash = createHash(digest.algorithm);
  await pipeline(createReadStream(partial), hash);
  const found = hash.digest('base64');
  if (found === digest.value) return;
  await forget(partial);
  throw new MlflowError(
    'INTERNAL_ERROR',
    `'${path}' came damaged: its ${digest.algorithm} is ${found}, the store says ${digest.value}. Nothing of it was kept.`,
  );
}

/** What an earlier download left, if it is known which version it is a part of. */
async function leftOver(partial: string): Promise<{ bytes: number; etag: string | undefined }> {
  const etag = await readFile(`${partial}.etag`, 'utf8').catch(() => undefined);
  return { bytes: etag === undefined ? 0 : await sizeOf(partial), etag };
}

/** An empty part of this version. At no time is there another one's part beside its name. */
async function begin(partial: string, etag: string | undefined): Promise<void> {
  await writeFile(partial, '');
  if (etag === undefined) await rm(`${partial}.etag`, { force: true });
  else await writeFile(`${partial}.etag`, etag);
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => ({ size: 0 }))).size;
}

async function forget(partial: string): Promise<void> {
  await Promise.all([partial, `${partial}.etag`].map((file) => rm(file, { force: true })));
}
