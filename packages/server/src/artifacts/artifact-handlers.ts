import { missing, type artifacts, type FileInfo } from '@lazuli/contract';
import type { Handlers, WorkspaceRef } from '../access/caller.ts';
import { folderPath, invalidPath, joinPaths, rootPath, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { ArtifactEntry } from '../artifact-store/artifact-store.ts';
import { folderOfUri, workspaceFolder, type ArtifactPlaces } from './artifact-folders.ts';

/** Artifacts: the files of runs, and the proxy through which clients list, read, write and delete them. */
export interface ArtifactRoom extends ArtifactPlaces {
  /** Rejects with RESOURCE_DOES_NOT_EXIST for a run that the workspace does not have. */
  findRun(workspace: WorkspaceRef, runId: string): Promise<{ readonly artifact_uri: string }>;
  /** The same for a logged model. */
  findModel(workspace: WorkspaceRef, modelId: string): Promise<{ readonly artifact_uri: string }>;
  /** The same for a version of a registered model. */
  findVersion(workspace: WorkspaceRef, name: string, version: string): Promise<{ readonly artifact_uri: string }>;
}

export function artifactHandlers(room: ArtifactRoom): Handlers<typeof artifacts> {
  return {
    async listArtifacts({ run_id, run_uuid, path, page_token }, { workspace }) {
      const runId = run_id || run_uuid;
      if (!runId) throw missing('run_id');
      // A path that is none is told before a run that is none.
      folderPath(path ?? '');
      const { artifact_uri: uri } = await room.findRun(workspace, runId);
      return listFolder(room, { workspace, uri, path, page_token });
    },

    async listProxiedArtifacts({ path }, { workspace }) {
      const entries = await workspaceFolder(room, workspace).list(folderPath(path ?? ''));
      return { files: entries.map((entry) => fileInfo(entry, rootPath)) };
    },

    async deleteProxiedArtifacts({ artifact_path }, { workspace }) {
      const path = folderPath(artifact_path);
      if (path === rootPath) throw invalidPath('the root of all artifacts cannot be deleted');
      await workspaceFolder(room, workspace).remove(path);
      return {};
    },
  };
}

/** Of the files of a run or a model. The proxy's own list is whole, because *clients ask for it once and know no page token there*. */
const pageSize = 1000;

/** A page of a folder of an artifact location, with paths from that location on. */
export async function listFolder(
  places: ArtifactPlaces,
  { workspace, uri, path, page_token }: FolderQuery,
): Promise<{ root_uri: string; files: FileInfo[]; next_page_token?: string }> {
  const below = folderPath(path ?? '');
  const { files, folder } = await folderOfUri(places, workspace, uri);
  const { entries, next } = await files.listPage(joinPaths(folder, below), {
    limit: pageSize,
    token: page_token || undefined,
  });
  return {
    root_uri: uri,
    files: entries.map((entry) => fileInfo(entry, below)),
    ...(next === undefined ? {} : { next_page_token: next }),
  };
}

interface FolderQuery {
  readonly workspace: WorkspaceRef;
  readonly uri: string;
  readonly path: string | undefined;
  readonly page_token: string | undefined;
}

/** *MLflow: folders have no size.* */
function fileInfo({ name, isFolder, size }: ArtifactEntry, folder: ArtifactPath): FileInfo {
  const path = joinPaths(folder, name as ArtifactPath);
  return isFolder ? { path, is_dir: true } : { path, is_dir: false, file_size: size };
}
