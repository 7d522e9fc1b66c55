import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invalidPath, segmentsOf, type ArtifactPath } from './artifact-path.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { descend, find, guarded, readLocalFolder, type LocalPlace } from './local-folder-reader.ts';
import { belowFile, isCode, isFolder } from './storage-error.ts';

/**
 * Artifacts in a folder of the server's own disk.
 *
 * An upload goes to a file of an unguessable name in a hidden folder of the same root, is synced, then renamed onto its
 * name, and the folder is synced: so a name shows a whole file or none, after a crash too, and of two uploads the later
 * rename stays. Removing works the other way round, by renaming into the hidden folder first. What a crash leaves there
 * is swept once it is old: when the store is opened, and else by the first upload after that.
 */
export const stagingFolder = '.lazuli-staging';

export interface LocalFolderOptions {
  readonly root: string;
  /**
   * Unix milliseconds. Unfinished uploads that were last written to before are swept. Another process that shares the
   * folder may be writing, so this is an hour ago.
   */
  readonly staleBefore: () => number;
}

export async function openLocalFolder({ root, staleBefore }: LocalFolderOptions): Promise<ArtifactStore> {
  await mkdir(root, { recursive: true, mode: 0o750 });
  const realRoot = await realpath(root);
  const staging = join(realRoot, stagingFolder);
  await mkdir(staging, { recursive: true, mode: 0o700 });
  if (!(await lstat(staging)).isDirectory()) throw new Error(`${staging} is not a folder`);
  const sparedSince = await sweep(staging, staleBefore());
  return folderStore(
    { root: realRoot, base: [], hidden: stagingFolder },
    { staging, staleBefore, sparedSince, creating: new Map(), turn: Promise.resolve() },
  );
}

/** The second attempt has no rival in this process; another process would have to win all of them. */
const maxAttempts = 10;

interface Writing {
  readonly staging: string;
  readonly staleBefore: () => number;
  /** When the oldest that the last sweep has spared was written. */
  sparedSince: number;
  /** Folders that are being made: who needs one waits until its entry is durable, whoever makes it. */
  readonly creating: Map<string, Promise<void>>;
  /** When the last of those who remove, or must not be disturbed by it, will have done so. */
  turn: Promise<unknown>;
}

function folderStore(place: LocalPlace, writing: Writing): ArtifactStore {
  return {
    ...readLocalFolder(place),

    async put(path, content) {
      await guarded(path, async () => {
        await refuseConflict(place, path);
        await sweepWhatWasSpared(writing);
        const staged = join(writing.staging, randomUUID());
        try {
          await writeFile(staged, content);
          await moveInto(place, path, staged, writing);
        } catch (error) {
          await rm(staged, { force: true }).catch(() => undefined);
          throw error;
        }
      });
    },

    async remove(path) {
      await guarded(path, async () => {
        const found = await find(place, path);
        if (found === undefined) return;
        const staged = join(writing.staging, randomUUID());
        await inTurn(writing, () => moveAway(found.file, staged));
        await rm(staged, { recursive: true, force: true });
      });
    },

    within(folder) {
      return folderStore({ ...place, base: [...place.base, ...segmentsOf(folder)] }, writing);
    },
  };
}

/** What cannot end well is refused before its bytes are taken. */
async function refuseConflict(place: LocalPlace, path: ArtifactPath): Promise<void> {
  const { stats, isEnd } = await descend(place, path);
  if (stats === undefined) return;
  if (!isEnd && !stats.isDirectory()) throw belowFile(path);
  if (isEnd && !stats.isFile()) throw isFolder(path);
}

async function writeFile(file: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(
    file,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o640,
  );
  try {
    for await (const piece of content) await writeWhole(handle, piece);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A full disk may take a part of what it is given; the next write then says why. */
async function writeWhole(handle: FileHandle, piece: Uint8Array): Promise<void> {
  let rest = piece;
  while (rest.byteLength > 0) {
    const { bytesWritten } = await handle.write(rest);
    if (bytesWritten === 0) throw Object.assign(new Error('the file system took no bytes'), { code: 'ENOSPC' });
    rest = rest.subarray(bytesWritten);
  }
}

/** The folders above may be removed by someone else between making them and the rename; then they are made again. */
async function moveInto(place: LocalPlace, path: ArtifactPath, staged: string, writing: Writing): Promise<void> {
  const segments = [...place.base, ...segmentsOf(path)];
  const move = async (): Promise<void> => {
    const folder = await makeFolders(place.root, segments.slice(0, -1), path, writing);
    await rename(staged, join(folder, segments.at(-1) ?? ''));
    await syncFolder(folder);
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      await (attempt === 1 ? move() : inTurn(writing, move));
      return;
    } catch (error) {
      if (!isCode(error, 'ENOENT') || attempt === maxAttempts) throw error;
    }
  }
}

async function moveAway(file: string, staged: string): Promise<void> {
  try {
    await rename(file, staged);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  await syncFolder(dirname(file));
}

async function inTurn<T>(writing: Writing, work: () => Promise<T>): Promise<T> {
  const mine = writing.turn.then(work, work);
  writing.turn = mine.catch(() => undefined);
  return await mine;
}

async function makeFolders(
  root: string,
  segments: readonly string[],
  path: ArtifactPath,
  { creating }: Writing,
): Promise<string> {
  let folder = root;
  for (const segment of segments) {
    const above = folder;
    folder = join(above, segment);
    await (creating.get(folder) ?? makeFolder(folder, above, creating));
    const stats = await lstat(folder);
    if (stats.isDirectory()) continue;
    throw stats.isSymbolicLink() ? invalidPath('a symbolic link lies on it') : belowFile(path);
  }
  return folder;
}

function makeFolder(folder: string, above: string, creating: Writing['creating']): Promise<void> {
  const making = (async () => {
    try {
      await mkdir(folder, 0o750);
    } catch (error) {
      if (isCode(error, 'EEXIST')) return;
      throw error;
    }
    await syncFolder(above);
  })().finally(() => creating.delete(folder));
  creating.set(folder, making);
  return making;
}

/** A new name is durable once its folder is. Who has removed the folder since has taken the name with it. */
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A server that a crash has started again may run for months, and would keep what was too young to be swept then. */
async function sweepWhatWasSpared(writing: Writing): Promise<void> {
  const { staging, staleBefore, sparedSince } = writing;
  if (sparedSince >= staleBefore()) return;
  writing.sparedSince = Infinity;
  writing.sparedSince = await sweep(staging, staleBefore());
}

/** Gives the time when the oldest that it has spared was written. */
async function sweep(staging: string, staleBefore: number): Promise<number> {
  let sparedSince = Infinity;
  for (const name of await readdir(staging)) {
    const file = join(staging, name);
    const { mtimeMs } = await lstat(file).catch(() => ({ mtimeMs: Infinity }));
    if (mtimeMs < staleBefore) await rm(file, { recursive: true, force: true });
    else sparedSince = Math.min(sparedSince, mtimeMs);
  }
  return sparedSince;
}
