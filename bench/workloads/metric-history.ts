/** W10: one series of a million points, read in pages of 25,000: the first, the middle and the last one must cost the same. */
import { summarize } from '../statistics.ts';
import { targets } from '../targets.ts';
import { createRun, inParallel, listAt, textAt } from '../tracking-client.ts';
import type { Json } from '../tracking-client.ts';
import { seededExperiment } from './seeded-experiment.ts';
import { HISTORY_PAGE, historyPage, isSamePoint, nextPageToken, pointOf } from './stored-points.ts';
import type { Point } from './stored-points.ts';
import type { NamedLatency, Outcome, Workload, WorkloadContext } from './workload.ts';

const POINTS = 1_000_000;
const POINTS_PER_BATCH = 1000;
const WRITERS = 4;
const KEY = 'loss';
const READS_PER_PAGE = 30;
const WARM_UP_READS = 3;

function pointAt(i: number): Point {
  return { timestamp: 1_700_000_000_000 + i * 10, step: i, value: 1 / (1 + i / 1000) };
}

async function seedSeries(context: WorkloadContext, experimentId: string, points: number): Promise<void> {
  const runId = await createRun(context.client, experimentId, 'long-series');
  const starts = Array.from({ length: Math.ceil(points / POINTS_PER_BATCH) }, (_, i) => i * POINTS_PER_BATCH);
  await inParallel(context.target, WRITERS, starts, async (client, start) => {
    const count = Math.min(POINTS_PER_BATCH, points - start);
    const metrics = Array.from({ length: count }, (_, i) => ({ key: KEY, ...pointAt(start + i) }));
    await client.call('POST', 'runs/log-batch', { run_id: runId, metrics });
  });
}

async function readPages(context: WorkloadContext): Promise<Outcome> {
  const points = Math.max(HISTORY_PAGE, Math.round(POINTS * context.scale));
  const seeded = await seededExperiment(context, `bench-w10-${points}-points`, (experimentId) =>
    seedSeries(context, experimentId, points),
  );
  const found = await context.client.call('POST', 'runs/search', {
    experiment_ids: [seeded.experimentId],
    max_results: 1,
  });
  const runId = textAt(listAt(found, 'runs')[0], 'info', 'run_id');

  const problems: string[] = [];
  const tokens: (string | undefined)[] = [undefined];
  let read = 0;
  for (let page = 0; page < tokens.length; page += 1) {
    const answer = await context.client.call('GET', 'metrics/get-history', historyPage(runId, KEY, tokens[page]));
    const metrics = listAt(answer, 'metrics');
    const problem = comparePage(metrics, read);
    if (problem !== undefined) problems.push(`page ${page + 1}: ${problem}`);
    read += metrics.length;
    const next = nextPageToken(answer);
    if (next !== undefined) tokens.push(next);
  }
  if (read !== points) problems.push(`${read} points in all pages, ${points} were logged`);

  let errors = 0;
  let firstError: string | undefined;
  async function timePage(name: string, page: number): Promise<NamedLatency> {
    const request = context.client.prepare('GET', 'metrics/get-history', historyPage(runId, KEY, tokens[page]));
    const latencies: number[] = [];
    for (let n = 0; n < WARM_UP_READS + READS_PER_PAGE; n += 1) {
      const { status, body, ms } = await context.client.exchange(request);
      if (status !== 200) {
        errors += 1;
        firstError ??= `${status} ${body.toString('utf8', 0, 300)}`;
        continue;
      }
      if (n >= WARM_UP_READS) latencies.push(ms);
      const metrics = listAt(JSON.parse(body.toString()) as Json, 'metrics');
      const problem = comparePage(metrics, page * HISTORY_PAGE);
      if (problem !== undefined) problems.push(`${name}: ${problem}`);
    }
    return { name, ...summarize(latencies) };
  }

  const first = await timePage('first page', 0);
  const middle = await timePage('middle page', Math.floor(tokens.length / 2));
  const last = await timePage('last page', tokens.length - 1);
  const wanted = targets[context.engine];
  return {
    figures: [
      { target: wanted.w10First, value: first.p50 },
      { target: wanted.w10Middle, value: middle.p50 },
      { target: wanted.w10Last, value: last.p50 },
    ],
    latencies: [first, middle, last],
    errors,
    firstError,
    checked: `${read.toLocaleString('en')} points in ${tokens.length} pages, each in its place; every timed page again`,
    problems,
    notes: [
      `${points.toLocaleString('en')} points, ${seeded.note}; last page / first page = ${(last.p50 / first.p50).toFixed(2)}`,
    ],
  };
}

function comparePage(metrics: readonly Json[], start: number): string | undefined {
  for (const [i, metric] of metrics.entries()) {
    const stored = pointOf(metric);
    if (!isSamePoint(stored, pointAt(start + i))) {
      return `place ${i} holds ${JSON.stringify(stored)}, not ${JSON.stringify(pointAt(start + i))}`;
    }
  }
  return undefined;
}

export const historyWorkload: Workload = {
  id: 'W10',
  title: 'history of 1M points, pages of 25,000',
  seeds: 'reusable data',
  run: readPages,
};
