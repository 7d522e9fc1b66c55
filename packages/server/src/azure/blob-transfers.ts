import { blobTransfers, invalidParameter, MlflowError } from '@lazuli/contract';
import type { Revival } from '../access/acting-for.ts';
import type { Caller, WorkspaceRef } from '../access/caller.ts';
import type { Actions, Decider } from '../access/decide.ts';
import { filePath, joinPaths, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import { download } from '../artifacts/artifact-transfers.ts';
import { checkedBody } from '../artifacts/checked-body.ts';
import type { Download, Wanted } from '../artifacts/download.ts';
import { wholeBody, type UploadBody } from '../artifacts/upload-body.ts';
import { holderOf, type ArtifactHolder, type HolderRoom } from './artifact-holders.ts';
import type { BlobCapabilities, BlobCapability, BlobPermission } from './blob-capability.ts';
import type { BlockStaging } from './block-staging.ts';
import { requireOwnHost } from './own-host.ts';

/**
 * The bytes behind signed URLs, by the rules of Azure's blobs as far as its clients rely on them. A file that is there is
 * replaced, also where the client asks for a new one: *its plugin always does, and what Azure answers breaks
 * mlflow.log_table*.
 */
export interface BlobTransfers {
  get(request: BlobRequest, wanted: Wanted): Promise<Download>;
  put(request: BlobRequest, body: UploadBody): Promise<void>;
  putBlock(request: BlobRequest, blockId: string, body: UploadBody): Promise<void>;
  putBlockList(request: BlobRequest, xml: string): Promise<void>;
}

export interface BlobRequest {
  readonly workspaceGuid: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly host: string | undefined;
  /** Told who calls, as soon as that is known. */
  readonly admitted: (caller: Caller) => void;
}

export interface BlobRoom extends HolderRoom {
  readonly capabilities: BlobCapabilities;
  readonly staging: BlockStaging;
  readonly revival: Revival;
  readonly decider: Pick<Decider, 'decide'>;
  readonly catchUp: () => Promise<void> | undefined;
  readonly findWorkspace: (guid: string) => Promise<WorkspaceRef>;
}

export function createBlobTransfers(room: BlobRoom): BlobTransfers {
  /** The signature first: to whoever has none, nothing is said about what there is. */
  async function admit(
    { workspaceGuid, path, query, host, admitted }: BlobRequest,
    permission: BlobPermission,
    actions: Actions,
  ): Promise<{ caller: Caller; capability: BlobCapability }> {
    const capability = room.capabilities.verify({ workspaceGuid, path }, permission, query);
    await room.catchUp();
    const principal = await room.revival.revive(capability.actingFor);
    const caller = { principal, workspace: await room.findWorkspace(workspaceGuid) };
    admitted(caller);
    requireOwnHost(host, caller.workspace);
    room.decider.decide(caller, actions, 'workspace');
    return { caller, capability };
  }
  const toRead = (request: BlobRequest) => admit(request, 'r', blobTransfers.download.actions);
  const toWrite = (request: BlobRequest) => admit(request, 'cw', blobTransfers.upload.actions);

  /** The signature has been checked, so this is what the server wrote. */
  async function fileOf({ workspace }: Caller, { path }: BlobRequest): Promise<[ArtifactHolder, ArtifactPath]> {
    const [origin = '', container = '', ...rest] = path.split('/');
    const holder = await holderOf(room, workspace, { origin, container });
    return [holder, joinPaths(holder.folder, filePath(rest.join('/')))];
  }

  return {
    async get(request, wanted) {
      const { caller } = await toRead(request);
      const [{ files }, path] = await fileOf(caller, request);
      return await download(files, path, { named: request.path, wanted });
    },

    async put(request, body) {
      const { caller } = await toWrite(request);
      const [holder, path] = await fileOf(caller, request);
      await (await holder.writable()).put(path, contentOf(body, request.path), body.length);
    },

    async putBlock(request, blockId, body) {
      const { capability } = await toWrite(request);
      if (blockId === '') throw invalidParameter('A block needs an id.');
      await room.staging.put(capability, blockId, contentOf(body, `block ${blockId}`), body.length);
    },

    async putBlockList(request, xml) {
      const { caller, capability } = await toWrite(request);
      const [holder, path] = await fileOf(caller, request);
      await room.staging.commit(capability, blockIdsOf(xml), { store: await holder.writable(), path });
    },
  };
}

function contentOf(body: UploadBody, name: string): AsyncIterable<Uint8Array> {
  return checkedBody(wholeBody(body), body.digests, name).content;
}

/** *Azure: `<BlockList><Latest>id</Latest>…</BlockList>`; where a block is looked for first makes no difference here.* */
function blockIdsOf(xml: string): string[] {
  if (!/<BlockList\s*(\/>|>)/.test(xml))
    throw new MlflowError('BAD_REQUEST', 'The body is not a list of blocks in XML.');
  return [...xml.matchAll(/<(Latest|Uncommitted|Committed)>([^<]*)<\/\1>/g)].map(([, , id = '']) => id.trim());
}
