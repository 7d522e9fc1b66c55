import { createWriteStream, openAsBlob } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import {
  filesBelow,
  inParallel,
  type ArtifactEntry,
  type ArtifactStore,
  type TransferOptions,
} from '../artifacts/artifact-store.ts';
import type { Location } from '../models/model-location.ts';
import type { Files } from '../tracking/platform.ts';

export const nodeFiles: Files = {
  async open(path) {
    // What is wrong with the file is said by the file system, with its name.
    if (!(await stat(path)).isFile()) throw invalidParameter(`'${path}' is not a file; logArtifacts takes folders.`);
    return openAsBlob(path);
  },
  nameOf: basename,
  async below(folder) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = join(entry.parentPath, entry.name);
        return { file, path: file.slice(join(folder, sep).length).split(sep).join('/') };
      })
      .sort((one, two) => (one.path < two.path ? -1 : 1));
  },
};

/** Tries of one file that bring no byte before its download is given up. */
const fruitlessTries = 5;

/**
 * Downloads a file, or a folder with all below it, into a local folder. A file appears under its name when it is whole; a
 * connection that breaks goes on where it was, if the server gives ranges.
 */
export async function download(
  { store, folder: path }: Location,
  into: string,
  options: TransferOptions = {},
): Promise<string[]> {
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const entries: ArtifactEntry[] = [];
  for await (const entry of filesBelow(store, path, signal)) entries.push(entry);
  const root = path === '' ? '' : `${path}/`;
  let files = entries.map((entry) => ({ entry, to: join(into, ...entry.path.slice(root.length).split('/')) }));
  if (entries.length === 0 && path !== '') {
    files = [{ entry: { path, isFolder: false }, to: join(into, basename(path)) }];
  }
  await inParallel(files, options.parallel ?? 4, ({ entry, to }) => downloadFile(store, entry, to, options));
  return files.map(({ to }) => to);
}

async function downloadFile(
  store: ArtifactStore,
  { path }: ArtifactEntry,
  to: string,
  { signal, onProgress }: TransferOptions,
): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const partial = `${to}.part`;
  let bytes = 0;
  let etag: string | undefined;
  let fruitless = 0;
  for (;;) {
    const before = bytes;
    try {
      const opened = await store.open(path, {
        offset: bytes,
        ...(etag === undefined ? {} : { etag }),
        ...(signal === undefined ? {} : { signal }),
      });
      ({ etag } = opened);
      bytes = opened.offset;
      const counted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const chunk of chunks) {
          yield chunk;
          bytes += chunk.byteLength;
          onProgress?.({ path, bytes, ...(opened.size === undefined ? {} : { total: opened.size }) });
        }
      };
      const file = createWriteStream(partial, opened.offset === 0 ? {} : { flags: 'r+', start: opened.offset });
      await pipeline(Readable.fromWeb(opened.body as never), counted, file);
      if (opened.size === undefined || bytes === opened.size) break;
      throw new MlflowError('TEMPORARILY_UNAVAILABLE', `Of '${path}' came ${bytes} of ${opened.size} bytes.`);
    } catch (error) {
      const isServersWord = error instanceof MlflowError && error.status < 500;
      fruitless = bytes > before ? 0 : fruitless + 1;
      if (signal?.aborted || isServersWord || fruitless >= fruitlessTries) {
        await rm(partial, { force: true });
        throw error;
      }
      // What is on the disk counts, not what was on its way there.
      bytes = Math.min(bytes, (await stat(partial).catch(() => ({ size: 0 }))).size);
    }
  }
  await rename(partial, to);
}
