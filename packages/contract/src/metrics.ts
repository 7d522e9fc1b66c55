import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Int32, Int64, List, Text } from './scalars.ts';
import { Metric } from './runs.ts';

const readRuns = ['experiments/runs/read', 'jobs/read'] as const;

export const metrics = {
  getMetricHistory: endpoint({
    summary: 'Get all points of one metric of a run, sorted by timestamp, step and value, page by page.',
    method: 'GET',
    path: '/2.0/mlflow/metrics/get-history',
    actions: readRuns,
    input: Type.Object({
      run_id: Type.Optional(Text()),
      run_uuid: Type.Optional(Text()),
      metric_key: Text(),
      page_token: Type.Optional(Text()),
      max_results: Type.Optional(Int32()),
    }),
    output: Type.Object({ metrics: Type.Optional(List(Metric)), next_page_token: Type.Optional(Text()) }),
  }),
  getMetricHistoryBulk: endpoint({
    summary: 'Get the first points of one metric of several runs.',
    method: 'GET',
    path: '/2.0/mlflow/metrics/get-history-bulk',
    prefixes: ['ajax-api'],
    actions: readRuns,
    input: Type.Object({
      run_id: Type.Optional(List(Text())),
      metric_key: Type.Optional(Text()),
      max_results: Type.Optional(Int32()),
    }),
    output: Type.Object({ metrics: Type.Optional(List(Metric)) }),
  }),
  getMetricHistoryBulkInterval: endpoint({
    summary: 'Get an even sample of one metric of several runs, optionally between two steps.',
    method: 'GET',
    path: '/2.0/mlflow/metrics/get-history-bulk-interval',
    actions: readRuns,
    input: Type.Object({
      run_ids: Type.Optional(List(Text())),
      metric_key: Text(),
      start_step: Type.Optional(Int64()),
      end_step: Type.Optional(Int64()),
      max_results: Type.Optional(Int32()),
    }),
    output: Type.Object({ metrics: Type.Optional(List(Metric)) }),
  }),
};
