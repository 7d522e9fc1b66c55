import { MlflowError } from '@lazuli/contract';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arbitraryFilter, arbitraryOrder, arbitraryRun } from './random-runs.ts';
import {
  compareRuns,
  createModelDatabase,
  workspaceId,
  type ModelDatabase,
  type ModelFilter,
  type ModelOrder,
  type ModelRun,
} from './runs-model.ts';
import type { RunQuery } from '../../src/search/search-runs.ts';

const experimentIds = Array.from({ length: 20 }, (_, index) => index);
const viewTypes = ['ACTIVE_ONLY', 'DELETED_ONLY', 'ALL'] as const;

interface Question {
  readonly filter: ModelFilter;
  readonly order: readonly ModelOrder[];
  readonly viewType: RunQuery['viewType'];
  readonly experiments: readonly number[];
}

/** One experiment; a few, which are merged; more, which are scanned; so many that metric keys are joined, not listed. */
const experiments = fc.constantFrom([0], [0, 1], [1, 0, 1, 19], experimentIds.slice(0, 12), experimentIds);
const question = fc.record({
  filter: arbitraryFilter,
  order: arbitraryOrder,
  viewType: fc.constantFrom(...viewTypes),
  experiments,
});
const someRuns = fc.uniqueArray(arbitraryRun([0, 0, 0, 1, 19]), {
  minLength: 1,
  maxLength: 14,
  selector: (run) => run.runId,
});

function queryOf({ filter, order, viewType, experiments }: Question): RunQuery {
  return {
    workspaceId,
    experimentIds: experiments.map(String),
    filter: filter.text,
    viewType,
    maxResults: 50_000,
    orderBy: order.map(({ text }) => text),
  };
}

/** What the search must find, worked out run by run. */
function expected(runs: Iterable<ModelRun>, { filter, order, viewType, experiments }: Question): ModelRun[] {
  return [...runs]
    .filter((run) => experiments.includes(run.experimentId) && filter.matches(run))
    .filter((run) => viewType === 'ALL' || run.isDeleted === (viewType === 'DELETED_ONLY'))
    .sort(compareRuns(order));
}

describe('a search of runs', () => {
  let database: ModelDatabase;
  beforeAll(async () => {
    database = await createModelDatabase(experimentIds);
  });
  afterAll(() => database[Symbol.asyncDispose]());

  const found = (keys: readonly number[]) => keys.map((key) => database.runs.get(key)?.runId ?? `unknown ${key}`);

  test('finds what a naive evaluation finds, in the same order, for any filter, order, view and experiments', async () => {
    await fc.assert(
      fc.asyncProperty(someRuns, fc.array(question, { minLength: 5, maxLength: 15 }), async (runs, questions) => {
        await database.clear();
        await database.insert(runs);
        for (const each of questions) {
          const { keys } = await database.search(queryOf(each));
          expect(found(keys), each.filter.text).toEqual(expected(runs, each).map(({ runId }) => runId));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('page by page finds every run once, while others are inserted between the pages', async () => {
    const pages = fc.tuple(
      someRuns,
      fc.array(arbitraryRun([0, 1]), { maxLength: 12 }),
      question,
      fc.integer({ min: 1, max: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(pages, async ([runs, inserted, each, maxResults]) => {
        await database.clear();
        await database.insert(runs);
        const before = new Set(runs.map(({ runId }) => runId));
        const late = inserted.filter(({ runId }) => !before.has(runId));
        const seen: string[] = [];
        let pageToken: string | undefined;
        do {
          const page = await database.search({ ...queryOf(each), maxResults, pageToken });
          expect(page.keys.length).toBeLessThanOrEqual(maxResults);
          if (page.nextPageToken !== undefined) expect(page.keys).toHaveLength(maxResults);
          seen.push(...found(page.keys));
          const next = late.pop();
          if (next !== undefined && !seen.includes(next.runId)) await database.insert([next]);
          pageToken = page.nextPageToken;
        } while (pageToken !== undefined);
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen.filter((id) => before.has(id))).toEqual(expected(runs, each).map(({ runId }) => runId));
      }),
      { numRuns: 150 },
    );
  });

  test('a next page is promised only where there is one', async () => {
    await fc.assert(
      fc.asyncProperty(someRuns, question, async (runs, each) => {
        await database.clear();
        await database.insert(runs);
        const total = expected(runs, each).length;
        if (total === 0) return;
        const exact = await database.search({ ...queryOf(each), maxResults: total });
        expect(exact.nextPageToken).toBeUndefined();
        if (total === 1) return;
        const short = await database.search({ ...queryOf(each), maxResults: total - 1 });
        expect(short.nextPageToken).toBeTypeOf('string');
      }),
      { numRuns: 50 },
    );
  });
});

describe('a search of thousands of runs', () => {
  const count = 21_000;
  let database: ModelDatabase;

  beforeAll(async () => {
    database = await createModelDatabase(experimentIds);
    const runs = Array.from({ length: count }, (_, index): ModelRun => ({
      runId: ((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(32, '0'),
      experimentId: index % 100 === 0 ? 1 : 0,
      runName: `run ${index}`,
      status: 'FINISHED',
      startTime: (index * 7919) % 5_000,
      endTime: index % 3 === 0 ? null : index,
      isDeleted: index % 11 === 0,
      metrics: new Map([
        ...(index % 7 === 0 ? [] : [['m', index % 13 === 0 ? NaN : (index * 31) % 997] as const]),
        ['all', index % 10],
      ]),
      params: new Map([
        ['tenth', String(index % 10)],
        ['own', String(index)],
      ]),
      tags: new Map(),
      datasets: [],
    }));
    await database.insert(runs);
  });
  afterAll(() => database[Symbol.asyncDispose]());

  /** Every plan: walks and drives in one experiment, walks of two that are merged, a scan of many. */
  const filters: readonly ModelFilter[] = [
    { text: '', matches: () => true },
    { text: "params.tenth = '3'", matches: (run) => run.params.get('tenth') === '3' },
    { text: "params.own = '77'", matches: (run) => run.params.get('own') === '77' },
    { text: "params.tenth = 'none'", matches: () => false },
    {
      text: "params.own IN ('5', '6', '7000') AND metrics.m >= 0",
      matches: (run) => ['5', '6', '7000'].includes(run.params.get('own') ?? '') && (run.metrics.get('m') ?? -1) >= 0,
    },
    { text: 'metrics.m > 995', matches: (run) => (run.metrics.get('m') ?? 0) > 995 },
    {
      text: "metrics.m > 500 AND params.tenth = '7'",
      matches: (run) => (run.metrics.get('m') ?? 0) > 500 && run.params.get('tenth') === '7',
    },
    {
      text: "NOT (metrics.m <= 500 OR params.tenth != '7')",
      matches: (run) => !((run.metrics.get('m') ?? 999) <= 500) && run.params.get('tenth') === '7',
    },
  ];
  const byMetric = (key: string, isDescending: boolean): ModelOrder => ({
    text: `metrics.${key}${isDescending ? ' DESC' : ''}`,
    key,
    isDescending,
    valueOf: (run) => run.metrics.get(key),
  });
  const orders: readonly (readonly ModelOrder[])[] = [
    [],
    [byMetric('m', true)],
    [byMetric('m', false), byMetric('all', true)],
    [byMetric('all', true)],
    [byMetric('unlogged', true)],
    [{ text: 'run_name', key: 'run_name', isDescending: false, valueOf: (run) => run.runName }],
    [{ text: 'start_time', key: 'start_time', isDescending: false, valueOf: (run) => run.startTime }],
    [{ text: 'end_time DESC', key: 'end_time', isDescending: true, valueOf: (run) => run.endTime ?? undefined }],
  ];

  let sorted: ModelRun[][];
  beforeAll(() => {
    sorted = orders.map((order) => [...database.runs.values()].sort(compareRuns(order)));
  });

  test.each(filters.flatMap((filter) => [[0], [0, 1], experimentIds].map((experiments) => ({ filter, experiments }))))(
    'finds the right pages of $filter.text in experiments $experiments, whatever the plan',
    async ({ filter, experiments }) => {
      for (const [index, order] of orders.entries()) {
        const right = (sorted[index] ?? [])
          .filter((run) => !run.isDeleted && experiments.includes(run.experimentId) && filter.matches(run))
          .map(({ runId }) => runId);
        const seen: string[] = [];
        const query = queryOf({ filter, order, viewType: 'ACTIVE_ONLY', experiments });
        let pageToken: string | undefined;
        do {
          // Few pages, but to the end: past the numbers, through NaN, to the runs without the metric.
          const maxResults = seen.length === 0 ? 700 : 12_000;
          const page = await database.search({ ...query, maxResults, pageToken });
          seen.push(...page.keys.map((key) => database.runs.get(key)?.runId ?? ''));
          pageToken = page.nextPageToken;
        } while (pageToken !== undefined);
        expect(seen).toEqual(right);
      }
    },
    60_000,
  );
});

describe('values longer than what an index keeps of them', () => {
  test('are told apart by what follows, also where a character takes two code units', async () => {
    await using database = await createModelDatabase([0]);
    const start = 'x'.repeat(127);
    const values = [start, `${start}a`, `${start}ab`, `${start}\u{1F600}`, `${start}\u{1F600}b`];
    const [sample] = fc.sample(arbitraryRun([0]), { numRuns: 1, seed: 3 });
    if (sample === undefined) throw new Error('fast-check gave no run.');
    await database.insert(
      values.map((value, index) => ({
        ...sample,
        runId: `run${index}`,
        isDeleted: false,
        params: new Map([['p', value]]),
      })),
    );
    for (const value of values) {
      for (const filter of [`params.p = '${value}'`, `params.p IN ('${value}', 'y')`]) {
        const { keys } = await database.search({
          workspaceId,
          experimentIds: ['0'],
          filter,
          viewType: 'ALL',
          maxResults: 10,
          orderBy: [],
        });
        expect(keys.map((key) => database.runs.get(key)?.params.get('p'))).toEqual([value]);
      }
    }
  });
});

describe('page tokens', () => {
  const query: RunQuery = {
    workspaceId,
    experimentIds: ['0'],
    filter: '',
    viewType: 'ALL',
    maxResults: 1,
    orderBy: ['metrics.m', 'start_time'],
  };
  let database: ModelDatabase;
  let token: string;
  beforeAll(async () => {
    database = await createModelDatabase(experimentIds);
    await database.insert(fc.sample(arbitraryRun([0]), { numRuns: 5, seed: 1 }));
    token = (await database.search(query)).nextPageToken ?? '';
  });
  afterAll(() => database[Symbol.asyncDispose]());

  const refusal = async (changed: Partial<RunQuery>) => {
    const error: unknown = await database
      .search({ ...query, pageToken: token, ...changed })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MlflowError);
    expect((error as MlflowError).errorCode).toBe('INVALID_PARAMETER_VALUE');
    return (error as MlflowError).message;
  };

  test('go on where the page ended, with another page size as well', async () => {
    const { keys } = await database.search({ ...query, maxResults: 10, pageToken: token });
    expect(keys).toHaveLength(4);
  });

  test.each<[string, Partial<RunQuery>]>([
    ['filter', { filter: 'metrics.m > 0' }],
    ['order', { orderBy: ['metrics.m', 'start_time DESC'] }],
    ['view', { viewType: 'ACTIVE_ONLY' }],
    ['experiments', { experimentIds: ['0', '1'] }],
    ['workspace', { workspaceId: workspaceId + 1 }],
  ])('are refused by a search with another %s', async (_name, changed) => {
    expect(await refusal(changed)).toContain('it belongs to a search with another filter, order or scope');
  });

  const forged = (...places: unknown[]) => {
    const [digest] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    return Buffer.from(JSON.stringify([digest, ...places])).toString('base64url');
  };

  test.each([
    ['not base64url', () => 'a b'],
    ['no JSON', () => 'abc'],
    ['no list', () => Buffer.from('{"offset":2}').toString('base64url')],
    ['a text where a number belongs', () => forged('x', 1, 'a')],
    ['a fraction where an integer belongs', () => forged(1, 1.5, 'a')],
    ['a rank where there is always a value', () => forged(1, { rank: 2 }, 'a')],
    ['an unknown rank', () => forged({ rank: 3 }, 1, 'a')],
    ['SQL', () => forged(1, ['1 or 1=1'], 'a')],
    ['a number where a text belongs', () => forged(1, 1, 1)],
  ])('that hold %s are refused', async (_name, forge) => {
    expect(await refusal({ pageToken: forge() })).toBe('Invalid page token, could not base64-decode');
  });
});

describe('experiments of a search', () => {
  test('are integers; unknown ones are passed over, none find nothing', async () => {
    await using database = await createModelDatabase([0]);
    await database.insert(fc.sample(arbitraryRun([0]), { numRuns: 3, seed: 2 }));
    const search = async (...ids: string[]) =>
      (
        await database.search({
          workspaceId,
          experimentIds: ids,
          viewType: 'ALL',
          maxResults: 10,
          orderBy: [],
        })
      ).keys.length;
    expect(await search()).toBe(0);
    expect(await search('0', '999', '0', '9223372036854775807')).toBe(3);
    expect(await search(...Array.from({ length: 20_000 }, (_, index) => String(index)))).toBe(3);
    await expect(search('0', 'abc')).rejects.toThrow(
      "Invalid experiment ID 'abc'. Experiment ID must be a valid integer.",
    );
  });

  test('a filter at the limits runs', async () => {
    await using database = await createModelDatabase([0]);
    await database.insert(fc.sample(arbitraryRun([0]), { numRuns: 3, seed: 2 }));
    const search = (filter: string) =>
      database.search({
        workspaceId,
        experimentIds: ['0'],
        filter,
        viewType: 'ALL',
        maxResults: 10,
        orderBy: [],
      });
    const many = Array.from({ length: 200 }, (_, index) => `NOT (params.p${index} = 'x' OR metrics.m > 1e300)`);
    expect((await search(many.slice(0, 100).join(' AND '))).keys).toHaveLength(3);
    expect((await search(Array(200).fill("params.absent = 'x'").join(' OR '))).keys).toHaveLength(0);
    let deep = "params.absent = 'x'";
    for (let depth = 0; depth < 99; depth += 1) deep = `NOT (${deep} OR params.absent = 'y')`;
    expect((await search(deep)).keys).toHaveLength(3);
    const values = Array.from({ length: 4_000 }, (_, index) => `'${index}'`).join();
    expect((await search(`params.absent IN (${values})`)).keys).toHaveLength(0);
    expect((await search(`run_id NOT IN (${values})`)).keys).toHaveLength(3);
  });
});
