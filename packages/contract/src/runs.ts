import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Double, Int32, Int64, List, RunStatus, Text, ViewType } from './scalars.ts';

export const Metric = Type.Object({
  key: Text(),
  value: Double(),
  timestamp: Int64(),
  step: Type.Optional(Int64({ default: 0 })),
  model_id: Type.Optional(Text()),
  dataset_name: Type.Optional(Text()),
  dataset_digest: Type.Optional(Text()),
  run_id: Type.Optional(Text()),
});
export type Metric = Static<typeof Metric>;

export const Param = Type.Object({ key: Text(), value: Text() });
export type Param = Static<typeof Param>;

export const RunTag = Type.Object({ key: Text(), value: Text() });
export type RunTag = Static<typeof RunTag>;

/** *MLflow: a param or tag without a value has the empty one.* */
const GivenText = Type.Object({ key: Text(), value: Type.Optional(Text()) });

export const Dataset = Type.Object({
  name: Text(),
  digest: Text(),
  source_type: Text({ minLength: 0 }),
  source: Text({ minLength: 0 }),
  schema: Type.Optional(Text()),
  profile: Type.Optional(Text()),
});
export type Dataset = Static<typeof Dataset>;

export const InputTag = Type.Object({ key: Text(), value: Text({ minLength: 0 }) });

export const DatasetInput = Type.Object({
  tags: Type.Optional(List(InputTag)),
  dataset: Dataset,
});
export type DatasetInput = Static<typeof DatasetInput>;

export const ModelInput = Type.Object({ model_id: Text() });
export const ModelOutput = Type.Object({ model_id: Text(), step: Type.Optional(Int64({ default: 0 })) });

export const RunInfo = Type.Object({
  run_uuid: Text(),
  experiment_id: Text(),
  run_name: Text(),
  user_id: Text(),
  status: RunStatus,
  start_time: Int64(),
  end_time: Type.Optional(Int64()),
  artifact_uri: Text(),
  lifecycle_stage: Text({ description: 'active or deleted' }),
  run_id: Text(),
});
export type RunInfo = Static<typeof RunInfo>;

export const RunData = Type.Object({
  metrics: Type.Optional(List(Metric)),
  params: Type.Optional(List(Param)),
  tags: Type.Optional(List(RunTag)),
});

export const RunInputs = Type.Object({
  dataset_inputs: Type.Optional(List(DatasetInput)),
  model_inputs: Type.Optional(List(ModelInput)),
});

export const RunOutputs = Type.Object({ model_outputs: Type.Optional(List(ModelOutput)) });

export const Run = Type.Object({
  info: RunInfo,
  data: RunData,
  inputs: Type.Optional(RunInputs),
  outputs: Type.Optional(RunOutputs),
});
export type Run = Static<typeof Run>;

export const DatasetSummary = Type.Object({
  experiment_id: Text(),
  name: Text(),
  digest: Text(),
  context: Type.Optional(Text()),
});

const Empty = Type.Object({});

/** *Clients of MLflow 0.x say run_uuid; every request that names a run takes either.* */
const anyRunId = { run_id: Type.Optional(Text()), run_uuid: Type.Optional(Text()) };

const readRuns = ['experiments/runs/read', 'jobs/read'] as const;
const writeRuns = ['experiments/runs/write', 'jobs/write'] as const;
const deleteRuns = ['experiments/runs/delete', 'jobs/delete'] as const;

export const runs = {
  createRun: endpoint({
    summary: 'Create a run in an active experiment.',
    method: 'POST',
    path: '/2.0/mlflow/runs/create',
    actions: writeRuns,
    input: Type.Object({
      experiment_id: Type.Optional(Text()),
      user_id: Type.Optional(Text()),
      run_name: Type.Optional(Text()),
      start_time: Type.Optional(Int64()),
      tags: Type.Optional(List(GivenText)),
    }),
    output: Type.Object({ run: Run }),
  }),
  updateRun: endpoint({
    summary: "Change a run's status, end time or name.",
    method: 'POST',
    path: '/2.0/mlflow/runs/update',
    actions: writeRuns,
    input: Type.Object({
      ...anyRunId,
      status: Type.Optional(RunStatus),
      end_time: Type.Optional(Int64()),
      run_name: Type.Optional(Text()),
    }),
    output: Type.Object({ run_info: RunInfo }),
  }),
  deleteRun: endpoint({
    summary: 'Mark a run as deleted; its data stay until they are collected.',
    method: 'POST',
    path: '/2.0/mlflow/runs/delete',
    actions: deleteRuns,
    input: Type.Object({ run_id: Text() }),
    output: Empty,
  }),
  restoreRun: endpoint({
    summary: 'Bring back a deleted run.',
    method: 'POST',
    path: '/2.0/mlflow/runs/restore',
    actions: deleteRuns,
    input: Type.Object({ run_id: Text() }),
    output: Empty,
  }),
  logMetric: endpoint({
    summary: 'Log one point of a metric.',
    method: 'POST',
    path: '/2.0/mlflow/runs/log-metric',
    actions: writeRuns,
    input: Type.Object({
      ...anyRunId,
      key: Text(),
      value: Double(),
      timestamp: Int64(),
      step: Type.Optional(Int64({ default: 0 })),
      model_id: Type.Optional(Text()),
      dataset_name: Type.Optional(Text()),
      dataset_digest: Type.Optional(Text()),
    }),
    output: Empty,
  }),
  logParam: endpoint({
    summary: 'Log a param; once written, its value cannot change.',
    method: 'POST',
    path: '/2.0/mlflow/runs/log-parameter',
    actions: writeRuns,
    input: Type.Object({ ...anyRunId, key: Text(), value: Type.Optional(Text()) }),
    output: Empty,
  }),
  setTag: endpoint({
    summary: 'Set a tag of a run.',
    method: 'POST',
    path: '/2.0/mlflow/runs/set-tag',
    actions: writeRuns,
    input: Type.Object({ ...anyRunId, key: Text(), value: Type.Optional(Text()) }),
    output: Empty,
  }),
  deleteTag: endpoint({
    summary: 'Delete a tag of a run.',
    method: 'POST',
    path: '/2.0/mlflow/runs/delete-tag',
    actions: writeRuns,
    input: Type.Object({ run_id: Text(), key: Text() }),
    output: Empty,
  }),
  getRun: endpoint({
    summary: 'Get a run with its latest metrics, params, tags and inputs, deleted or not.',
    method: 'GET',
    path: '/2.0/mlflow/runs/get',
    actions: readRuns,
    input: Type.Object(anyRunId),
    output: Type.Object({ run: Run }),
  }),
  searchRuns: endpoint({
    summary: 'Search runs of some experiments by a filter, in an order, page by page.',
    method: 'POST',
    path: '/2.0/mlflow/runs/search',
    actions: readRuns,
    input: Type.Object({
      experiment_ids: Type.Optional(List(Text())),
      filter: Type.Optional(Text()),
      run_view_type: Type.Optional(ViewType),
      max_results: Type.Optional(Int32()),
      order_by: Type.Optional(List(Text())),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({ runs: Type.Optional(List(Run)), next_page_token: Type.Optional(Text()) }),
  }),
  logBatch: endpoint({
    summary: 'Log metrics, params and tags of a run, all or nothing.',
    method: 'POST',
    path: '/2.0/mlflow/runs/log-batch',
    // *Azure: asynchronous logging, one request a call; an answer without a tracking id says that all is durable.*
    aliases: [{ path: '/2.0/preview/mlflow/runs/log-batch-async', prefixes: ['api'] }],
    actions: writeRuns,
    input: Type.Object({
      run_id: Type.Optional(Text()),
      metrics: Type.Optional(List(Metric)),
      params: Type.Optional(List(GivenText)),
      tags: Type.Optional(List(GivenText)),
    }),
    output: Empty,
  }),
  getRunDataStatus: endpoint({
    summary: 'Whether what was logged asynchronously is durable; here it is, once it was answered.',
    method: 'GET',
    path: '/2.0/preview/mlflow/runs/get-run-data-status',
    prefixes: ['api'],
    actions: readRuns,
    input: Type.Object({ run_id: Text(), batch_tracking_id: Type.Optional(Text()) }),
    output: Type.Object({ is_complete: Type.Boolean() }),
  }),
  logInputs: endpoint({
    summary: 'Record the datasets and logged models that a run reads.',
    method: 'POST',
    path: '/2.0/mlflow/runs/log-inputs',
    actions: writeRuns,
    input: Type.Object({
      run_id: Text(),
      datasets: Type.Optional(List(DatasetInput)),
      models: Type.Optional(List(ModelInput)),
    }),
    output: Empty,
  }),
  logOutputs: endpoint({
    summary: 'Record the logged models that a run makes.',
    method: 'POST',
    path: '/2.0/mlflow/runs/outputs',
    actions: writeRuns,
    input: Type.Object({ run_id: Text(), models: List(ModelOutput) }),
    output: Empty,
  }),
  logModel: endpoint({
    summary: 'Note in a tag that a run has logged a model; the call of clients before MLflow 3.',
    method: 'POST',
    path: '/2.0/mlflow/runs/log-model',
    actions: writeRuns,
    input: Type.Object({ run_id: Text(), model_json: Text() }),
    output: Empty,
  }),
  searchDatasets: endpoint({
    summary: 'List the datasets that runs of some experiments read.',
    method: 'POST',
    path: '/2.0/mlflow/experiments/search-datasets',
    // MLflow declares the path without its leading slash, so this spelling is served, too.
    aliases: [{ path: '/2.0mlflow/experiments/search-datasets' }],
    actions: readRuns,
    input: Type.Object({ experiment_ids: Type.Optional(List(Text())) }),
    output: Type.Object({ dataset_summaries: Type.Optional(List(DatasetSummary)) }),
  }),
};
