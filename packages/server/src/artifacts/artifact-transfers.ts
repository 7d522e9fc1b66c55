import { missing, MlflowError } from '@lazuli/contract';
import type { Caller } from '../access/caller.ts';
import { filePath, folderPath, joinPaths, rootPath, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { OpenArtifact, ReadableArtifacts, TakeBytes } from '../artifact-store/artifact-store.ts';
import { isFolder } from '../artifact-store/storage-error.ts';
import { folderOfUri, workspaceFolder } from './artifact-folders.ts';
import type { ArtifactRoom } from './artifact-handlers.ts';
import { requestedRange } from './byte-range.ts';
import { servedFileHeaders } from './served-file.ts';
import { wholeBody, type UploadBody } from './upload-body.ts';

/** Transfers of files: what the routes for bytes hand over to. */
export interface ArtifactTransfers {
  download(caller: Caller, path: string, wanted: Wanted): Promise<Download>;
  downloadOfRun(caller: Caller, runId: string | undefined, path: string | undefined, wanted: Wanted): Promise<Download>;
  downloadOfModel(caller: Caller, modelId: string, path: string | undefined, wanted: Wanted): Promise<Download>;
  upload(caller: Caller, path: string, body: UploadBody): Promise<void>;
}

/** What a request says beside the name: its method and its conditional headers. */
export interface Wanted {
  readonly part: 'headers' | 'content';
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
}

export interface Download {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly headers: Readonly<Record<string, string>>;
  /** Has to be called where it is there: it closes the file. */
  readonly sendTo: ((take: TakeBytes) => Promise<void>) | undefined;
}

export function artifactTransfers(room: ArtifactRoom): ArtifactTransfers {
  return {
    async download({ workspace }, path, wanted) {
      const file = path === '' ? rootPath : folderPath(path);
      return await download(workspaceFolder(room, workspace), file, path, wanted);
    },

    async downloadOfRun({ workspace }, runId, path, wanted) {
      if (!runId) throw missing('run_id');
      if (path === undefined) throw missing('path');
      const below = folderPath(path);
      const { artifact_uri } = await room.findRun(workspace, runId);
      const { files, folder } = await folderOfUri(room, workspace, artifact_uri);
      return await download(files, joinPaths(folder, below), path, wanted);
    },

    async downloadOfModel({ workspace }, modelId, path, wanted) {
      if (!path) {
        throw new MlflowError('BAD_REQUEST', 'Request must include the "artifact_file_path" query parameter.');
      }
      const below = folderPath(path);
      const { artifact_uri } = await room.findModel(workspace, modelId);
      const { files, folder } = await folderOfUri(room, workspace, artifact_uri);
      return await download(files, joinPaths(folder, below), path, wanted);
    },

    async upload({ workspace }, path, body) {
      await workspaceFolder(room, workspace).put(filePath(path), wholeBody(body), body.length);
    },
  };
}

async function download(
  files: ReadableArtifacts,
  path: ArtifactPath,
  named: string,
  wanted: Wanted,
): Promise<Download> {
  const file = path === rootPath ? undefined : await files.open(path);
  if (file === undefined) {
    const isThere = path === rootPath || (await files.stat(path)) !== undefined;
    throw isThere ? isFolder(named) : new MlflowError('RESOURCE_DOES_NOT_EXIST', `No such artifact: '${named}'`);
  }
  const answer = answerFor(file, path, wanted);
  if (answer.sendTo === undefined) await file.close();
  return answer;
}

/** The preconditions in the order of RFC 9110, section 13.2.2. */
function answerFor(file: OpenArtifact, path: ArtifactPath, wanted: Wanted): Download {
  const etag = `"${file.version}"`;
  const lastModified = new Date(file.modifiedMs).toUTCString();
  const validators = { etag, 'last-modified': lastModified, 'accept-ranges': 'bytes' };
  const headers = { ...servedFileHeaders(path), ...validators };
  if (wanted.ifMatch !== undefined && !names(wanted.ifMatch, etag)) return { status: 412, headers, sendTo: undefined };
  if (isUnchanged(wanted, etag, file.modifiedMs)) return { status: 304, headers, sendTo: undefined };

  const isSameFile = wanted.ifRange === undefined || wanted.ifRange === etag;
  const range = isSameFile && wanted.part === 'content' ? requestedRange(wanted.range, file.size) : undefined;
  if (range === 'unsatisfiable') {
    const empty = { 'content-range': `bytes */${file.size}`, 'content-length': '0' };
    return { status: 416, headers: { ...headers, ...empty }, sendTo: undefined };
  }
  const sendTo = wanted.part === 'headers' ? undefined : (take: TakeBytes) => file.sendTo(take, range);
  if (range === undefined) {
    return { status: 200, headers: { ...headers, 'content-length': String(file.size) }, sendTo };
  }
  const part = {
    'content-range': `bytes ${range.start}-${range.end}/${file.size}`,
    'content-length': String(range.end - range.start + 1),
  };
  return { status: 206, headers: { ...headers, ...part }, sendTo };
}

function isUnchanged({ ifNoneMatch, ifModifiedSince }: Wanted, etag: string, modifiedMs: number): boolean {
  if (ifNoneMatch !== undefined) return names(ifNoneMatch, etag);
  // The header counts in seconds.
  return ifModifiedSince !== undefined && Date.parse(ifModifiedSince) >= Math.floor(modifiedMs / 1000) * 1000;
}

/** Whether a list of entity tags has this one. */
function names(list: string, etag: string): boolean {
  const tags = list.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}
