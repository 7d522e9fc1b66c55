import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Int64, List, Text, ViewType } from './scalars.ts';

export const ExperimentTag = Type.Object({ key: Text(), value: Text() });

/** *MLflow: a tag without a value has the empty one.* A key is checked by its rule, so that its absence names that rule. */
const GivenTag = Type.Object({ key: Type.Optional(Text()), value: Type.Optional(Text()) });

export const Experiment = Type.Object({
  experiment_id: Text(),
  name: Text(),
  artifact_location: Text(),
  lifecycle_stage: Text({ description: 'active or deleted' }),
  last_update_time: Int64(),
  creation_time: Int64(),
  tags: Type.Optional(List(ExperimentTag)),
  workspace: Text(),
});
export type Experiment = Static<typeof Experiment>;

const Empty = Type.Object({});

export const experiments = {
  createExperiment: endpoint({
    summary: 'Create an experiment; its name is unique in the workspace, deleted experiments included.',
    method: 'POST',
    path: '/2.0/mlflow/experiments/create',
    actions: ['experiments/write'],
    input: Type.Object({
      name: Text(),
      artifact_location: Type.Optional(Text()),
      tags: Type.Optional(List(GivenTag)),
    }),
    output: Type.Object({ experiment_id: Text() }),
  }),
  searchExperiments: endpoint({
    summary: 'Search experiments by a filter; deleted ones are left out unless the view asks for them.',
    method: ['POST', 'GET'],
    path: '/2.0/mlflow/experiments/search',
    actions: ['experiments/read'],
    input: Type.Object({
      max_results: Type.Optional(Int64()),
      page_token: Type.Optional(Text()),
      filter: Type.Optional(Text()),
      order_by: Type.Optional(List(Text())),
      view_type: Type.Optional(ViewType),
    }),
    output: Type.Object({
      experiments: Type.Optional(List(Experiment)),
      next_page_token: Type.Optional(Text()),
    }),
  }),
  getExperiment: endpoint({
    summary: 'Get an experiment by its id, deleted or not.',
    method: 'GET',
    path: '/2.0/mlflow/experiments/get',
    actions: ['experiments/read'],
    input: Type.Object({ experiment_id: Text() }),
    output: Type.Object({ experiment: Experiment }),
  }),
  getExperimentByName: endpoint({
    summary: 'Get an experiment by its name, deleted or not.',
    method: 'GET',
    path: '/2.0/mlflow/experiments/get-by-name',
    actions: ['experiments/read'],
    input: Type.Object({ experiment_name: Text() }),
    output: Type.Object({ experiment: Experiment }),
  }),
  deleteExperiment: endpoint({
    summary: 'Mark an experiment and its runs as deleted; their data stay until they are collected.',
    method: 'POST',
    path: '/2.0/mlflow/experiments/delete',
    actions: ['experiments/delete'],
    input: Type.Object({ experiment_id: Text() }),
    output: Empty,
  }),
  restoreExperiment: endpoint({
    summary: 'Bring back a deleted experiment and all of its runs.',
    method: 'POST',
    path: '/2.0/mlflow/experiments/restore',
    actions: ['experiments/delete'],
    input: Type.Object({ experiment_id: Text() }),
    output: Empty,
  }),
  updateExperiment: endpoint({
    summary: 'Rename an experiment.',
    method: 'POST',
    path: '/2.0/mlflow/experiments/update',
    actions: ['experiments/write'],
    input: Type.Object({ experiment_id: Text(), new_name: Text() }),
    output: Empty,
  }),
  setExperimentTag: endpoint({
    summary: 'Set a tag of an experiment.',
    method: 'POST',
    path: '/2.0/mlflow/experiments/set-experiment-tag',
    actions: ['experiments/write'],
    input: Type.Object({ experiment_id: Text(), key: Text(), value: Type.Optional(Text()) }),
    output: Empty,
  }),
  deleteExperimentTag: endpoint({
    summary: 'Delete a tag of an experiment.',
    method: 'POST',
    path: '/2.0/mlflow/experiments/delete-experiment-tag',
    actions: ['experiments/write'],
    input: Type.Object({ experiment_id: Text(), key: Text() }),
    output: Empty,
  }),
};
