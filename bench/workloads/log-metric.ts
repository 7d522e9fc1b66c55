/** W1 and W2 (on PostgreSQL W2p): one point a request, by one client and by a hundred. */
import { NUMBER_MARK } from '../load.ts';
import { targets } from '../targets.ts';
import type { EngineTargets } from '../targets.ts';
import { createExperiment, createRun } from '../tracking-client.ts';
import { checkSeries } from './stored-points.ts';
import { measureThroughput } from './throughput.ts';
import type { Throughput } from './throughput.ts';
import type { Figure, Outcome, Workload, WorkloadContext } from './workload.ts';

const KEY = 'loss';

function bodyFor(runId: string): string {
  return `{"run_id":"${runId}","key":"${KEY}","value":0.${NUMBER_MARK},"timestamp":17${NUMBER_MARK}000,"step":${NUMBER_MARK}}`;
}

function pointsOf(number: number) {
  return [{ step: number, timestamp: Number(`17${number}000`), value: Number(`0.${number}`) }];
}

async function logMetric(
  context: WorkloadContext,
  name: string,
  clients: number,
  figuresOf: (throughput: Throughput, wanted: EngineTargets) => Figure[],
): Promise<Outcome> {
  const experimentId = await createExperiment(context.client, `${context.runName}-${name}`);
  const runIds: string[] = [];
  for (let i = 0; i < clients; i += 1) runIds.push(await createRun(context.client, experimentId, `client-${i}`));

  const shapes = runIds.map((runId) => ({ path: 'runs/log-metric', body: bodyFor(runId) }));
  const throughput = await measureThroughput(context, shapes);

  const series = throughput.sent.map((sent, i) => ({ runId: runIds[i] ?? '', key: KEY, sent, pointsOf }));
  const { points, problems } = await checkSeries(context.target, series);
  return {
    figures: figuresOf(throughput, targets[context.engine]),
    latencies: [throughput.latency],
    errors: throughput.errors,
    firstError: throughput.firstError,
    checked: `${points.toLocaleString('en')} points of ${clients} runs read back, and each run's latest value`,
    problems,
    notes: throughput.notes,
  };
}

export const oneClientLogsMetrics: Workload = {
  id: 'W1',
  title: 'log-metric, 1 client',
  seeds: 'nothing',
  run: (context) =>
    logMetric(context, 'w1', 1, ({ perSecond, latency }, wanted) => [
      { target: wanted.w1Rate, value: perSecond },
      { target: wanted.w1P50, value: latency.p50 },
    ]),
};

export const hundredClientsLogMetrics: Workload = {
  id: 'W2',
  title: 'log-metric, 100 clients over 100 runs',
  seeds: 'nothing',
  run: (context) =>
    logMetric(context, 'w2', 100, ({ perSecond, latency }, wanted) => [
      { target: wanted.w2Rate, value: perSecond },
      { target: wanted.w2P99, value: latency.p99 },
    ]),
};
