import { openAsBlob } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import type { ArtifactEntry, ArtifactStore } from '@lazuli/client';
import { CommandError } from './output.ts';

/** Files of this machine on their way to a store, and those that a store has. */
export async function uploadFiles(store: ArtifactStore, paths: ReadonlyMap<string, string>): Promise<void> {
  const uploads = await Promise.all(
    [...paths].map(async ([path, file]) => ({ path, content: await openAsBlob(file) })),
  );
  await store.upload(uploads);
}

/** A file under the path that it gets in a folder of a store. */
export async function fileIn(folder: string | undefined, file: string): Promise<Map<string, string>> {
  if (!(await stat(file).catch(() => undefined))?.isFile()) throw new CommandError(2, `${file} is no file.`);
  return new Map([[inFolder(folder, basename(file)), file]]);
}

/** The files below a folder of this machine. */
export async function filesIn(folder: string | undefined, local: string): Promise<Map<string, string>> {
  if (!(await stat(local).catch(() => undefined))?.isDirectory()) throw new CommandError(2, `${local} is no folder.`);
  const entries = await readdir(local, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((file) => [inFolder(folder, relative(local, file).split(sep).join('/')), file]));
}

function inFolder(folder: string | undefined, path: string): string {
  return folder === undefined || folder === '' ? path : `${folder.replace(/\/+$/, '')}/${path}`;
}

/** All files of a store below a folder. */
export async function* filesBelow(store: ArtifactStore, folder: string): AsyncGenerator<ArtifactEntry> {
  for (const entry of await store.list(folder)) {
    if (entry.isFolder) yield* filesBelow(store, entry.path);
    else yield entry;
  }
}

/** *As MLflow tells of a file.* */
export function entryShown({ path, isFolder, size }: ArtifactEntry) {
  return { path, is_dir: isFolder, file_size: size ?? null };
}

export const entryColumns = { Path: 'path', Folder: 'is_dir', Bytes: 'file_size' };
