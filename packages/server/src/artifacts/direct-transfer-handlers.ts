import {
  invalidParameter,
  missing,
  MlflowError,
  type directTransfers,
  type MultipartUploadPart,
} from '@lazuli/contract';
import type { Handlers, WorkspaceRef } from '../access/caller.ts';
import { filePath, folderPath, joinPaths, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { DirectTransfers, ReadableArtifacts, UploadedPart } from '../artifact-store/artifact-store.ts';
import { isFolder } from '../artifact-store/storage-error.ts';
import { directOf, folderOfUri, workspaceFolder } from './artifact-folders.ts';
import type { ArtifactRoom } from './artifact-handlers.ts';

/**
 * Sends clients to the store itself, where it can sign requests: an upload in parts, or one URL for a whole file. What a
 * client may reach is decided here; a signed request is good for one file and for a while.
 *
 * The id of an upload says how many parts it has, because completing one of which a part is missing would show a file
 * with a hole: *Azure commits whatever blocks it is told*.
 */
export function directTransferHandlers(room: ArtifactRoom): Handlers<typeof directTransfers> {
  /** *MLflow: the address names the folder, the body the file.* */
  const uploadOf = (workspace: WorkspaceRef, { artifact_path, path }: { artifact_path: string; path: string }) => {
    // A path of the client's machine, which may be one of Windows.
    const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
    const file = joinPaths(folderPath(artifact_path), filePath(name));
    const direct = directOf(room, workspaceFolder(room, workspace)) ?? refuse('Multipart upload');
    return { direct, file };
  };

  return {
    async createMultipartUpload({ num_parts = 1, ...named }, { workspace }) {
      const { direct, file } = uploadOf(workspace, named);
      const count = Number(num_parts);
      if (!(count >= 1 && count <= maxParts)) {
        throw invalidParameter(
          `Invalid value ${num_parts} for parameter 'num_parts': an upload has 1 to ${maxParts} parts`,
        );
      }
      const { uploadId, parts } = await direct.createUpload(file, count, uploadSeconds);
      const credentials = parts.map(({ url, headers }, index) => ({ url, part_number: index + 1, headers }));
      return { upload_id: `${count}.${uploadId}`, credentials };
    },

    async completeMultipartUpload({ upload_id, parts, ...named }, { workspace }) {
      const { direct, file } = uploadOf(workspace, named);
      const { count, uploadId } = readUploadId(upload_id);
      await direct.completeUpload(file, uploadId, inOrder(parts, count));
      return {};
    },

    async abortMultipartUpload({ upload_id, ...named }, { workspace }) {
      const { direct, file } = uploadOf(workspace, named);
      await direct.abortUpload(file, readUploadId(upload_id).uploadId);
      return {};
    },

    async getPresignedDownloadUrl({ artifact_path }, { workspace }) {
      const file = folderPath(artifact_path);
      const files = workspaceFolder(room, workspace);
      const direct = directOf(room, files) ?? refuse('Presigned download');
      return await signedDownload(files, direct, { file, named: artifact_path, seconds: 300 });
    },

    async createPresignedUploadUrl({ run_id, model_id, path, expiration = 900 }, { workspace }) {
      if (Boolean(run_id) === Boolean(model_id)) {
        throw invalidParameter('Exactly one of run_id and model_id must be provided.');
      }
      const below = filePath(path);
      const seconds = readExpiration(expiration);
      const { artifact_uri } = run_id
        ? await room.findRun(workspace, run_id)
        : await room.findModel(workspace, model_id ?? '');
      const { direct, folder } = await folderOfUri(room, workspace, artifact_uri);
      if (direct === undefined) return refuse('Presigned upload');
      const { url, headers } = await direct.signedUpload(joinPaths(folder, below), seconds);
      return { presigned_url: url, headers };
    },

    async createPresignedDownloadUrl({ run_id, path, expiration = 300 }, { workspace }) {
      if (run_id === '') throw missing('run_id');
      const below = folderPath(path);
      const seconds = readExpiration(expiration);
      const { artifact_uri } = await room.findRun(workspace, run_id);
      const { files, direct, folder } = await folderOfUri(room, workspace, artifact_uri);
      if (direct === undefined) return refuse('Presigned download');
      const file = joinPaths(folder, below);
      const { url, ...rest } = await signedDownload(files, direct, { file, named: path, seconds });
      return { presigned_url: url, ...rest };
    },
  };
}

/** S3's own limit. */
const maxParts = 10_000;

/** *MLflow: an hour for an upload in parts.* */
const uploadSeconds = 3_600;

/** *Clients send the file through the server where a message begins like this.* */
function refuse(what: string): never {
  throw new MlflowError('NOT_IMPLEMENTED', `${what} is not supported for the current artifact repository`);
}

/** *MLflow: stores sign for a week at most.* */
function readExpiration(given: number | bigint): number {
  const seconds = Number(given);
  if (seconds >= 1 && seconds <= 604_800) return seconds;
  throw invalidParameter(`expiration must be between 1 and 604800 seconds (got ${given}).`);
}

function readUploadId(text: string): { count: number; uploadId: string } {
  const [, count, uploadId] = /^([1-9]\d{0,4})\.(.{1,2000})$/.exec(text) ?? [];
  if (uploadId === undefined) throw invalidParameter(`There is no upload '${text.slice(0, 100)}'`);
  return { count: Number(count), uploadId };
}

/** All parts of an upload, each once. */
function inOrder(given: readonly MultipartUploadPart[], count: number): UploadedPart[] {
  const parts = new Map<number, UploadedPart>();
  for (const { part_number, etag = '' } of given) {
    const number = Number(part_number);
    if (!(number >= 1 && number <= count))
      throw invalidParameter(`The upload has ${count} parts, and no part ${number}`);
    if (parts.has(number)) throw invalidParameter(`Part ${number} is named twice`);
    parts.set(number, { number, etag });
  }
  return Array.from({ length: count }, (_, index) => {
    const part = parts.get(index + 1);
    if (part === undefined) throw invalidParameter(`Part ${index + 1} of ${count} is missing`);
    return part;
  });
}

async function signedDownload(
  files: ReadableArtifacts,
  direct: DirectTransfers,
  { file, named, seconds }: { file: ArtifactPath; named: string; seconds: number },
) {
  const found = await files.stat(file);
  if (found === undefined) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `No such artifact: '${named}'`);
  if (found.kind === 'folder') throw isFolder(named);
  const { url, headers } = await direct.signedDownload(file, seconds);
  return { url, headers, file_size: found.size };
}
