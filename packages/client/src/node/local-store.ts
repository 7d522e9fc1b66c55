import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { MlflowError } from '@lazuli/contract';
import { checkArtifactPath, inParallel, joinPath, type ArtifactStore } from '../artifacts/artifact-store.ts';

/**
 * Files in a folder that this machine shares with the server: what a run's `file:` URI or plain path means. *MLflow's server
 * gives such places where it does not serve artifacts itself; its own client writes there, too.*
 */
export function localStore(uri: string): ArtifactStore {
  const root = /^file:/i.test(uri) ? fileURLToPath(uri) : resolve(uri);
  const fileOf = (path: string): string => join(root, ...checkArtifactPath(path).split('/'));
  return {
    async list(folder) {
      const place = folder === '' ? root : fileOf(folder);
      const entries = await readdir(place, { withFileTypes: true }).catch((error: unknown) => {
        if (isAbsence(error)) return [];
        throw error;
      });
      return Promise.all(
        entries.map(async (entry) => {
          const { size } = await stat(join(place, entry.name));
          const path = joinPath(folder, entry.name);
          return entry.isDirectory() ? { path, isFolder: true } : { path, isFolder: false, size };
        }),
      );
    },
    upload: (uploads, { signal, parallel = 4, onProgress } = {}) =>
      inParallel(uploads, parallel, async ({ path, content }) => {
        const to = fileOf(path);
        const partial = `${to}.${crypto.randomUUID()}.part`;
        await mkdir(dirname(to), { recursive: true });
        try {
          const bytes = Readable.fromWeb(content.stream() as never);
          await pipeline(bytes, createWriteStream(partial), signal === undefined ? {} : { signal });
          await rename(partial, to);
        } catch (error) {
          await rm(partial, { force: true });
          throw error;
        }
        onProgress?.({ path, bytes: content.size, total: content.size });
      }),
    async open(path, { offset = 0, signal } = {}) {
      signal?.throwIfAborted();
      const file = fileOf(path);
      const { size, mtimeMs } = await stat(file).catch((error: unknown) => {
        throw isAbsence(error)
          ? new MlflowError('RESOURCE_DOES_NOT_EXIST', `There is no artifact '${path}' at ${uri}.`)
          : error;
      });
      const bytes = createReadStream(file, { start: offset });
      return {
        body: Readable.toWeb(bytes) as unknown as ReadableStream<Uint8Array>,
        offset,
        size,
        etag: `${mtimeMs}-${size}`,
      };
    },
  };
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
