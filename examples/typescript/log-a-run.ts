/**
 * Logs a run with the typed client and finds it again.
 *
 *     MLFLOW_TRACKING_URI=http://127.0.0.1:5000 npx node examples/typescript/log-a-run.ts
 */
import { env } from 'node:process';
import { createClient, MlflowError } from '@lazuli/client';

const url = env['MLFLOW_TRACKING_URI'] ?? 'http://127.0.0.1:5000';
const token = env['MLFLOW_TRACKING_TOKEN'];
const client = createClient(token === undefined ? { url } : { url, token });

const { experiment_id } = await client.experiments.createExperiment({ name: `typescript ${Date.now()}` });
const { run } = await client.runs.createRun({ experiment_id, run_name: 'from TypeScript', start_time: Date.now() });
const { run_id } = run.info;

await client.runs.logParam({ run_id, key: 'rate', value: '0.1' });
await client.runs.logBatch({
  run_id,
  metrics: [0.9, 0.5, 0.3].map((value, step) => ({ key: 'loss', value, step, timestamp: Date.now() })),
  tags: [{ key: 'team', value: 'docs' }],
});

try {
  await client.runs.logParam({ run_id, key: 'rate', value: '0.2' });
} catch (error) {
  // A param is written once; everything that a server refuses is an MlflowError with MLflow's code.
  if (!(error instanceof MlflowError)) throw error;
  console.log(`refused as expected: ${error.errorCode}`);
}

await client.runs.updateRun({ run_id, status: 'FINISHED', end_time: Date.now() });

const { runs = [] } = await client.runs.searchRuns({
  experiment_ids: [experiment_id],
  filter: 'metrics.loss < 0.4',
  order_by: ['metrics.loss'],
});
for (const { info, data } of runs) {
  const latest = (data.metrics ?? []).map(({ key, value, step = 0 }) => `${key} ${value} at step ${step}`);
  console.log(`${info.run_name}: ${latest.join(', ')}`);
}

const { metrics = [] } = await client.metrics.getMetricHistory({ run_id, metric_key: 'loss' });
console.log(`${metrics.length} points of loss`);
