import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Flag, Int64, List, ProtoEnum, Text } from './scalars.ts';

export const ModelTag = Type.Object({ key: Text(), value: Text() });

/** *MLflow: a tag without a value has the empty one.* A key is checked by its rule, so that its absence names that rule. */
export const GivenModelTag = Type.Object({ key: Type.Optional(Text()), value: Type.Optional(Text()) });

export const ModelVersionStatus = ProtoEnum({ PENDING_REGISTRATION: 1, FAILED_REGISTRATION: 2, READY: 3 });

export const ModelVersion = Type.Object({
  name: Text(),
  version: Text({ description: 'a number that counts from 1 within the model and is never given out again' }),
  creation_timestamp: Int64(),
  last_updated_timestamp: Int64(),
  user_id: Type.Optional(Text({ description: 'who created it' })),
  current_stage: Text({ description: 'None, Staging, Production or Archived' }),
  description: Type.Optional(Text()),
  source: Text(),
  run_id: Text(),
  status: ModelVersionStatus,
  status_message: Type.Optional(Text()),
  tags: Type.Optional(List(ModelTag)),
  run_link: Text(),
  aliases: Type.Optional(List(Text())),
  model_id: Type.Optional(Text()),
});
export type ModelVersion = Static<typeof ModelVersion>;

const Empty = Type.Object({});
const Answer = Type.Object({ model_version: ModelVersion });

const read = ['models/versions/read', 'models/read'] as const;
const write = ['models/versions/write', 'models/write'] as const;

export const modelVersions = {
  createModelVersion: endpoint({
    summary: 'Create the next version of a registered model.',
    method: 'POST',
    path: '/2.0/mlflow/model-versions/create',
    actions: write,
    input: Type.Object({
      name: Text(),
      source: Text(),
      run_id: Type.Optional(Text()),
      tags: Type.Optional(List(GivenModelTag)),
      run_link: Type.Optional(Text()),
      description: Type.Optional(Text()),
      model_id: Type.Optional(Text()),
    }),
    output: Answer,
  }),
  updateModelVersion: endpoint({
    summary: 'Change the description of a version; without one, it is removed.',
    method: 'PATCH',
    path: '/2.0/mlflow/model-versions/update',
    actions: write,
    input: Type.Object({ name: Text(), version: Text(), description: Type.Optional(Text()) }),
    output: Answer,
  }),
  transitionModelVersionStage: endpoint({
    summary: 'Move a version to another stage and, if asked, archive the others there.',
    method: 'POST',
    path: '/2.0/mlflow/model-versions/transition-stage',
    actions: write,
    input: Type.Object({
      name: Text(),
      version: Text(),
      stage: Text(),
      archive_existing_versions: Type.Optional(Flag()),
    }),
    output: Answer,
  }),
  deleteModelVersion: endpoint({
    summary: 'Delete a version, with its tags and the aliases that name it; its number is not given out again.',
    method: 'DELETE',
    path: '/2.0/mlflow/model-versions/delete',
    actions: ['models/versions/delete', 'models/delete'],
    input: Type.Object({ name: Text(), version: Text() }),
    output: Empty,
  }),
  getModelVersion: endpoint({
    summary: 'Get a version with its tags and aliases.',
    method: 'GET',
    path: '/2.0/mlflow/model-versions/get',
    actions: read,
    input: Type.Object({ name: Text(), version: Text() }),
    output: Answer,
  }),
  searchModelVersions: endpoint({
    summary:
      'Search the versions of all registered models; those of prompts are left out unless the filter names their tag.',
    method: 'GET',
    path: '/2.0/mlflow/model-versions/search',
    actions: read,
    input: Type.Object({
      filter: Type.Optional(Text()),
      max_results: Type.Optional(Int64({ default: 10_000 })),
      order_by: Type.Optional(List(Text())),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({
      model_versions: Type.Optional(List(ModelVersion)),
      next_page_token: Type.Optional(Text()),
    }),
  }),
  getModelVersionDownloadUri: endpoint({
    summary: 'Get where the files of a version lie.',
    method: 'GET',
    path: '/2.0/mlflow/model-versions/get-download-uri',
    actions: read,
    input: Type.Object({ name: Text(), version: Text() }),
    output: Type.Object({ artifact_uri: Text() }),
  }),
  setModelVersionTag: endpoint({
    summary: 'Set a tag of a version.',
    method: 'POST',
    path: '/2.0/mlflow/model-versions/set-tag',
    actions: write,
    input: Type.Object({ name: Text(), version: Text(), key: Text(), value: Type.Optional(Text()) }),
    output: Empty,
  }),
  deleteModelVersionTag: endpoint({
    summary: 'Delete a tag of a version; one that is not there is deleted already.',
    method: 'DELETE',
    path: '/2.0/mlflow/model-versions/delete-tag',
    actions: write,
    input: Type.Object({ name: Text(), version: Text(), key: Text() }),
    output: Empty,
  }),
};
