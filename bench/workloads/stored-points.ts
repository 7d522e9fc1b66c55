/**
 * The proof that acknowledged points are stored: every series is read back whole through get-history, page by page, and held
 * against the points that the numbered requests carried; then runs/get must show the last of them.
 *
 * Numbers, steps and times grow together, so MLflow's order of a history (timestamp, step, value) is the order of
 * sending, and one walk finds what is missing, what is there twice and what was never sent.
 *
 * Where several processes serve one database, all of them are readers, and the reader of a series is as a rule not the one
 * that wrote it: what one process has acknowledged, the others must show.
 */
import { at, inParallel, listAt, textAt } from '../tracking-client.ts';
import type { Json, TrackingClient, Target } from '../tracking-client.ts';
import type { SentRequests } from './throughput.ts';

export interface Point {
  readonly timestamp: number;
  readonly step: number;
  readonly value: number;
}

export interface SentSeries {
  readonly runId: string;
  readonly key: string;
  readonly sent: SentRequests;
  /** The points of this key that the request of this number carried, in order. */
  readonly pointsOf: (number: number) => readonly Point[];
}

export interface ReadBack {
  readonly points: number;
  readonly problems: readonly string[];
}

/** MLflow: get-history answers at most 25,000 points a page. */
export const HISTORY_PAGE = 25_000;
const FEWEST_READERS = 2;

export async function checkSeries(target: Target, series: readonly SentSeries[]): Promise<ReadBack> {
  const latest = await latestValues(target, [...new Set(series.map(({ runId }) => runId))]);
  const results = await inParallel(target, readersOf(target), series, async (client, one) => {
    const stored = await readHistory(client, one.runId, one.key);
    const problem = differenceOf(one, stored) ?? compareLatest(stored.at(-1), latest.get(one.runId)?.get(one.key));
    return { points: stored.length, problem: problem && `run ${one.runId}, ${one.key}: ${problem}` };
  });
  return {
    points: results.reduce((sum, { points }) => sum + points, 0),
    problems: results.flatMap(({ problem }) => (problem === undefined ? [] : [problem])),
  };
}

function readersOf(target: Target): number {
  return Math.max(FEWEST_READERS, target.addresses.length);
}

export async function readHistory(client: TrackingClient, runId: string, key: string): Promise<Point[]> {
  const points: Point[] = [];
  let pageToken: string | undefined;
  do {
    const answer = await client.call('GET', 'metrics/get-history', historyPage(runId, key, pageToken));
    for (const metric of listAt(answer, 'metrics')) points.push(pointOf(metric));
    pageToken = nextPageToken(answer);
  } while (pageToken !== undefined);
  return points;
}

export function historyPage(runId: string, key: string, pageToken: string | undefined) {
  const page = { run_id: runId, metric_key: key, max_results: HISTORY_PAGE };
  return pageToken === undefined ? page : { ...page, page_token: pageToken };
}

export function nextPageToken(answer: Json): string | undefined {
  const token = at(answer, 'next_page_token');
  return typeof token === 'string' && token !== '' ? token : undefined;
}

/** MLflow: a 64-bit integer may come as a string; protobuf JSON leaves a zero out. */
export function pointOf(metric: Json): Point {
  return {
    timestamp: Number(at(metric, 'timestamp') ?? 0),
    step: Number(at(metric, 'step') ?? 0),
    value: Number(at(metric, 'value') ?? 0),
  };
}

export function isSamePoint(a: Point | undefined, b: Point | undefined): boolean {
  return a !== undefined && b !== undefined && a.timestamp === b.timestamp && a.step === b.step && a.value === b.value;
}

/** What is wrong with a stored series, in words; undefined when nothing is. */
export function differenceOf({ sent, pointsOf }: SentSeries, stored: readonly Point[]): string | undefined {
  let here = 0;
  let missing = 0;
  let firstMissing: Point | undefined;
  for (let number = sent.first; number < sent.next; number += 1) {
    for (const point of pointsOf(number)) {
      if (isSamePoint(stored[here], point)) here += 1;
      else if (!sent.failed.has(number)) {
        missing += 1;
        firstMissing ??= point;
      }
    }
  }
  if (missing === 0 && here === stored.length) return undefined;
  const expected = firstMissing === undefined ? '' : `, the first ${JSON.stringify(firstMissing)}`;
  return `${missing} acknowledged points are not where they belong${expected}; ${stored.length - here} stored ones left over`;
}

function compareLatest(last: Point | undefined, latest: Point | undefined): string | undefined {
  if (last === undefined || isSamePoint(last, latest)) return undefined;
  return `runs/get shows ${JSON.stringify(latest)} as the latest, the history ends with ${JSON.stringify(last)}`;
}

async function latestValues(target: Target, runIds: readonly string[]): Promise<Map<string, Map<string, Point>>> {
  const runs = await inParallel(target, readersOf(target), runIds, async (client, runId) => {
    const answer = await client.call('GET', 'runs/get', { run_id: runId });
    const metrics = listAt(answer, 'run', 'data', 'metrics');
    return [runId, new Map(metrics.map((metric) => [textAt(metric, 'key'), pointOf(metric)]))] as const;
  });
  return new Map(runs);
}
