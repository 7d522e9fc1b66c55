import { MlflowError, type Client, type Run } from '@lazuli/client';
import { expect } from 'vitest';

/**
 * Work that clients do until the server is gone, and the books that they keep about it. A worker has one request under way
 * at a time, so of each run at most one request is in doubt: afterwards the run must look as if that request had either
 * never been sent or been carried out in full.
 */
interface Point {
  readonly key: string;
  readonly timestamp: number;
  readonly step: number;
  readonly value: number;
}

interface Text {
  readonly key: string;
  readonly value: string;
}

interface Request {
  readonly kind: 'metric' | 'batch' | 'param' | 'tag';
  readonly points: readonly Point[];
  readonly params: readonly Text[];
  readonly tags: readonly Text[];
}

interface RunBook {
  readonly runId: string;
  readonly worker: string;
  readonly acknowledged: Request[];
  inDoubt: Request | undefined;
}

export interface Books {
  readonly experimentId: string;
  readonly runs: RunBook[];
  /** Runs whose creation was sent but not answered. */
  creationsInDoubt: number;
  acknowledgements: number;
  /** Answers that said no. */
  readonly refusals: MlflowError[];
  /**
   * What an answer that said no means. 'final': what it refused must not be there. 'doubtful': a database behind a network may
   * have carried it out all the same, and its answer was lost.
   */
  readonly refusalsAre: 'final' | 'doubtful';
}

export function emptyBooks(experimentId: string, refusalsAre: Books['refusalsAre'] = 'final'): Books {
  return { experimentId, runs: [], creationsInDoubt: 0, acknowledgements: 0, refusals: [], refusalsAre };
}

const requestsPerRun = 25;

/** Whether to go on: with the next request, or after a failure with the same one, as MLflow's clients do. */
export type GoesOn = (after: { readonly failure: unknown } | 'answer') => boolean | Promise<boolean>;

/** Logs one run after the other, until it is not to go on. `onAnswer` is told of each acknowledgement. */
export async function work(
  client: Client,
  books: Books,
  worker: string,
  onAnswer: () => void,
  goesOn: GoesOn = (after) => after === 'answer',
): Promise<void> {
  const answered = async (): Promise<boolean> => {
    books.acknowledgements++;
    onAnswer();
    return goesOn('answer');
  };
  /** Notes a failure, and tells whether what it answers has certainly not been done. */
  const isUndone = (error: unknown): boolean => {
    // Only what a server has answered carries its number of the request.
    if (!(error instanceof MlflowError) || error.requestId === undefined) return false;
    books.refusals.push(error);
    return books.refusalsAre === 'final';
  };
  for (;;) {
    books.creationsInDoubt++;
    let runId: string;
    try {
      const tags = [{ key: 'worker', value: worker }];
      const { run } = await client.runs.createRun({ experiment_id: books.experimentId, start_time: 1, tags });
      runId = run.info.run_id;
    } catch (error) {
      if (isUndone(error)) books.creationsInDoubt--;
      if (await goesOn({ failure: error })) continue;
      return;
    }
    books.creationsInDoubt--;
    const book: RunBook = { runId, worker, acknowledged: [], inDoubt: undefined };
    books.runs.push(book);
    if (!(await answered())) return;
    for (let index = 0; index < requestsPerRun; index++) {
      // Every other batch is sent once more, as clients do that have lost an answer.
      const again = index % 10 === 6 ? book.acknowledged.at(-5) : undefined;
      const request = again?.kind === 'batch' ? again : requestAt(index);
      for (;;) {
        book.inDoubt = request;
        try {
          await send(client, runId, request);
          break;
        } catch (error) {
          if (isUndone(error)) book.inDoubt = undefined;
          if (!(await goesOn({ failure: error }))) return;
        }
      }
      book.acknowledged.push(request);
      book.inDoubt = undefined;
      if (!(await answered())) return;
    }
  }
}

function requestAt(index: number): Request {
  const none = { points: [], params: [], tags: [] };
  switch (index % 5) {
    case 1:
    case 4: {
      const points = ['a', 'b', 'c', 'd'].map((key, place) => ({
        key,
        timestamp: index,
        step: index,
        value: index * 10 + place,
      }));
      const params = Array.from({ length: 10 }, (_, place) => ({
        key: `batch ${index} ${place}`,
        value: 'v'.repeat(100),
      }));
      return { kind: 'batch', points, params, tags: [{ key: `batch ${index}`, value: String(index) }] };
    }
    case 2:
      return { ...none, kind: 'param', params: [{ key: `param ${index}`, value: String(index) }] };
    case 3:
      return { ...none, kind: 'tag', tags: [{ key: 'changing', value: String(index) }] };
    default:
      // Steps go back and forth, so that the latest point is not the last one.
      return {
        ...none,
        kind: 'metric',
        points: [{ key: 'loss', timestamp: 1, step: (index * 7) % 25, value: index / 3 }],
      };
  }
}

async function send({ runs }: Client, run_id: string, { kind, points, params, tags }: Request): Promise<void> {
  if (kind === 'batch') await runs.logBatch({ run_id, metrics: [...points], params: [...params], tags: [...tags] });
  for (const point of kind === 'metric' ? points : []) await runs.logMetric({ run_id, ...point });
  for (const param of kind === 'param' ? params : []) await runs.logParam({ run_id, ...param });
  for (const tag of kind === 'tag' ? tags : []) await runs.setTag({ run_id, ...tag });
}

/** Holds what the server has against the books. */
export async function audit(client: Client, books: Books): Promise<void> {
  const found = await allRuns(client, books.experimentId);
  const unknown = found.filter(({ info }) => books.runs.every(({ runId }) => runId !== info.run_id));
  expect(unknown.length).toBeLessThanOrEqual(books.creationsInDoubt);
  for (const { data } of unknown) {
    expect(data.tags?.map(({ key }) => key).sort()).toEqual(['mlflow.runName', 'worker']);
  }
  for (const book of books.runs) {
    const searched = found.find(({ info }) => info.run_id === book.runId);
    if (searched === undefined) throw new Error(`The acknowledged run ${book.runId} is gone.`);
    const { run } = await client.runs.getRun({ run_id: book.runId });
    expect(withoutOrder(searched)).toEqual(withoutOrder(run));
    const seen = await stateOf(client, run);
    const without = stateAfter(book.worker, book.acknowledged);
    const withIt = book.inDoubt === undefined ? without : stateAfter(book.worker, [...book.acknowledged, book.inDoubt]);
    // A difference is easiest to read against the state that is nearer.
    expect(seen).toEqual(JSON.stringify(seen) === JSON.stringify(withIt) ? withIt : without);
  }
}

export interface RunState {
  readonly history: Record<string, string[]>;
  readonly latest: string[];
  readonly params: string[];
  readonly tags: string[];
}

export async function stateOf(client: Client, { info, data }: Run): Promise<RunState> {
  const history: Record<string, string[]> = {};
  for (const key of ['a', 'b', 'c', 'd', 'loss']) {
    const { metrics = [] } = await client.metrics.getMetricHistory({ run_id: info.run_id, metric_key: key });
    if (metrics.length > 0)
      history[key] = metrics.map((point) => pointText({ ...point, step: point.step ?? 0 })).sort();
  }
  return {
    history,
    latest: (data.metrics ?? []).map((point) => pointText({ ...point, step: point.step ?? 0 })).sort(),
    params: texts(data.params ?? []),
    tags: texts((data.tags ?? []).filter(({ key }) => key !== 'mlflow.runName')),
  };
}

export function stateAfter(worker: string, requests: readonly Request[]): RunState {
  const points = new Map<string, Point>();
  const params = new Map<string, string>();
  const tags = new Map([['worker', worker]]);
  for (const request of requests) {
    for (const point of request.points) points.set(pointText(point), point);
    for (const { key, value } of request.params) params.set(key, value);
    for (const { key, value } of request.tags) tags.set(key, value);
  }
  const history: Record<string, string[]> = {};
  const latest: string[] = [];
  const byKey = Map.groupBy(points.values(), ({ key }) => key);
  for (const key of [...byKey.keys()].sort()) {
    const series = byKey.get(key) ?? [];
    history[key] = series.map(pointText).sort();
    const [last] = series.toSorted((a, b) => b.step - a.step || b.timestamp - a.timestamp || b.value - a.value);
    if (last !== undefined) latest.push(pointText(last));
  }
  const pairs = (map: Map<string, string>): string[] => texts([...map].map(([key, value]) => ({ key, value })));
  return { history, latest: latest.sort(), params: pairs(params), tags: pairs(tags) };
}

function pointText({
  key,
  timestamp,
  step,
  value,
}: {
  key: string;
  timestamp: number | bigint;
  step: number | bigint;
  value: number;
}): string {
  return `${key} ${timestamp} ${step} ${value}`;
}

function texts(pairs: readonly Text[]): string[] {
  return pairs.map(({ key, value }) => `${key} = ${value}`).sort();
}

function withoutOrder({ info, data }: Run): unknown {
  const sorted = (items: readonly { key: string }[] = []) => items.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return { info, metrics: sorted(data.metrics), params: sorted(data.params), tags: sorted(data.tags) };
}

export async function allRuns(client: Client, experimentId: string): Promise<Run[]> {
  const found: Run[] = [];
  let page_token: string | undefined;
  do {
    const page = await client.runs.searchRuns({
      experiment_ids: [experimentId],
      max_results: 500,
      ...(page_token === undefined ? {} : { page_token }),
    });
    found.push(...(page.runs ?? []));
    page_token = page.next_page_token;
  } while (page_token !== undefined);
  return found;
}
