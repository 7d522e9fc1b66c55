import { blobTransfers, invalidParameter, MlflowError, type runHistory } from '@lazuli/contract';
import { actingFor } from '../access/acting-for.ts';
import type { Caller, Handlers } from '../access/caller.ts';
import { workspaceScope } from '../access/scope.ts';
import { filePath, joinPaths } from '../artifact-store/artifact-path.ts';
import { holderOf, holderOfRun, type ArtifactHolder, type HolderRoom } from './artifact-holders.ts';
import { pageOfFiles } from './artifact-walk.ts';
import type { BlobCapabilities, BlobPermission } from './blob-capability.ts';
import { originOf } from './own-host.ts';

/**
 * The run history and artifact services. They carry no bytes: they tell which artifacts there are, and hand out signed URLs
 * to read and to write them.
 */
export interface RunHistoryRoom extends HolderRoom {
  readonly capabilities: BlobCapabilities;
  readonly now: () => number;
  /** Where clients reach this server by https. */
  readonly origin: () => string;
}

const pageSize = 5_000;

export function runHistoryHandlers(room: RunHistoryRoom): Handlers<typeof runHistory> {
  function contentOf({ origin, container }: ArtifactHolder, path: string, permission: BlobPermission, caller: Caller) {
    const place = { workspaceGuid: caller.workspace.guid, path: [origin, container, filePath(path)].join('/') };
    const query = room.capabilities.sign(place, permission, actingFor(caller.principal));
    const encoded = place.path.split('/').map(encodeURIComponent).join('/');
    const contentUri = `${originOf(caller.workspace, room.origin())}${blobTransfers.path}/${place.workspaceGuid}/${encoded}?${query}`;
    return { contentUri, origin, container, path };
  }

  function metadataOf({ origin, container }: ArtifactHolder, path: string, createdMs: number) {
    const artifactId = `${origin}/${container}/${path}`;
    const dataPath = { dataStoreName: 'workspaceartifactstore', relativePath: artifactId };
    return { artifactId, origin, container, path, createdTime: new Date(createdMs).toISOString(), dataPath };
  }

  function reserve(holder: ArtifactHolder, paths: readonly { readonly path: string }[], caller: Caller) {
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

  async function list(holder: ArtifactHolder, link: string, token: string | undefined) {
    const { origin, container, files, folder } = holder;
    const after = token === undefined || token === '' ? undefined : filePath(token);
    const { paths, next } = await pageOfFiles(files, folder, { limit: pageSize, after });
    const value = paths.map((path) => ({ artifactId: `${origin}/${container}/${path}`, origin, container, path }));
    if (next === undefined) return { value };
    const query = new URLSearchParams({ continuationToken: next }).toString();
    return { value, continuationToken: next, nextLink: `${link}?${query}` };
  }

  async function found(holder: ArtifactHolder, path: string): Promise<number> {
    const stat = await holder.files.stat(joinPaths(holder.folder, filePath(path)));
    if (stat?.kind === 'file') return stat.modifiedMs;
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `No such artifact: '${path}'`);
  }

  async function content(holder: ArtifactHolder, path: string, caller: Caller) {
    await found(holder, path);
    return contentOf(holder, path, 'r', caller);
  }

  async function metadata(holder: ArtifactHolder, path: string) {
    return metadataOf(holder, path, await found(holder, path));
  }

  return {
    async reserveRunArtifacts({ run_id, paths }, caller) {
      return reserve(await holderOfRun(room, caller.workspace, run_id), paths, caller);
    },
    async listRunArtifacts({ experiment, run_id, continuation_token }, { workspace }) {
      const own = `/experiments/${encodeURIComponent(experiment)}/runs/${encodeURIComponent(run_id)}/artifacts`;
      const link = `${originOf(workspace, room.origin())}/history/v1.0${workspaceScope(workspace)}${own}`;
      return await list(await holderOfRun(room, workspace, run_id), link, continuation_token);
    },
    async getRunArtifactContent({ run_id, path }, caller) {
      return await content(await holderOfRun(room, caller.workspace, run_id), path, caller);
    },
    async getRunArtifactMetadata({ run_id, path }, { workspace }) {
      return await metadata(await holderOfRun(room, workspace, run_id), path);
    },
    async reserveContainerArtifacts({ origin, container, paths }, caller) {
      return reserve(await holderOf(room, caller.workspace, { origin, container }), paths, caller);
    },
    async listContainerArtifacts({ origin, container, continuation_token }, { workspace }) {
      const own = `/artifacts/${encodeURIComponent(origin)}/${encodeURIComponent(container)}`;
      const link = `${originOf(workspace, room.origin())}/artifact/v2.0${workspaceScope(workspace)}${own}`;
      return await list(await holderOf(room, workspace, { origin, container }), link, continuation_token);
    },
    async getContainerArtifactContent({ origin, container, path }, caller) {
      return await content(await holderOf(room, caller.workspace, { origin, container }), path, caller);
    },
    async getContainerArtifactMetadata({ origin, container, path }, { workspace }) {
      return await metadata(await holderOf(room, workspace, { origin, container }), path);
    },
  };
}

const mostPaths = 10_000;
