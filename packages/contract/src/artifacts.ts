import { Type, type Static } from 'typebox';
import { endpoint, type Route } from './endpoint.ts';
import { Int64, List, Text } from './scalars.ts';

export const FileInfo = Type.Object({
  path: Text(),
  is_dir: Type.Boolean(),
  file_size: Type.Optional(Int64()),
});
export type FileInfo = Static<typeof FileInfo>;

export const readRuns = ['experiments/runs/read', 'jobs/read', 'metadata/artifacts/read'] as const;
export const writeRuns = ['experiments/runs/write', 'jobs/write', 'metadata/artifacts/write'] as const;

export const artifacts = {
  listArtifacts: endpoint({
    summary: "List a folder of a run's artifacts.",
    method: 'GET',
    path: '/2.0/mlflow/artifacts/list',
    actions: readRuns,
    input: Type.Object({
      run_id: Type.Optional(Text()),
      run_uuid: Type.Optional(Text()),
      path: Type.Optional(Text()),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({
      root_uri: Text(),
      files: Type.Optional(List(FileInfo)),
      next_page_token: Type.Optional(Text()),
    }),
  }),
  listProxiedArtifacts: endpoint({
    summary: "List a folder below the workspace's artifact root.",
    method: 'GET',
    path: '/2.0/mlflow-artifacts/artifacts',
    actions: readRuns,
    input: Type.Object({ path: Type.Optional(Text()) }),
    output: Type.Object({ files: Type.Optional(List(FileInfo)) }),
  }),
  deleteProxiedArtifacts: endpoint({
    summary: "Delete a file or folder below the workspace's artifact root.",
    method: 'DELETE',
    path: '/2.0/mlflow-artifacts/artifacts/{*artifact_path}',
    actions: ['experiments/runs/delete', 'jobs/delete', 'metadata/artifacts/delete'],
    input: Type.Object({ artifact_path: Text() }),
    output: Type.Object({}),
  }),
};

/**
 * Transfers carry bytes, not messages: the server serves them by its own routes. They are listed here for access and
 * documentation. `{*artifact_path}` is the rest of the path.
 */
export interface Transfer {
  readonly summary: string;
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  /** Default: `['/api', '/ajax-api']`. */
  readonly prefixes?: readonly string[];
  /** The fields of the query. */
  readonly query?: readonly string[];
  readonly actions: readonly [string, ...string[]];
}

/** The routes of a transfer, under each of its prefixes. */
export function transferRoutes({ method, path, prefixes = ['/api', '/ajax-api'] }: Transfer): Route[] {
  return prefixes.map((prefix) => ({ method, path: prefix + path }));
}

const readVersions = ['models/read', 'models/versions/read'] as const;

export const transfers = {
  downloadArtifact: {
    summary:
      "Download a file below the workspace's artifact root; takes Range, If-None-Match, If-Range and Want-Repr-Digest.",
    method: 'GET',
    path: '/2.0/mlflow-artifacts/artifacts/{*artifact_path}',
    actions: readRuns,
  },
  uploadArtifact: {
    summary:
      "Upload a file below the workspace's artifact root; the body is the file; takes Repr-Digest and Want-Repr-Digest.",
    method: 'PUT',
    path: '/2.0/mlflow-artifacts/artifacts/{*artifact_path}',
    actions: writeRuns,
  },
  downloadRunFile: {
    summary: "Download a file of a run's artifacts; takes Range, If-None-Match, If-Range and Want-Repr-Digest.",
    method: 'GET',
    path: '/get-artifact',
    prefixes: [''],
    query: ['run_id', 'run_uuid', 'path'],
    actions: readRuns,
  },
  uploadRunFile: {
    summary: 'Upload a file of at most 10 MB to the artifacts of a run; the body is the file; takes Repr-Digest.',
    method: 'POST',
    path: '/2.0/mlflow/upload-artifact',
    prefixes: ['/ajax-api'],
    query: ['run_uuid', 'path'],
    actions: writeRuns,
  },
  downloadModelFile: {
    summary:
      'Download a file of a logged model, `artifact_file_path`; takes Range, If-None-Match, If-Range and Want-Repr-Digest.',
    method: 'GET',
    path: '/2.0/mlflow/logged-models/{model_id}/artifacts/files',
    prefixes: ['/ajax-api'],
    query: ['artifact_file_path'],
    actions: readRuns,
  },
  downloadVersionFile: {
    summary:
      'Download a file of a version of a registered model; takes Range, If-None-Match, If-Range and Want-Repr-Digest.',
    method: 'GET',
    path: '/model-versions/get-artifact',
    prefixes: [''],
    query: ['name', 'version', 'path'],
    actions: readVersions,
  },
  downloadArchive: {
    summary: 'Download a folder of the artifacts of a run or a logged model as a zip archive.',
    method: 'GET',
    path: '/api/lazuli/1.0/artifacts/archive',
    prefixes: [''],
    query: ['run_id', 'model_id', 'path'],
    actions: readRuns,
  },
  downloadVersionArchive: {
    summary: 'Download a folder of a version of a registered model as a zip archive.',
    method: 'GET',
    path: '/api/lazuli/1.0/model-versions/archive',
    prefixes: [''],
    query: ['name', 'version', 'path'],
    actions: readVersions,
  },
} as const satisfies Record<string, Transfer>;

/**
 * Where signed URLs lead to. *Azure's clients take an URL for one of storage by the suffix of their cloud, which has to be
 * somewhere in it: all of them are.* The URL carries who may do what in its signature.
 */
export const blobTransfers = {
  path: '/a.blob.core.windows.net/a.blob.core.chinacloudapi.cn/a.blob.core.usgovcloudapi.net/a.blob.core.cloudapi.de/a.blob.core.local',
  download: { method: 'GET', actions: readRuns },
  upload: { method: 'PUT', actions: writeRuns },
} as const;
