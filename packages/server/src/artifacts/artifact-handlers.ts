import { missing, type artifacts, type FileInfo } from '@lazuli/contract';
import type { Handler, WorkspaceRef } from '../access/caller.ts';
import { folderPath, invalidPath, joinPaths, rootPath, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { ArtifactEntry } from '../artifact-store/artifact-store.ts';
import { folderOfUri, workspaceFolder, type ArtifactPlaces } from './artifact-folders.ts';

/** Artifacts: the files of runs, and the proxy through which clients list, read, write and delete them. */
export interface ArtifactRoom extends ArtifactPlaces {
  /** Rejects with RESOURCE_DOES_NOT_EXIST for a run that the workspace does not have. */
  findRun(workspace: WorkspaceRef, runId: string): Promise<{ readonly artifact_uri: string }>;
  /** The same for a logged model. */
  findModel(workspace: WorkspaceRef, modelId: string): Promise<{ readonly artifact_uri: string }>;
}

type ArtifactHandlers = { readonly [Name in keyof typeof artifacts]: Handler<(typeof artifacts)[Name]> };

export function artifactHandlers(room: ArtifactRoom): ArtifactHandlers {
  return {
    async listArtifacts({ run_id, run_uuid, path }, { workspace }) {
      const runId = run_id || run_uuid;
      if (!runId) throw missing('run_id');
      folderPath(path ?? '');
      const { artifact_uri: uri } = await room.findRun(workspace, runId);
      return { root_uri: uri, files: await listFolder(room, { workspace, uri, path: path ?? '' }) };
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

/** A folder of an artifact location, with paths from that location on. */
export async function listFolder(
  places: ArtifactPlaces,
  { workspace, uri, path }: { workspace: WorkspaceRef; uri: string; path: string },
): Promise<FileInfo[]> {
  const below = folderPath(path);
  const { files, folder } = await folderOfUri(places, workspace, uri);
  const entries = await files.list(joinPaths(folder, below));
  return entries.map((entry) => fileInfo(entry, below));
}

/** *MLflow: folders have no size.* */
function fileInfo({ name, isFolder, size }: ArtifactEntry, folder: ArtifactPath): FileInfo {
  const path = joinPaths(folder, name as ArtifactPath);
  return isFolder ? { path, is_dir: true } : { path, is_dir: false, file_size: size };
}
