import { Type, type Static } from 'typebox';
import { readRuns, writeRuns } from './artifacts.ts';
import { endpoint } from './endpoint.ts';
import { Int64, List, Text, TextMap } from './scalars.ts';

/** Transfers between a client and the store behind the server, which signs the requests and sees no bytes. */

export const MultipartUploadCredential = Type.Object({
  url: Text(),
  part_number: Int64(),
  headers: Type.Optional(TextMap()),
});
export type MultipartUploadCredential = Static<typeof MultipartUploadCredential>;

export const MultipartUploadPart = Type.Object({
  part_number: Int64(),
  etag: Type.Optional(Text()),
  url: Type.Optional(Text()),
});
export type MultipartUploadPart = Static<typeof MultipartUploadPart>;

/** *Clients send the file's path on their own machine: its last segment names the file.* */
const path = Text({ description: "the file's name; of a path, its last segment" });
const artifact_path = Text({ description: 'the folder' });

export const directTransfers = {
  createMultipartUpload: endpoint({
    summary: 'Begin an upload in parts, each of which goes to the store by a URL of its own.',
    method: 'POST',
    path: '/2.0/mlflow-artifacts/mpu/create/{*artifact_path}',
    actions: writeRuns,
    input: Type.Object({ artifact_path, path, num_parts: Type.Optional(Int64({ default: 1 })) }),
    output: Type.Object({ upload_id: Text(), credentials: List(MultipartUploadCredential) }),
  }),
  completeMultipartUpload: endpoint({
    summary: 'Show the parts of an upload as one file, once all have arrived.',
    method: 'POST',
    path: '/2.0/mlflow-artifacts/mpu/complete/{*artifact_path}',
    actions: writeRuns,
    input: Type.Object({ artifact_path, path, upload_id: Text(), parts: List(MultipartUploadPart) }),
    output: Type.Object({}),
  }),
  abortMultipartUpload: endpoint({
    summary: 'Give up an upload in parts.',
    method: 'POST',
    path: '/2.0/mlflow-artifacts/mpu/abort/{*artifact_path}',
    actions: writeRuns,
    input: Type.Object({ artifact_path, path, upload_id: Text() }),
    output: Type.Object({}),
  }),
  getPresignedDownloadUrl: endpoint({
    summary: "Get a URL by which the store itself hands out a file below the workspace's artifact root.",
    method: 'GET',
    path: '/2.0/mlflow-artifacts/presigned/{*artifact_path}',
    actions: readRuns,
    input: Type.Object({ artifact_path: Text() }),
    output: Type.Object({ url: Text(), headers: TextMap(), file_size: Int64() }),
  }),
  createPresignedUploadUrl: endpoint({
    summary: 'Get a URL by which the store itself takes a file of a run or a logged model.',
    method: 'POST',
    path: '/2.0/mlflow/artifacts/presigned-upload-url',
    actions: writeRuns,
    input: Type.Object({
      run_id: Type.Optional(Text()),
      model_id: Type.Optional(Text()),
      path: Text(),
      expiration: Type.Optional(Int64({ default: 900 })),
    }),
    output: Type.Object({ presigned_url: Text(), headers: TextMap() }),
  }),
  createPresignedDownloadUrl: endpoint({
    summary: 'Get a URL by which the store itself hands out a file of a run.',
    method: 'POST',
    path: '/2.0/mlflow/artifacts/presigned-download-url',
    actions: readRuns,
    input: Type.Object({ run_id: Text(), path: Text(), expiration: Type.Optional(Int64({ default: 300 })) }),
    output: Type.Object({ presigned_url: Text(), headers: TextMap(), file_size: Int64() }),
  }),
};
