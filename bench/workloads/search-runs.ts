/** W7: search among 100k runs; one metric and one param predicate, ordered by a metric, the best 100 answered whole. */
import { summarize } from '../statistics.ts';
import { targets } from '../targets.ts';
import { at, inParallel, listAt, textAt } from '../tracking-client.ts';
import type { Json } from '../tracking-client.ts';
import {
  METRICS,
  PARAMS,
  evaluate,
  filterOf,
  metricName,
  metricValue,
  orderOf,
  paramName,
  paramValue,
  question,
  runName,
} from './generated-runs.ts';
import { seededExperiment } from './seeded-experiment.ts';
import type { Outcome, Workload, WorkloadContext } from './workload.ts';

const RUNS = 100_000;
const WRITERS = 20;
const WARM_UP_QUERIES = 20;
const QUERIES = 200;
const MAX_RESULTS = 100;

async function seedRuns(context: WorkloadContext, experimentId: string, runs: number): Promise<void> {
  let done = 0;
  await inParallel(
    context.target,
    WRITERS,
    Array.from({ length: runs }, (_, i) => i),
    async (client, i) => {
      const run = await client.call('POST', 'runs/create', {
        experiment_id: experimentId,
        run_name: runName(i),
        start_time: 1_700_000_000_000 + i,
      });
      await client.call('POST', 'runs/log-batch', {
        run_id: textAt(run, 'run', 'info', 'run_id'),
        metrics: Array.from({ length: METRICS }, (_, j) => ({
          key: metricName(j),
          value: metricValue(i, j),
          timestamp: 1_700_000_000_000 + i,
          step: 0,
        })),
        params: Array.from({ length: PARAMS }, (_, j) => ({ key: paramName(j), value: paramValue(i, j) })),
      });
      done += 1;
      if (done % 10_000 === 0) context.note(`${done.toLocaleString('en')} of ${runs.toLocaleString('en')} runs seeded`);
    },
  );
}

async function searchRuns(context: WorkloadContext): Promise<Outcome> {
  const runs = Math.max(MAX_RESULTS, Math.round(RUNS * context.scale));
  const seeded = await seededExperiment(context, `bench-w7-${runs}-runs`, (experimentId) =>
    seedRuns(context, experimentId, runs),
  );

  const latencies: number[] = [];
  const problems: string[] = [];
  let errors = 0;
  let firstError: string | undefined;
  let answered = 0;
  for (let n = 0; n < WARM_UP_QUERIES + QUERIES; n += 1) {
    const asked = question(n);
    const request = context.client.prepare('POST', 'runs/search', {
      experiment_ids: [seeded.experimentId],
      filter: filterOf(asked),
      order_by: [orderOf(asked)],
      max_results: MAX_RESULTS,
    });
    const { status, body, ms } = await context.client.exchange(request);
    if (status !== 200) {
      errors += 1;
      firstError ??= `${status} ${body.toString('utf8', 0, 300)}`;
      continue;
    }
    if (n >= WARM_UP_QUERIES) latencies.push(ms);
    const found = listAt(JSON.parse(body.toString()) as Json, 'runs');
    answered += found.length;
    const problem = compare(found, evaluate(asked, runs, MAX_RESULTS));
    if (problem !== undefined) problems.push(`${filterOf(asked)} order by ${orderOf(asked)}: ${problem}`);
  }
  const latency = summarize(latencies);
  return {
    figures: [{ target: targets[context.engine].w7P50, value: latency.p50 }],
    latencies: [{ name: 'search', ...latency }],
    errors,
    firstError,
    checked: `${WARM_UP_QUERIES + QUERIES} answers, ${answered.toLocaleString('en')} whole runs, against a naive evaluation`,
    problems,
    notes: [`${runs.toLocaleString('en')} runs, ${seeded.note}`],
  };
}

/** The right runs in the right order, each with all that was logged to it. */
function compare(found: readonly Json[], expected: readonly number[]): string | undefined {
  if (found.length !== expected.length) return `${found.length} runs answered, ${expected.length} match`;
  for (const [place, i] of expected.entries()) {
    const run = found[place];
    const name = textAt(run, 'info', 'run_name');
    if (name !== runName(i)) return `place ${place} holds ${name}, not ${runName(i)}`;
    const problem = compareData(run, i);
    if (problem !== undefined) return `${name}: ${problem}`;
  }
  return undefined;
}

function compareData(run: Json | undefined, i: number): string | undefined {
  const metrics = valuesByKey(listAt(run, 'data', 'metrics'));
  const params = valuesByKey(listAt(run, 'data', 'params'));
  if (metrics.size !== METRICS || params.size !== PARAMS) return `${metrics.size} metrics and ${params.size} params`;
  for (let j = 0; j < METRICS; j += 1) {
    const value = metrics.get(metricName(j));
    if (value !== metricValue(i, j)) return `${metricName(j)} is ${JSON.stringify(value)}, not ${metricValue(i, j)}`;
  }
  for (let j = 0; j < PARAMS; j += 1) {
    const value = params.get(paramName(j));
    if (value !== paramValue(i, j)) return `${paramName(j)} is ${JSON.stringify(value)}, not ${paramValue(i, j)}`;
  }
  return undefined;
}

function valuesByKey(entries: readonly Json[]): Map<string, Json | undefined> {
  return new Map(entries.map((entry) => [textAt(entry, 'key'), at(entry, 'value')]));
}

export const searchWorkload: Workload = {
  id: 'W7',
  title: 'search 100k runs x 20 metrics x 20 params, best 100 whole',
  seeds: 'reusable data',
  run: searchRuns,
};
