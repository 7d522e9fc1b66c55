import { blobTransfers, invalidParameter, MlflowError, type runHistory } from '@lazuli/contract';
import { actingFor } from '../access/acting-for.ts';
import type { Caller, Handlers, WorkspaceRef } from '../access/caller.ts';
import { workspaceScope } from '../access/scope.ts';
import { describeLocation } from '../artifact-store/artifact-location.ts';
import { filePath, folderPath, joinPaths, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { ArtifactStore } from '../artifact-store/artifact-store.ts';
import { localUpload, wholeWorkspace } from '../artifact-store/azureml-location.ts';
import { workspaceFolder } from '../artifacts/artifact-folders.ts';
import type { ArtifactRoom } from '../artifacts/artifact-handlers.ts';
import { pageOfFiles } from './artifact-walk.ts';
import type { BlobCapabilities, BlobPermission } from './blob-capability.ts';

/**
 * The run history and artifact services. They carry no bytes: they tell which artifacts there are, and hand out signed URLs
 * to read and to write them.
 */
export interface RunHistoryRoom extends ArtifactRoom {
  readonly capabilities: BlobCapabilities;
  readonly now: () => number;
  /** Where clients reach this server by https. */
  readonly origin: () => string;
}

/** What has artifacts: a run, a logged model, or a container of uploads. */
interface Holder {
  readonly origin: string;
  readonly container: string;
  readonly files: ArtifactStore;
  readonly folder: ArtifactPath;
}

const pageSize = 5_000;
const runOrigin = 'ExperimentRun';
const runContainer = (id: string): string => `dcid.${id}`;

export function runHistoryHandlers(room: RunHistoryRoom): Handlers<typeof runHistory> {
  async function holderOfRun(workspace: WorkspaceRef, id: string): Promise<Holder> {
    const { artifact_uri } = await (id.startsWith('m-') ? room.findModel(workspace, id) : room.findRun(workspace, id));
    const location = describeLocation(artifact_uri);
    if (location.kind !== 'proxied') {
      throw new MlflowError(
        'NOT_IMPLEMENTED',
        `The artifacts of '${id}' do not lie behind this server but at '${artifact_uri}'; clients reach them directly.`,
      );
    }
    const files = workspaceFolder(room, workspace);
    return { origin: runOrigin, container: runContainer(id), files, folder: location.path };
  }

  async function holderOf(workspace: WorkspaceRef, origin: string, container: string): Promise<Holder> {
    const named = { origin, container, files: workspaceFolder(room, workspace) };
    if (origin === runOrigin) return await holderOfRun(workspace, container.replace(/^dcid\./, ''));
    if (origin === localUpload) return { ...named, folder: folderPath(`${localUpload}/${filePath(container)}`) };
    if (origin === wholeWorkspace.origin && container === wholeWorkspace.container) {
      return { ...named, folder: folderPath('') };
    }
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `There is no container '${container}' of the origin '${origin}'.`);
  }

  function contentOf({ origin, container, folder }: Holder, path: string, permission: BlobPermission, caller: Caller) {
    const place = { workspaceGuid: caller.workspace.guid, path: joinPaths(folder, filePath(path)) };
    const query = room.capabilities.sign(place, permission, actingFor(caller.principal));
    const encoded = place.path.split('/').map(encodeURIComponent).join('/');
    const contentUri = `${room.origin()}${blobTransfers.path}/${place.workspaceGuid}/${encoded}?${query}`;
    return { contentUri, origin, container, path };
  }

  function metadataOf({ origin, container }: Holder, path: string, createdMs: number) {
    const artifactId = `${origin}/${container}/${path}`;
    const dataPath = { dataStoreName: 'workspaceartifactstore', relativePath: artifactId };
    return { artifactId, origin, container, path, createdTime: new Date(createdMs).toISOString(), dataPath };
  }

  function reserve(holder: Holder, paths: readonly { readonly path: string }[], caller: Caller) {
    if (paths.length > mostPaths) {
      throw invalidParameter(`A request reserves at most ${mostPaths} paths; this one has ${paths.length}.`);
    }
    return {
      artifacts: Object.fromEntries(paths.map(({ path }) => [path, metadataOf(holder, path, room.now())])),
      artifactContentInformation: Object.fromEntries(
        paths.map(({ path }) => [path, contentOf(holder, path, 'cw', caller)]),
      ),
      errors: {},
    };
  }

  async function list(holder: Holder, link: string, token: string | undefined) {
    const { origin, container, files, folder } = holder;
    const after = token === undefined || token === '' ? undefined : filePath(token);
    const { paths, next } = await pageOfFiles(files, folder, { limit: pageSize, after });
    const value = paths.map((path) => ({ artifactId: `${origin}/${container}/${path}`, origin, container, path }));
    if (next === undefined) return { value };
    const query = new URLSearchParams({ continuationToken: next }).toString();
    return { value, continuationToken: next, nextLink: `${room.origin()}${link}?${query}` };
  }

  async function found(holder: Holder, path: string): Promise<number> {
    const stat = await holder.files.stat(joinPaths(holder.folder, filePath(path)));
    if (stat?.kind === 'file') return stat.modifiedMs;
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `No such artifact: '${path}'`);
  }

  async function content(holder: Holder, path: string, caller: Caller) {
    await found(holder, path);
    return contentOf(holder, path, 'r', caller);
  }

  async function metadata(holder: Holder, path: string) {
    return metadataOf(holder, path, await found(holder, path));
  }

  return {
    async reserveRunArtifacts({ run_id, paths }, caller) {
      return reserve(await holderOfRun(caller.workspace, run_id), paths, caller);
    },
    async listRunArtifacts({ experiment, run_id, continuation_token }, { workspace }) {
      const own = `/experiments/${encodeURIComponent(experiment)}/runs/${encodeURIComponent(run_id)}/artifacts`;
      const link = `/history/v1.0${workspaceScope(workspace)}${own}`;
      return await list(await holderOfRun(workspace, run_id), link, continuation_token);
    },
    async getRunArtifactContent({ run_id, path }, caller) {
      return await content(await holderOfRun(caller.workspace, run_id), path, caller);
    },
    async getRunArtifactMetadata({ run_id, path }, { workspace }) {
      return await metadata(await holderOfRun(workspace, run_id), path);
    },
    async reserveContainerArtifacts({ origin, container, paths }, caller) {
      return reserve(await holderOf(caller.workspace, origin, container), paths, caller);
    },
    async listContainerArtifacts({ origin, container, continuation_token }, { workspace }) {
      const own = `/artifacts/${encodeURIComponent(origin)}/${encodeURIComponent(container)}`;
      const link = `/artifact/v2.0${workspaceScope(workspace)}${own}`;
      return await list(await holderOf(workspace, origin, container), link, continuation_token);
    },
    async getContainerArtifactContent({ origin, container, path }, caller) {
      return await content(await holderOf(caller.workspace, origin, container), path, caller);
    },
    async getContainerArtifactMetadata({ origin, container, path }, { workspace }) {
      return await metadata(await holderOf(workspace, origin, container), path);
    },
  };
}

const mostPaths = 10_000;
