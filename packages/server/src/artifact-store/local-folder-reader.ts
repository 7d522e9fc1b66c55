import { constants, type BigIntStats, type Dirent, type Stats } from 'node:fs';
import { lstat, open, readdir, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidParameter } from '@lazuli/contract';
import { invalidPath, rootPath, segmentsOf, type ArtifactPath } from './artifact-path.ts';
import { byCodePoint } from './artifact-store.ts';
import type {
  ArtifactEntry,
  ArtifactStat,
  ByteRange,
  OpenArtifact,
  ReadableArtifacts,
  TakeBytes,
} from './artifact-store.ts';
import { isCode, storageError } from './storage-error.ts';
import { borrowBuffer, giveBackBuffer } from './transfer-buffers.ts';

/**
 * Reading below a folder of the server's own disk. A symbolic link is never followed, wherever on the way it lies: each
 * step is looked at before it is taken. (No request can make a link; one in the root was put there by hand.)
 */
/** A folder in a root, as segments below it. */
export interface LocalPlace {
  readonly root: string;
  readonly base: readonly string[];
  /** A folder of the root, in lower case, that no path leads to and no listing shows. */
  readonly hidden?: string;
}

export function readLocalFolder(place: LocalPlace): ReadableArtifacts {
  return {
    async open(path) {
      const found = await guarded(path, () => find(place, path));
      if (found === undefined || !found.stats.isFile()) return undefined;
      return guarded(path, () => openFile(found.file));
    },

    async stat(path): Promise<ArtifactStat | undefined> {
      const found = await guarded(path, () => find(place, path));
      if (found === undefined) return undefined;
      const { stats } = found;
      if (stats.isFile()) return { kind: 'file', size: stats.size, modifiedMs: stats.mtimeMs };
      return stats.isDirectory() ? { kind: 'folder', size: 0, modifiedMs: stats.mtimeMs } : undefined;
    },

    async list(folder) {
      return await guarded(folder, async () => {
        const { file, children } = await childrenOf(place, folder);
        return await entriesOf(file, children);
      });
    },

    async listPage(folder, { limit, token }) {
      const after = token === undefined ? '' : nameOfToken(token);
      return await guarded(folder, async () => {
        const { file, children } = await childrenOf(place, folder);
        const rest = children.filter(({ name }) => byCodePoint(name, after) > 0);
        const shown = rest.slice(0, limit);
        const last = rest.length > limit ? shown.at(-1) : undefined;
        return {
          entries: await entriesOf(file, shown),
          next: last && Buffer.from(last.name).toString('base64url'),
        };
      });
    },
  };
}

function nameOfToken(token: string): string {
  const name = Buffer.from(token, 'base64url').toString();
  if (Buffer.from(name).toString('base64url') !== token) throw invalidParameter(`Invalid page token '${token}'`);
  return name;
}

interface Children {
  /** The folder that they lie in. */
  readonly file: string;
  readonly children: readonly Dirent[];
}

/** What a listing shows of a folder, by code point. */
async function childrenOf(place: LocalPlace, folder: ArtifactPath): Promise<Children> {
  const found = await find(place, folder);
  if (found === undefined || !found.stats.isDirectory()) return { file: '', children: [] };
  const isRoot = place.base.length === 0 && segmentsOf(folder).length === 0;
  const children = (await readdir(found.file, { withFileTypes: true }))
    .filter((child) => (child.isFile() || child.isDirectory()) && !(isRoot && child.name === place.hidden))
    .sort((one, other) => byCodePoint(one.name, other.name));
  return { file: found.file, children };
}

/** How far down a path leads. */
export interface Descent {
  readonly file: string;
  /** Of the last step that was looked at; undefined where nothing is. */
  readonly stats: Stats | undefined;
  readonly isEnd: boolean;
}

/** Goes down from the root step by step, to the end or to what is no folder; a link on the way is an error. */
export async function descend(place: LocalPlace, path: ArtifactPath): Promise<Descent> {
  const segments = [...place.base, ...segmentsOf(path)];
  // Some file systems do not tell upper from lower case.
  if (place.hidden !== undefined && segments[0]?.toLowerCase() === place.hidden) {
    throw invalidPath(`'${place.hidden}' is reserved`);
  }
  let file = place.root;
  let stats = await lstatIfThere(file);
  for (const segment of segments) {
    if (stats?.isDirectory() !== true) return { file, stats, isEnd: false };
    file = join(file, segment);
    stats = await lstatIfThere(file);
    if (stats?.isSymbolicLink() === true) throw invalidPath('a symbolic link lies on it');
  }
  return { file, stats, isEnd: true };
}

/** What lies at the end of a path, if anything does. */
export async function find(place: LocalPlace, path: ArtifactPath): Promise<{ file: string; stats: Stats } | undefined> {
  const { file, stats, isEnd } = await descend(place, path);
  return isEnd && stats !== undefined ? { file, stats } : undefined;
}

async function lstatIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await lstat(file);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** O_NONBLOCK keeps a named pipe, put there in between, from holding a thread for ever. */
async function openFile(file: string): Promise<OpenArtifact | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    if (isCode(error, 'ELOOP')) throw invalidPath('a symbolic link lies on it');
    throw error;
  }
  const opened = await handle.stat({ bigint: true });
  if (opened.isFile()) return openArtifact(handle, opened);
  await handle.close();
  return undefined;
}

function openArtifact(handle: FileHandle, stats: BigIntStats): OpenArtifact {
  const size = Number(stats.size);
  return {
    size,
    modifiedMs: Number(stats.mtimeMs),
    version: [stats.mtimeNs, stats.size, stats.ino].map((part) => part.toString(36)).join('-'),
    async sendTo(take, range = { start: 0, end: size - 1 }) {
      try {
        await sendFile(handle, take, range);
      } finally {
        await handle.close();
      }
    },
    close: () => handle.close(),
  };
}

/** Reads the next piece while one is being taken, in two buffers that go from download to download. */
async function sendFile(handle: FileHandle, take: TakeBytes, { start, end }: ByteRange): Promise<void> {
  let [filling, taking] = [borrowBuffer(), borrowBuffer()];
  const fill = async (position: number): Promise<Uint8Array> => {
    const wanted = Math.min(filling.byteLength, end + 1 - position);
    if (wanted <= 0) return filling.subarray(0, 0);
    const { bytesRead } = await handle.read(filling, 0, wanted, position);
    if (bytesRead === 0) throw new Error('the file has become shorter while it was read');
    return filling.subarray(0, bytesRead);
  };
  let position = start;
  let piece = await fill(position);
  while (piece.byteLength > 0) {
    position += piece.byteLength;
    [filling, taking] = [taking, filling];
    // Both are waited for before either failure is thrown: a buffer must be idle when it is given back.
    const [taken, filled] = await Promise.allSettled([take(piece), fill(position)]);
    if (taken.status === 'rejected') throw taken.reason;
    if (filled.status === 'rejected') throw filled.reason;
    piece = filled.value;
  }
  giveBackBuffer(filling);
  giveBackBuffer(taking);
}

async function entriesOf(folder: string, children: readonly Dirent[]): Promise<ArtifactEntry[]> {
  const entries: ArtifactEntry[] = [];
  for (let start = 0; start < children.length; start += 128) {
    const batch = children.slice(start, start + 128).map(async (child): Promise<ArtifactEntry | undefined> => {
      if (child.isDirectory()) return { name: child.name, isFolder: true, size: 0 };
      const stats = await lstatIfThere(join(folder, child.name));
      return stats === undefined ? undefined : { name: child.name, isFolder: false, size: stats.size };
    });
    entries.push(...(await Promise.all(batch)).filter((entry) => entry !== undefined));
  }
  return entries;
}

export async function guarded<T>(path: ArtifactPath, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, path);
  }
}

/** Reads a folder that belongs to someone else: nothing is made in it, and it may not exist yet. */
export async function openLocalReader(root: string): Promise<ReadableArtifacts> {
  const place = await guarded(rootPath, () => realRootOf(root));
  return readLocalFolder({ root: place, base: [] });
}

async function realRootOf(root: string): Promise<string> {
  try {
    return await realpath(root);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return root;
    throw error;
  }
}
