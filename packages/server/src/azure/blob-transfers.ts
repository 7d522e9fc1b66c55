import { blobTransfers, invalidParameter, MlflowError } from '@lazuli/contract';
import type { Revival } from '../access/acting-for.ts';
import type { Caller, WorkspaceRef } from '../access/caller.ts';
import type { Actions, Decider } from '../access/decide.ts';
import { filePath } from '../artifact-store/artifact-path.ts';
import { workspaceFolder, type ArtifactPlaces } from '../artifacts/artifact-folders.ts';
import type { ArtifactTransfers } from '../artifacts/artifact-transfers.ts';
import type { Download, Wanted } from '../artifacts/download.ts';
import { wholeBody, type UploadBody } from '../artifacts/upload-body.ts';
import type { BlobCapabilities, BlobCapability, BlobPermission } from './blob-capability.ts';
import type { BlockStaging } from './block-staging.ts';

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
  /** Told who calls, as soon as that is known. */
  readonly admitted: (caller: Caller) => void;
}

export interface BlobRoom extends ArtifactPlaces {
  readonly transfers: ArtifactTransfers;
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
    { workspaceGuid, path, query, admitted }: BlobRequest,
    permission: BlobPermission,
    actions: Actions,
  ): Promise<{ caller: Caller; capability: BlobCapability }> {
    const capability = room.capabilities.verify({ workspaceGuid, path }, permission, query);
    await room.catchUp();
    const principal = await room.revival.revive(capability.actingFor);
    const caller = { principal, workspace: await room.findWorkspace(workspaceGuid) };
    admitted(caller);
    room.decider.decide(caller, actions, 'workspace');
    return { caller, capability };
  }
  const toRead = (request: BlobRequest) => admit(request, 'r', blobTransfers.download.actions);
  const toWrite = (request: BlobRequest) => admit(request, 'cw', blobTransfers.upload.actions);

  return {
    async get(request, wanted) {
      const { caller } = await toRead(request);
      return await room.transfers.downloads.downloadArtifact(caller, { artifact_path: request.path }, wanted);
    },

    async put(request, body) {
      const { caller } = await toWrite(request);
      await room.transfers.uploads.uploadArtifact(caller, { artifact_path: request.path }, body);
    },

    async putBlock(request, blockId, body) {
      const { capability } = await toWrite(request);
      if (blockId === '') throw invalidParameter('A block needs an id.');
      await room.staging.put(capability, blockId, wholeBody(body), body.length);
    },

    async putBlockList(request, xml) {
      const { caller, capability } = await toWrite(request);
      const target = { store: workspaceFolder(room, caller.workspace), path: filePath(request.path) };
      await room.staging.commit(capability, blockIdsOf(xml), target);
    },
  };
}

/** *Azure: `<BlockList><Latest>id</Latest>…</BlockList>`; where a block is looked for first makes no difference here.* */
function blockIdsOf(xml: string): string[] {
  if (!/<BlockList\s*(\/>|>)/.test(xml))
    throw new MlflowError('BAD_REQUEST', 'The body is not a list of blocks in XML.');
  return [...xml.matchAll(/<(Latest|Uncommitted|Committed)>([^<]*)<\/\1>/g)].map(([, , id = '']) => id.trim());
}
