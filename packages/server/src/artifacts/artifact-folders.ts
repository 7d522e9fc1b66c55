import { MlflowError, invalidParameter } from '@lazuli/contract';
import type { WorkspaceRef } from '../access/caller.ts';
import { describeLocation } from '../artifact-store/artifact-location.ts';
import { folderPath, rootPath, segmentsOf, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import { pathBelow, type ArtifactRoot } from '../artifact-store/artifact-root.ts';
import type { ArtifactStore, DirectTransfers, ReadableArtifacts } from '../artifact-store/artifact-store.ts';

/**
 * Which files belong to whom. Every workspace has a folder of its own, named by its GUID, in the proxied store and in
 * each root; a request only ever sees what lies below such a folder of the workspace that it addresses.
 */
export interface ArtifactPlaces {
  /** Where `mlflow-artifacts:` leads to, for all workspaces together. */
  readonly store: ArtifactStore;
  /**
   * Further places that the operator has named. A location elsewhere came from a client and is never touched: *an
   * experiment at `/etc` would list the server's disk*, and a bucket of somebody else would be asked with our credentials.
   */
  readonly roots: readonly ArtifactRoot[];
  /** Whether clients are sent to a store that signs requests. */
  readonly directTransfers: 'on' | 'off';
}

export interface ArtifactFolder {
  readonly files: ReadableArtifacts;
  readonly folder: ArtifactPath;
  readonly direct: DirectTransfers | undefined;
  /** The same files to be written; a local root is opened for that only where it is needed. */
  writable(): Promise<ArtifactStore>;
}

/** The folder that the proxy serves for a workspace. */
export function workspaceFolder({ store }: ArtifactPlaces, workspace: WorkspaceRef): ArtifactStore {
  const folder = folderPath(workspace.guid);
  if (folder === rootPath || folder.includes('/')) throw new Error(`A workspace has the GUID '${workspace.guid}'`);
  return store.within(folder);
}

/** Where an artifact URI leads to: below the proxy, in a root, or to where the server does not go. */
type Reached =
  | { readonly kind: 'proxied'; readonly folder: ArtifactPath }
  | { readonly kind: 'root'; readonly root: ArtifactRoot; readonly folder: ArtifactPath };

function reach({ roots }: ArtifactPlaces, workspace: WorkspaceRef, uri: string): Reached | undefined {
  const location = describeLocation(uri);
  if (location.kind === 'proxied') return { kind: 'proxied', folder: location.path };
  for (const root of roots) {
    const folder = pathBelow(root.place, uri);
    if (folder !== undefined && isOwn(folder, workspace)) return { kind: 'root', root, folder };
  }
  return undefined;
}

/** The path of an artifact URI in the store that it lies in; undefined where the server cannot reach it. */
export function pathOfUri(places: ArtifactPlaces, workspace: WorkspaceRef, uri: string): ArtifactPath | undefined {
  return reach(places, workspace, uri)?.folder;
}

/** The folder that an artifact URI of a workspace's run stands for, where the server can reach it. */
export async function folderOfUri(
  places: ArtifactPlaces,
  workspace: WorkspaceRef,
  uri: string,
): Promise<ArtifactFolder> {
  const reached = reach(places, workspace, uri);
  if (reached?.kind === 'proxied') {
    const files = workspaceFolder(places, workspace);
    return { files, folder: reached.folder, direct: directOf(places, files), writable: async () => files };
  }
  if (reached !== undefined) {
    const { root, folder } = reached;
    const files = await root.read();
    return { files, folder, direct: directOf(places, files), writable: () => root.write() };
  }
  const location = describeLocation(uri);
  if (location.kind === 'remote') {
    throw new MlflowError(
      'NOT_IMPLEMENTED',
      `The server does not read artifacts in '${location.scheme}:' locations outside of the configured artifact roots; clients reach them directly.`,
    );
  }
  throw invalidParameter(
    'The artifacts of this run lie in a local folder outside of the configured artifact roots, which the server does not read.',
  );
}

export function directOf(
  { directTransfers }: ArtifactPlaces,
  files: ReadableArtifacts & Pick<ArtifactStore, 'direct'>,
): DirectTransfers | undefined {
  return directTransfers === 'on' ? files.direct : undefined;
}

const guidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Whether a folder of a root is a workspace's: the first segment of it that is a GUID is the workspace's. What lies in
 * front, such as the root of a team, may change; folders that hold those of several workspaces belong to none.
 */
function isOwn(folder: ArtifactPath, { guid }: WorkspaceRef): boolean {
  return segmentsOf(folder).find((segment) => guidForm.test(segment)) === guid;
}

/** Removes all files of a workspace that is gone: behind the proxy, and in the roots that its experiments lay in. */
export async function removeWorkspaceFiles(
  places: ArtifactPlaces,
  workspace: WorkspaceRef,
  locations: readonly string[],
): Promise<void> {
  await workspaceFolder(places, workspace).remove(rootPath);
  for (const root of places.roots) {
    const folders = new Set<ArtifactPath>();
    for (const location of locations) {
      const folder = pathBelow(root.place, location);
      if (folder === undefined || !isOwn(folder, workspace)) continue;
      const segments = segmentsOf(folder);
      folders.add(folderPath(segments.slice(0, segments.indexOf(workspace.guid) + 1).join('/')));
    }
    for (const folder of folders) await (await root.write()).remove(folder);
  }
}

/** Removes the folder of a run or logged model that is gone; 'elsewhere' where the server does not write. */
export async function removeFolder(
  places: ArtifactPlaces,
  workspace: WorkspaceRef,
  uri: string,
): Promise<'removed' | 'elsewhere'> {
  const reached = reach(places, workspace, uri);
  if (reached === undefined || reached.folder === rootPath) return 'elsewhere';
  if (reached.kind === 'proxied') {
    await workspaceFolder(places, workspace).remove(reached.folder);
    return 'removed';
  }
  // The folder that holds those of all runs of the workspace is nobody's alone.
  if (segmentsOf(reached.folder).at(-1) === workspace.guid) return 'elsewhere';
  const store = await reached.root.write();
  await store.remove(reached.folder);
  return 'removed';
}
