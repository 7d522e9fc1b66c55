import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { GivenModelTag, ModelTag, ModelVersion } from './model-versions.ts';
import { Int64, List, Text } from './scalars.ts';

export const ModelAlias = Type.Object({ alias: Text(), version: Text() });

export const RegisteredModel = Type.Object({
  name: Text(),
  creation_timestamp: Int64(),
  last_updated_timestamp: Int64(),
  user_id: Type.Optional(Text({ description: 'who created it' })),
  description: Type.Optional(Text()),
  latest_versions: Type.Optional(List(ModelVersion)),
  tags: Type.Optional(List(ModelTag)),
  aliases: Type.Optional(List(ModelAlias)),
});
export type RegisteredModel = Static<typeof RegisteredModel>;

const Empty = Type.Object({});
const Answer = Type.Object({ registered_model: RegisteredModel });

const read = ['models/read', 'models/versions/read'] as const;
const write = ['models/write'] as const;

export const registeredModels = {
  createRegisteredModel: endpoint({
    summary: 'Create a registered model; its name is unique in the workspace.',
    method: 'POST',
    path: '/2.0/mlflow/registered-models/create',
    actions: write,
    input: Type.Object({
      name: Text(),
      tags: Type.Optional(List(GivenModelTag)),
      description: Type.Optional(Text()),
    }),
    output: Answer,
  }),
  renameRegisteredModel: endpoint({
    summary: 'Rename a registered model; its versions, tags and aliases stay with it.',
    method: 'POST',
    path: '/2.0/mlflow/registered-models/rename',
    actions: write,
    input: Type.Object({ name: Text(), new_name: Text() }),
    output: Answer,
  }),
  updateRegisteredModel: endpoint({
    summary: 'Change the description of a registered model; without one, it is removed.',
    method: 'PATCH',
    path: '/2.0/mlflow/registered-models/update',
    actions: write,
    input: Type.Object({ name: Text(), description: Type.Optional(Text()) }),
    output: Answer,
  }),
  deleteRegisteredModel: endpoint({
    summary: 'Delete a registered model with its versions, for good.',
    method: 'DELETE',
    path: '/2.0/mlflow/registered-models/delete',
    actions: ['models/delete'],
    input: Type.Object({ name: Text() }),
    output: Empty,
  }),
  getRegisteredModel: endpoint({
    summary: 'Get a registered model with its tags, its aliases and the latest version of each stage.',
    method: 'GET',
    path: '/2.0/mlflow/registered-models/get',
    actions: read,
    input: Type.Object({ name: Text() }),
    output: Answer,
  }),
  searchRegisteredModels: endpoint({
    summary: 'Search registered models by a filter; prompts are left out unless the filter names their tag.',
    method: 'GET',
    path: '/2.0/mlflow/registered-models/search',
    actions: read,
    input: Type.Object({
      filter: Type.Optional(Text()),
      max_results: Type.Optional(Int64({ default: 100 })),
      order_by: Type.Optional(List(Text())),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({
      registered_models: Type.Optional(List(RegisteredModel)),
      next_page_token: Type.Optional(Text()),
    }),
  }),
  getLatestVersions: endpoint({
    summary: 'Get the latest version of each stage, or of the stages named.',
    method: ['POST', 'GET'],
    path: '/2.0/mlflow/registered-models/get-latest-versions',
    actions: read,
    input: Type.Object({ name: Text(), stages: Type.Optional(List(Text())) }),
    output: Type.Object({ model_versions: Type.Optional(List(ModelVersion)) }),
  }),
  setRegisteredModelTag: endpoint({
    summary: 'Set a tag of a registered model.',
    method: 'POST',
    path: '/2.0/mlflow/registered-models/set-tag',
    actions: write,
    input: Type.Object({ name: Text(), key: Text(), value: Type.Optional(Text()) }),
    output: Empty,
  }),
  deleteRegisteredModelTag: endpoint({
    summary: 'Delete a tag of a registered model; one that is not there is deleted already.',
    method: 'DELETE',
    path: '/2.0/mlflow/registered-models/delete-tag',
    actions: write,
    input: Type.Object({ name: Text(), key: Text() }),
    output: Empty,
  }),
  setRegisteredModelAlias: endpoint({
    summary: 'Let an alias name a version; one that names another version is moved.',
    method: 'POST',
    path: '/2.0/mlflow/registered-models/alias',
    actions: write,
    input: Type.Object({ name: Text(), alias: Text(), version: Text() }),
    output: Empty,
  }),
  deleteRegisteredModelAlias: endpoint({
    summary: 'Delete an alias; one that is not there is deleted already.',
    method: 'DELETE',
    path: '/2.0/mlflow/registered-models/alias',
    actions: write,
    input: Type.Object({ name: Text(), alias: Text() }),
    output: Empty,
  }),
  getModelVersionByAlias: endpoint({
    summary: 'Get the version that an alias names; `latest` names the one with the highest number.',
    method: 'GET',
    path: '/2.0/mlflow/registered-models/alias',
    actions: read,
    input: Type.Object({ name: Text(), alias: Text() }),
    output: Type.Object({ model_version: ModelVersion }),
  }),
};
