import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createModelDatabase, workspaceId, type ModelDatabase, type ModelRun } from './runs-model.ts';

/** Seven runs, and what MLflow 3.17.2's own server answered about them over HTTP. */
const run = (runName: string, runId: string, startTime: number, rest: Partial<ModelRun> = {}): ModelRun => ({
  runId,
  runName,
  startTime,
  experimentId: 0,
  status: 'RUNNING',
  endTime: null,
  isDeleted: false,
  metrics: new Map(),
  params: new Map(),
  tags: new Map(),
  datasets: [],
  ...rest,
});

const runs = [
  run('a', '4', 1000, {
    endTime: 2000,
    status: 'FINISHED',
    metrics: new Map([
      ['m', 1],
      ['a b', 1],
      ['n', 5],
    ]),
    params: new Map([
      ['p', 'x'],
      ['q', '50%_a'],
    ]),
    tags: new Map([['t', 'v']]),
    datasets: [
      { name: 'ds1', digest: 'dg1', context: 'training' },
      { name: 'ds2', digest: 'dg2', context: 'eval' },
    ],
  }),
  run('b', '7', 1000, { metrics: new Map([['m', NaN]]), params: new Map([['p', 'X']]), tags: new Map([['t', '']]) }),
  run('c', '6', 1001),
  run('d', '2', 1002, {
    metrics: new Map([['m', Number.MAX_VALUE]]),
    params: new Map([['p', "it's"]]),
    tags: new Map([['t', 'V']]),
    datasets: [{ name: 'ds1', digest: 'dg1', context: undefined }],
  }),
  run('e', '5', 1003, {
    endTime: 3000,
    status: 'FAILED',
    metrics: new Map([['m', -1]]),
    params: new Map([['p', 'É']]),
    tags: new Map([['t', 'v']]),
  }),
  run('f', '3', 1003, { metrics: new Map([['m', -Number.MAX_VALUE]]), params: new Map([['p', 'é']]) }),
  run('g', '1', 1003, { metrics: new Map([['m', 1]]), params: new Map([['p', '']]) }),
];

describe("a search answers as MLflow's own server does", () => {
  let database: ModelDatabase;
  beforeAll(async () => {
    database = await createModelDatabase([0]);
    await database.insert(runs);
  });
  afterAll(() => database[Symbol.asyncDispose]());

  const search = async (filter: string, orderBy: string[] = []) => {
    const query = { workspaceId, experimentIds: ['0'], viewType: 'ACTIVE_ONLY', maxResults: 100 } as const;
    const { keys } = await database.search({ ...query, filter, orderBy });
    return keys.map((key) => database.runs.get(key)?.runName).join('');
  };

  test.each([
    ['', 'gfedcab'],
    ['metrics.m = 1', 'ga'],
    ['metrics.m != 1', 'fedb'],
    ['metrics.m > 0', 'gda'],
    ['metrics.m >= 0', 'gda'],
    ['metrics.m <= 1', 'gfea'],
    ['metrics.m != 0', 'gfedab'],
    ['metrics.m = 0', ''],
    ['metrics.m > 1.', 'd'],
    ['metrics.m > 1e308', 'd'],
    ['metrics.m < 1e400', 'gfeda'],
    ['metrics.zz != 1', ''],
    ['metrics.`a b` = 1', 'a'],
    ['`metrics`.m=1', 'ga'],
    ["params.p != 'x'", 'gfedb'],
    ["params.p LIKE 'X%'", 'b'],
    ["params.p ILIKE 'X'", 'ab'],
    ["params.p ilike 'É'", 'e'],
    ["params.p LIKE '%'", 'gfedab'],
    ["params.q LIKE '50\\%%'", ''],
    ["params.q LIKE '5__\\_a'", ''],
    ["params.q LIKE '50%'", 'a'],
    ['params.p IS NULL', 'c'],
    ['params.p IS NOT NULL', 'gfedab'],
    ['params.zz IS NULL', 'gfedcab'],
    ['params.p = "it\'s"', 'd'],
    ["params.p = ''", 'g'],
    ["tags.t != 'v'", 'db'],
    ["tags.t LIKE 'V'", 'd'],
    ["tags.t ILIKE 'V'", 'eda'],
    ['tags.t IS NULL', 'gfc'],
    ["attributes.status LIKE 'RUN%'", 'gfdcb'],
    ["attributes.status = 'finished'", ''],
    ['attributes.start_time > 1001.5', 'gfed'],
    ['attributes.Created > 1001', 'gfed'],
    ['attributes.end_time != 2000', 'e'],
    ['end_time > 0', 'ea'],
    ["run_name ILIKE 'A'", 'a'],
    ["`Run name` != 'a'", 'gfedcb'],
    ["run_id IN ('1', '4')", 'ga'],
    ["run_id NOT IN ('1', '4')", 'fedcb'],
    ["dataset.name != 'ds1'", 'a'],
    ["dataset.name ILIKE 'DS%'", 'da'],
    ["dataset.name NOT IN ('ds1')", 'a'],
    ["dataset.context != 'training'", 'a'],
    ["dataset.name = 'ds1' AND dataset.context = 'eval'", 'a'],
    ["dataset.name = 'ds1' AND dataset.digest = 'dg2'", 'a'],
    ["params.p = 'x' AND params.p = 'X'", ''],
  ])('to the filter %s', async (filter, names) => {
    expect(await search(filter)).toBe(names);
  });

  test.each([
    [['metrics.m'], 'fegadbc'],
    [['metrics.m DESC'], 'dgaefbc'],
    [['params.p'], 'gbdaefc'],
    [['params.p DESC'], 'feadbgc'],
    [['tags.t'], 'bdeagfc'],
    [['tags.t DESC'], 'eadbgfc'],
    [['end_time'], 'aegfdcb'],
    [['end_time DESC'], 'eagfdcb'],
    [['start_time'], 'abcdgfe'],
    [['status'], 'eagfdcb'],
    [['status DESC'], 'gfdcbae'],
    [['status', 'run_id'], 'eagdfcb'],
    [['run_id DESC'], 'bceafdg'],
    [['metrics.zz DESC'], 'gfedcab'],
    [['metrics.`a b`'], 'agfedcb'],
    [['params.p', 'metrics.m DESC'], 'gbdaefc'],
  ])('to the order %j', async (orderBy, names) => {
    expect(await search('', orderBy)).toBe(names);
  });
});
