import { isAbsolute, relative, resolve, sep } from 'node:path';
import { MlflowError, invalidParameter } from '@lazuli/contract';
import type { WorkspaceRef } from '../access/caller.ts';
import { describeLocation } from '../artifact-store/artifact-location.ts';
import { folderPath, joinPaths, rootPath, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { ArtifactStore, ReadableArtifacts } from '../artifact-store/artifact-store.ts';
import { openLocalFolder } from '../artifact-store/local-folder.ts';
import { openLocalReader } from '../artifact-store/local-folder-reader.ts';

/**
 * Which files belong to whom. Every workspace has a folder of its own, named by its GUID, in the proxied store and in
 * each local root; a request only ever sees what lies below the folder of the workspace that it addresses.
 */
export interface ArtifactPlaces {
  /** Where `mlflow-artifacts:` leads to, for all workspaces together. */
  readonly store: ArtifactStore;
  /**
   * Absolute local folders that the operator has configured as default artifact roots. A local location elsewhere came
   * from a client and is never read: *an experiment at `/etc` would list the server's disk*.
   */
  readonly localRoots: readonly string[];
}

export interface ArtifactFolder {
  readonly files: ReadableArtifacts;
  readonly folder: ArtifactPath;
}

/** The folder that the proxy serves for a workspace. */
export function workspaceFolder({ store }: ArtifactPlaces, workspace: WorkspaceRef): ArtifactStore {
  const folder = folderPath(workspace.guid);
  if (folder === rootPath || folder.includes('/')) throw new Error(`A workspace has the GUID '${workspace.guid}'`);
  return store.within(folder);
}

/** The folder that an artifact URI of a workspace's run stands for, where the server can read it. */
export async function folderOfUri(
  places: ArtifactPlaces,
  workspace: WorkspaceRef,
  uri: string,
): Promise<ArtifactFolder> {
  const location = describeLocation(uri);
  switch (location.kind) {
    case 'proxied':
      return { files: workspaceFolder(places, workspace), folder: location.path };
    case 'local':
      return await localFolder(places.localRoots, workspace, location.path);
    case 'remote':
      throw new MlflowError(
        'NOT_IMPLEMENTED',
        `The server does not read artifacts in '${location.scheme}:' locations; clients reach them directly.`,
      );
  }
}

/** Removes the folder of a run or logged model that is gone; 'elsewhere' where the server does not write. */
export async function removeFolder(
  places: ArtifactPlaces,
  workspace: WorkspaceRef,
  uri: string,
): Promise<'removed' | 'elsewhere'> {
  const location = describeLocation(uri);
  if (location.kind === 'remote') return 'elsewhere';
  if (location.kind === 'proxied') {
    if (location.path === rootPath) return 'elsewhere';
    await workspaceFolder(places, workspace).remove(location.path);
    return 'removed';
  }
  const place = placeInRoots(places.localRoots, workspace, location.path);
  if (place === undefined || place.folder === folderPath(workspace.guid)) return 'elsewhere';
  // Nothing is uploaded through these roots, so there is nothing to sweep in them.
  const store = await openLocalFolder({ root: place.root, staleBefore: 0 });
  await store.remove(place.folder);
  return 'removed';
}

async function localFolder(roots: readonly string[], workspace: WorkspaceRef, path: string): Promise<ArtifactFolder> {
  const place = placeInRoots(roots, workspace, path);
  if (place !== undefined) return { files: await openLocalReader(place.root), folder: place.folder };
  throw invalidParameter(
    'The artifacts of this run lie in a local folder outside of the configured artifact roots, which the server does not read.',
  );
}

function placeInRoots(
  roots: readonly string[],
  workspace: WorkspaceRef,
  path: string,
): { root: string; folder: ArtifactPath } | undefined {
  for (const root of roots) {
    const own = resolve(root, workspace.guid);
    const below = relative(own, path);
    if (!isAbsolute(path) || isAbsolute(below) || below.split(sep)[0] === '..') continue;
    return { root, folder: joinPaths(folderPath(workspace.guid), folderPath(below)) };
  }
  return undefined;
}
