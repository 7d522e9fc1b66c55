/** W3, W4 and W4d: batches of 10 keys and one step, 10 keys and a hundred steps, 1000 keys and one step, by 20 clients with a run each. */
import { NUMBER_MARK } from '../load.ts';
import { targets } from '../targets.ts';
import type { EngineTargets } from '../targets.ts';
import { createExperiment, createRun } from '../tracking-client.ts';
import { checkSeries } from './stored-points.ts';
import type { Point } from './stored-points.ts';
import { measureThroughput } from './throughput.ts';
import type { Throughput } from './throughput.ts';
import type { Figure, Outcome, Workload, WorkloadContext } from './workload.ts';

const CLIENTS = 20;

interface Batch {
  readonly name: string;
  readonly keys: readonly string[];
  readonly body: (runId: string) => string;
  /** The points of any one key that the request of this number carries. */
  readonly pointsOf: (number: number) => readonly Point[];
}

const tenKeys = Array.from({ length: 10 }, (_, i) => `metric_${i}`);
const thousandKeys = Array.from({ length: 1000 }, (_, i) => `metric_${String(i).padStart(3, '0')}`);

function oneStep(name: string, keys: readonly string[]): Batch {
  const point = `"value":0.${NUMBER_MARK},"timestamp":17${NUMBER_MARK}000,"step":${NUMBER_MARK}`;
  return {
    name,
    keys,
    body: (runId) => bodyOf(runId, keys, [point]),
    pointsOf: (number) => [{ step: number, timestamp: Number(`17${number}000`), value: Number(`0.${number}`) }],
  };
}

/** The two last digits of a step tell its place in the request, those before it the number of the request. */
const PLACES = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'));

const hundredSteps: Batch = {
  name: 'w4',
  keys: tenKeys,
  body(runId) {
    const points = PLACES.map(
      (place) => `"value":0.${NUMBER_MARK}${place},"timestamp":17${NUMBER_MARK}0${place},"step":${NUMBER_MARK}${place}`,
    );
    return bodyOf(runId, tenKeys, points);
  },
  pointsOf: (number) =>
    PLACES.map((place, i) => ({
      step: number * 100 + i,
      timestamp: 17e11 + number * 1000 + i,
      value: Number(`0.${number}${place}`),
    })),
};

/** Each key at each of the points, as a training loop flushes them: step by step, all keys of a step together. */
function bodyOf(runId: string, keys: readonly string[], points: readonly string[]): string {
  const metrics = points.flatMap((point) => keys.map((key) => `{"key":"${key}",${point}}`));
  return `{"run_id":"${runId}","metrics":[${metrics.join(',')}]}`;
}

async function logBatch(
  context: WorkloadContext,
  batch: Batch,
  figuresOf: (throughput: Throughput, wanted: EngineTargets) => Figure[],
): Promise<Outcome> {
  const experimentId = await createExperiment(context.client, `${context.runName}-${batch.name}`);
  const runIds: string[] = [];
  for (let i = 0; i < CLIENTS; i += 1) runIds.push(await createRun(context.client, experimentId, `client-${i}`));

  const shapes = runIds.map((runId) => ({ path: 'runs/log-batch', body: batch.body(runId) }));
  const throughput = await measureThroughput(context, shapes);

  const series = throughput.sent.flatMap((sent, i) =>
    batch.keys.map((key) => ({ runId: runIds[i] ?? '', key, sent, pointsOf: batch.pointsOf })),
  );
  const { points, problems } = await checkSeries(context.target, series);
  return {
    figures: figuresOf(throughput, targets[context.engine]),
    latencies: [throughput.latency],
    errors: throughput.errors,
    firstError: throughput.firstError,
    checked: `${points.toLocaleString('en')} points of ${series.length} series read back, and each one's latest value`,
    problems,
    notes: throughput.notes,
  };
}

export const smallBatches: Workload = {
  id: 'W3',
  title: 'log-batch of 10 keys, 20 clients',
  seeds: 'nothing',
  run: (context) =>
    logBatch(context, oneStep('w3', tenKeys), ({ perSecond }, wanted) => [{ target: wanted.w3Rate, value: perSecond }]),
};

export const largeBatches: Workload = {
  id: 'W4',
  title: 'log-batch of 1000 (10 keys x 100 steps), 20 clients',
  seeds: 'nothing',
  run: (context) =>
    logBatch(context, hundredSteps, ({ perSecond }, wanted) => [
      { target: wanted.w4Points, value: perSecond * tenKeys.length * PLACES.length },
    ]),
};

export const wideBatches: Workload = {
  id: 'W4d',
  title: 'log-batch of 1000 distinct keys, 20 clients',
  seeds: 'nothing',
  run: (context) =>
    logBatch(context, oneStep('w4d', thousandKeys), ({ perSecond }, wanted) => [
      { target: wanted.w4dRate, value: perSecond },
    ]),
};
