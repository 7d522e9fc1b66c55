import { invalidParameter, missing, MlflowError } from '@lazuli/contract';
import type { Caller, WorkspaceRef } from '../access/caller.ts';
import { filePath, folderPath, joinPaths, rootPath, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { ByteRange, OpenArtifact, ReadableArtifacts, TakeBytes } from '../artifact-store/artifact-store.ts';
import { isFolder } from '../artifact-store/storage-error.ts';
import { checkedBody } from './checked-body.ts';
import type { DigestAlgorithm } from './digest-fields.ts';
import { createDigestReader, type ReadDigest } from './digest-reader.ts';
import { folderArchive } from './folder-archive.ts';
import { folderOfUri, workspaceFolder } from './artifact-folders.ts';
import type { ArtifactRoom } from './artifact-handlers.ts';
import type { Download, Wanted } from './download.ts';
import { requestedRange } from './byte-range.ts';
import { servedFileHeaders } from './served-file.ts';
import { someBytes, wholeBody, type UploadBody } from './upload-body.ts';

/** Transfers of files, by the names of the contract: what the routes for bytes hand over to. */
export interface ArtifactTransfers {
  readonly downloads: Readonly<Record<DownloadName, DownloadHandler>>;
  readonly uploads: Readonly<Record<UploadName, UploadHandler>>;
}

type DownloadName =
  | 'downloadArtifact'
  | 'downloadRunFile'
  | 'downloadModelFile'
  | 'downloadVersionFile'
  | 'downloadArchive'
  | 'downloadVersionArchive';
type UploadName = 'uploadArtifact' | 'uploadRunFile';

type DownloadHandler = (caller: Caller, fields: TransferFields, wanted: Wanted) => Promise<Download>;
/** Gives the value of `Repr-Digest` for what is stored now, where the request asks for it. */
type UploadHandler = (caller: Caller, fields: TransferFields, body: UploadBody) => Promise<string | undefined>;

/** What stands in the path and in the query, decoded once. */
export type TransferFields = Readonly<Record<string, string | undefined>>;

type Find = () => Promise<{ readonly artifact_uri: string }>;

/** *MLflow: 10 MB by `upload-artifact`, which its pages use; clients upload through the proxy, without a limit.* */
const maxRunFileBytes = 10 * 1024 * 1024;

export function artifactTransfers(room: ArtifactRoom): ArtifactTransfers {
  const readDigest = createDigestReader();
  const downloadAt = async (
    workspace: WorkspaceRef,
    { path, find, wanted }: { path: string; find: Find; wanted: Wanted },
  ): Promise<Download> => {
    // A path that is none is told before an owner that is none.
    const below = folderPath(path);
    const { artifact_uri } = await find();
    const { files, folder } = await folderOfUri(room, workspace, artifact_uri);
    return await download(files, joinPaths(folder, below), { named: path, wanted, readDigest });
  };
  const archiveAt = async (
    workspace: WorkspaceRef,
    { path = '', find, name, wanted }: { path: string | undefined; find: Find; name: string; wanted: Wanted },
  ): Promise<Download> => {
    const below = folderPath(path);
    const { artifact_uri } = await find();
    const { files, folder } = await folderOfUri(room, workspace, artifact_uri);
    return await folderArchive(files, { folder: joinPaths(folder, below), below, name, part: wanted.part });
  };

  const downloads: ArtifactTransfers['downloads'] = {
    async downloadArtifact({ workspace }, { artifact_path: path = '' }, wanted) {
      const file = path === '' ? rootPath : folderPath(path);
      return await download(workspaceFolder(room, workspace), file, { named: path, wanted, readDigest });
    },

    async downloadRunFile({ workspace }, { run_id, run_uuid, path }, wanted) {
      const runId = run_id ?? run_uuid;
      if (!runId) throw missing('run_id');
      if (path === undefined) throw missing('path');
      return await downloadAt(workspace, { path, find: () => room.findRun(workspace, runId), wanted });
    },

    async downloadModelFile({ workspace }, { model_id = '', artifact_file_path: path }, wanted) {
      if (!path) {
        throw new MlflowError('BAD_REQUEST', 'Request must include the "artifact_file_path" query parameter.');
      }
      return await downloadAt(workspace, { path, find: () => room.findModel(workspace, model_id), wanted });
    },

    async downloadVersionFile({ workspace }, { name, version, path }, wanted) {
      if (!name) throw missing('name');
      if (!version) throw missing('version');
      if (path === undefined) throw missing('path');
      return await downloadAt(workspace, { path, find: () => room.findVersion(workspace, name, version), wanted });
    },

    async downloadArchive({ workspace }, { run_id, model_id, path }, wanted) {
      if (Boolean(run_id) === Boolean(model_id)) {
        throw invalidParameter('Exactly one of run_id and model_id must be provided.');
      }
      const find: Find = () => (run_id ? room.findRun(workspace, run_id) : room.findModel(workspace, model_id ?? ''));
      return await archiveAt(workspace, { path, find, name: run_id || (model_id ?? ''), wanted });
    },

    async downloadVersionArchive({ workspace }, { name, version, path }, wanted) {
      if (!name) throw missing('name');
      if (!version) throw missing('version');
      const find: Find = () => room.findVersion(workspace, name, version);
      return await archiveAt(workspace, { path, find, name: `${name}-${version}`, wanted });
    },
  };

  const uploads: ArtifactTransfers['uploads'] = {
    async uploadArtifact({ workspace }, { artifact_path = '' }, body) {
      const { content, stored } = checkedBody(wholeBody(body), body.digests, artifact_path);
      await workspaceFolder(room, workspace).put(filePath(artifact_path), content, body.length);
      return stored();
    },

    async uploadRunFile({ workspace }, { run_uuid, path }, body) {
      if (!run_uuid) throw invalidParameter('Request must specify run_uuid.');
      if (!path) throw invalidParameter('Request must specify path.');
      const below = filePath(path);
      if (body.length === 0) throw noData();
      if (body.length !== undefined && body.length > maxRunFileBytes) {
        throw invalidParameter('Artifact size is too large. Max size is 10MB.');
      }
      const { artifact_uri } = await room.findRun(workspace, run_uuid);
      const place = await folderOfUri(room, workspace, artifact_uri);
      const given = someBytes(wholeBody({ ...body, maxBytes: maxRunFileBytes }), noData);
      const { content, stored } = checkedBody(given, body.digests, path);
      await (await place.writable()).put(joinPaths(place.folder, below), content, body.length);
      return stored();
    },
  };
  return { downloads, uploads };
}

function noData(): MlflowError {
  return invalidParameter('Request must specify data.');
}

/** Opens a file for what is wanted of it; errors call it as its caller did. */
export async function download(
  files: ReadableArtifacts,
  path: ArtifactPath,
  {
    named,
    wanted,
    readDigest,
  }: { readonly named: string; readonly wanted: Wanted; readonly readDigest?: ReadDigest | undefined },
): Promise<Download> {
  const file = path === rootPath ? undefined : await files.open(path);
  if (file === undefined) {
    const isThere = path === rootPath || (await files.stat(path)) !== undefined;
    throw isThere ? isFolder(named) : new MlflowError('RESOURCE_DOES_NOT_EXIST', `No such artifact: '${named}'`);
  }
  const answer = answerFor(file, path, wanted);
  if (answer.sendTo === undefined) await file.close();
  if (readDigest === undefined || (wanted.reprDigest ?? wanted.contentDigest) === undefined) return answer;
  try {
    const read = (algorithm: DigestAlgorithm | undefined, range?: ByteRange): Promise<string | undefined> | undefined =>
      algorithm && readDigest(files, path, { version: file.version, algorithm, range });
    return await withDigests(answer, wanted, read);
  } catch (error) {
    if (answer.sendTo !== undefined) await file.close();
    throw error;
  }
}

/** Where an answer has no content, it has no digest either. */
async function withDigests(
  answer: Answer,
  { reprDigest, contentDigest }: Wanted,
  read: (algorithm: DigestAlgorithm | undefined, range?: ByteRange) => Promise<string | undefined> | undefined,
): Promise<Download> {
  if (answer.status !== 200 && answer.status !== 206) return answer;
  const ofFile = await read(reprDigest);
  const isSame = answer.range === undefined && contentDigest === reprDigest;
  const ofContent = isSame ? ofFile : await read(contentDigest, answer.range);
  const headers = {
    ...answer.headers,
    ...(ofFile === undefined ? {} : { 'repr-digest': ofFile }),
    ...(ofContent === undefined ? {} : { 'content-digest': ofContent }),
  };
  return { ...answer, headers };
}

interface Answer extends Download {
  /** What a 206 has of the file. */
  readonly range?: ByteRange;
}

/** The preconditions in the order of RFC 9110, section 13.2.2. */
function answerFor(file: OpenArtifact, path: ArtifactPath, wanted: Wanted): Answer {
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
  return { status: 206, headers: { ...headers, ...part }, sendTo, range };
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
