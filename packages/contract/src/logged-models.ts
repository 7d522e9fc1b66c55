import { Type, type Static } from 'typebox';
import { FileInfo } from './artifacts.ts';
import { endpoint } from './endpoint.ts';
import { Metric } from './runs.ts';
import { Flag, Int32, Int64, List, ProtoEnum, Text } from './scalars.ts';

export const LoggedModelStatus = ProtoEnum({
  LOGGED_MODEL_STATUS_UNSPECIFIED: 0,
  LOGGED_MODEL_PENDING: 1,
  LOGGED_MODEL_READY: 2,
  LOGGED_MODEL_UPLOAD_FAILED: 3,
});

export const LoggedModelTag = Type.Object({ key: Text(), value: Text() });
export const LoggedModelParameter = Type.Object({ key: Text(), value: Text() });

/** *MLflow: a param or tag without a value has the empty one.* */
const GivenText = Type.Object({ key: Text(), value: Type.Optional(Text()) });

/** A version of a registered model that a logged model has become. */
export const LoggedModelRegistration = Type.Object({ name: Text(), version: Text() });

/** *MLflow shows a model's type and source run also where they are empty.* */
export const LoggedModelInfo = Type.Object({
  model_id: Text(),
  experiment_id: Text(),
  name: Text(),
  creation_timestamp_ms: Int64(),
  last_updated_timestamp_ms: Int64(),
  artifact_uri: Text(),
  status: LoggedModelStatus,
  model_type: Text({ minLength: 0 }),
  source_run_id: Text({ minLength: 0 }),
  tags: Type.Optional(List(LoggedModelTag)),
  registrations: Type.Optional(List(LoggedModelRegistration)),
});

export const LoggedModel = Type.Object({
  info: LoggedModelInfo,
  data: Type.Object({ params: Type.Optional(List(LoggedModelParameter)), metrics: Type.Optional(List(Metric)) }),
});
export type LoggedModel = Static<typeof LoggedModel>;

const Empty = Type.Object({});
const readModels = ['experiments/runs/read', 'jobs/read'] as const;
const writeModels = ['experiments/runs/write', 'jobs/write'] as const;
const deleteModels = ['experiments/runs/delete', 'jobs/delete'] as const;

export const loggedModels = {
  createLoggedModel: endpoint({
    summary: 'Create a model in an active experiment; its files are uploaded next, then it is finalized.',
    method: 'POST',
    path: '/2.0/mlflow/logged-models',
    actions: writeModels,
    input: Type.Object({
      experiment_id: Text(),
      name: Type.Optional(Text()),
      model_type: Type.Optional(Text()),
      source_run_id: Type.Optional(Text()),
      params: Type.Optional(List(GivenText)),
      tags: Type.Optional(List(GivenText)),
    }),
    output: Type.Object({ model: LoggedModel }),
  }),
  searchLoggedModels: endpoint({
    summary: 'Search the logged models of some experiments by a filter and by datasets, in an order, page by page.',
    method: 'POST',
    path: '/2.0/mlflow/logged-models/search',
    actions: readModels,
    input: Type.Object({
      experiment_ids: Type.Optional(List(Text())),
      filter: Type.Optional(Text()),
      datasets: Type.Optional(
        List(Type.Object({ dataset_name: Type.Optional(Text()), dataset_digest: Type.Optional(Text()) })),
      ),
      max_results: Type.Optional(Int32()),
      order_by: Type.Optional(
        List(
          Type.Object({
            field_name: Type.Optional(Text()),
            ascending: Type.Optional(Flag()),
            dataset_name: Type.Optional(Text()),
            dataset_digest: Type.Optional(Text()),
          }),
        ),
      ),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({ models: Type.Optional(List(LoggedModel)), next_page_token: Type.Optional(Text()) }),
  }),
  getLoggedModel: endpoint({
    summary: 'Get a logged model with its params, tags and metrics; a deleted one with `allow_deleted=true` alone.',
    method: 'GET',
    path: '/2.0/mlflow/logged-models/{model_id}',
    actions: readModels,
    input: Type.Object({ model_id: Text(), allow_deleted: Type.Optional(Text()) }),
    output: Type.Object({ model: LoggedModel }),
  }),
  finalizeLoggedModel: endpoint({
    summary: 'Say what became of the upload of a model: READY or UPLOAD_FAILED.',
    method: 'PATCH',
    path: '/2.0/mlflow/logged-models/{model_id}',
    actions: writeModels,
    input: Type.Object({ model_id: Text(), status: LoggedModelStatus }),
    output: Type.Object({ model: LoggedModel }),
  }),
  deleteLoggedModel: endpoint({
    summary: 'Mark a logged model as deleted; its data stay until they are collected.',
    method: 'DELETE',
    path: '/2.0/mlflow/logged-models/{model_id}',
    actions: deleteModels,
    input: Type.Object({ model_id: Text() }),
    output: Empty,
  }),
  setLoggedModelTags: endpoint({
    summary: 'Set tags of a logged model.',
    method: 'PATCH',
    path: '/2.0/mlflow/logged-models/{model_id}/tags',
    actions: writeModels,
    input: Type.Object({ model_id: Text(), tags: Type.Optional(List(GivenText)) }),
    output: Empty,
  }),
  deleteLoggedModelTag: endpoint({
    summary: 'Delete a tag of a logged model.',
    method: 'DELETE',
    path: '/2.0/mlflow/logged-models/{model_id}/tags/{tag_key}',
    actions: writeModels,
    input: Type.Object({ model_id: Text(), tag_key: Text() }),
    output: Empty,
  }),
  logLoggedModelParams: endpoint({
    summary: 'Log params of a logged model; once written, their values cannot change.',
    method: 'POST',
    path: '/2.0/mlflow/logged-models/{model_id}/params',
    actions: writeModels,
    input: Type.Object({ model_id: Text(), params: Type.Optional(List(GivenText)) }),
    output: Empty,
  }),
  listLoggedModelArtifacts: endpoint({
    summary: "List a folder of a logged model's files.",
    method: 'GET',
    path: '/2.0/mlflow/logged-models/{model_id}/artifacts/directories',
    actions: [...readModels, 'metadata/artifacts/read'],
    input: Type.Object({
      model_id: Text(),
      artifact_directory_path: Type.Optional(Text()),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({
      root_uri: Text(),
      files: Type.Optional(List(FileInfo)),
      next_page_token: Type.Optional(Text()),
    }),
  }),
};
