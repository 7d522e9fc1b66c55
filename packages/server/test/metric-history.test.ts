import { expect, test } from 'vitest';
import type { Client } from '@lazuli/client';
import { aRun, onEveryEngine, startServer } from './server-fixture.ts';

type Point = readonly [timestamp: number, step: number, value: number];

async function aRunWith(client: Client, points: readonly Point[], key = 'm'): Promise<string> {
  const { run_id } = await aRun(client);
  for (let start = 0; start < points.length; start += 1000) {
    const metrics = points
      .slice(start, start + 1000)
      .map(([timestamp, step, value]) => ({ key, timestamp, step, value }));
    await client.runs.logBatch({ run_id, metrics });
  }
  return run_id;
}

const shortly = (metrics: readonly { timestamp: unknown; step?: unknown; value: number }[] = []) =>
  metrics.map(({ timestamp, step, value }) => [timestamp, step, value]);

onEveryEngine('a history is in the order of time, step and value', async ({ client }) => {
  const run_id = await aRunWith(client, [
    [5, 1, 2],
    [5, 1, -1],
    [4, 9, 7],
    [6, -2, 7],
    [5, 0, 3],
  ]);
  const { metrics } = await client.metrics.getMetricHistory({ run_id, metric_key: 'm' });
  expect(shortly(metrics)).toEqual([
    [4, 9, 7],
    [5, 0, 3],
    [5, 1, -1],
    [5, 1, 2],
    [6, -2, 7],
  ]);
  expect((await client.metrics.getMetricHistory({ run_uuid: run_id, metric_key: 'm' })).metrics).toEqual(metrics);
});

onEveryEngine(
  'pages of a history follow each other without gap or overlap, also where points are added',
  async ({ client }) => {
    const points = Array.from({ length: 50 }, (_, index): Point => [
      Math.floor(index / 7),
      index % 3,
      index % 5 === 0 ? NaN : index,
    ]);
    const run_id = await aRunWith(client, points);
    const all = shortly((await client.metrics.getMetricHistory({ run_id, metric_key: 'm' })).metrics);
    expect(all).toHaveLength(new Set(points.map(String)).size);
    const seen: unknown[] = [];
    let page_token: string | undefined;
    do {
      const page = await client.metrics.getMetricHistory({
        run_id,
        metric_key: 'm',
        max_results: 7,
        ...(page_token === undefined ? {} : { page_token }),
      });
      seen.push(...shortly(page.metrics));
      page_token = page.next_page_token;
      // Before the first page, so no later page shows it.
      await client.runs.logMetric({ run_id, key: 'm', value: seen.length, timestamp: 0, step: -1 });
    } while (page_token !== undefined);
    expect(seen).toEqual(all);
  },
);

onEveryEngine('a last page that is full has no token', async ({ client }) => {
  const run_id = await aRunWith(client, [
    [1, 1, 1],
    [2, 2, 2],
  ]);
  const page = async (max_results: number) => client.metrics.getMetricHistory({ run_id, metric_key: 'm', max_results });
  expect(await page(2)).not.toHaveProperty('next_page_token');
  expect(await page(1)).toHaveProperty('next_page_token');
});

onEveryEngine('without a page size a history is whole', async ({ client }) => {
  const points = Array.from({ length: 3_000 }, (_, step): Point => [step, step, step]);
  const run_id = await aRunWith(client, points);
  expect(shortly((await client.metrics.getMetricHistory({ run_id, metric_key: 'm' })).metrics)).toEqual(points);
});

onEveryEngine(
  'an unknown metric and an unknown run have an empty history; a deleted run keeps its own',
  async ({ client, request }) => {
    const run_id = await aRunWith(client, [[1, 1, 1]]);
    const history = async (query: string) =>
      (await request('GET', `/api/2.0/mlflow/metrics/get-history?${query}`)).text;
    expect(await history(`run_id=${run_id}&metric_key=nope`)).toBe('{}');
    expect(await history('run_id=nope&metric_key=m')).toBe('{}');
    await client.runs.deleteRun({ run_id });
    expect(await history(`run_id=${run_id}&metric_key=m`)).toBe(
      '{"metrics":[{"key":"m","value":1,"timestamp":1,"step":1}]}',
    );
  },
);

test('a history names its run and metric; its pages are positive; its tokens are its own', async () => {
  await using server = await startServer();
  const history = async (query: string) =>
    (await server.request('GET', `/api/2.0/mlflow/metrics/get-history?${query}`)).json as { message: string };
  const missing = (name: string) =>
    `Missing value for required parameter '${name}'. See the API docs for more information about request parameters.`;
  expect((await history('metric_key=m')).message).toBe(missing('run_id'));
  expect((await history('run_id=a')).message).toBe(missing('metric_key'));
  for (const size of [0, -1]) {
    expect((await history(`run_id=a&metric_key=m&max_results=${size}`)).message).toBe(
      `Invalid value ${size} for parameter 'max_results' supplied. It must be a positive integer.`,
    );
  }
  for (const token of ['abc', '!!!', btoa('{"offset": 1}'), btoa('["1","2",5,"x"]')]) {
    expect((await history(`run_id=a&metric_key=m&page_token=${encodeURIComponent(token)}`)).message).toBe(
      'Invalid page token, could not base64-decode',
    );
  }
});

onEveryEngine(
  'histories of several runs come one after the other, up to a number of points in all',
  async ({ client }) => {
    const ids = [
      await aRunWith(client, [
        [2, 2, 2],
        [1, 1, 1],
      ]),
      await aRunWith(client, [
        [3, 3, 3],
        [4, 4, NaN],
      ]),
      'nope',
    ].sort();
    const bulk = async (more: object = {}) =>
      (
        (
          await client.metrics.getMetricHistoryBulk({
            run_id: [...ids].reverse().concat(ids),
            metric_key: 'm',
            ...more,
          })
        ).metrics ?? []
      ).map(({ run_id, timestamp }) => [run_id, timestamp]);
    const all = await bulk();
    expect(all.map(([run_id]) => run_id)).toEqual(ids.filter((id) => id !== 'nope').flatMap((id) => [id, id]));
    expect(await bulk({ max_results: 3 })).toEqual(all.slice(0, 3));
  },
);

test('several histories: an empty answer still has its list, as the web interface reads it', async () => {
  await using server = await startServer();
  const bulk = (query: string) => server.request('GET', `/ajax-api/2.0/mlflow/metrics/get-history-bulk?${query}`);
  expect((await bulk('run_id=nope&metric_key=m')).text).toBe('{"metrics":[]}');
  const { run_id } = await aRun(server.client);
  expect((await bulk(`run_id=${run_id}&metric_key=m&max_results=0`)).text).toBe('{"metrics":[]}');
  expect((await bulk('metric_key=m')).json).toMatchObject({
    message: 'GetMetricHistoryBulk request must specify at least one run_id.',
  });
  expect((await bulk('run_id=a')).json).toMatchObject({
    message: 'GetMetricHistoryBulk request must specify a metric_key.',
  });
  const ids = (count: number) => Array.from({ length: count }, (_, index) => `run_id=r${index}`).join('&');
  expect((await bulk(`${ids(100)}&metric_key=m`)).status).toBe(200);
  expect((await bulk(`${ids(101)}&metric_key=m`)).json).toMatchObject({
    message: 'GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received 101 run_ids.',
  });
  expect((await bulk('run_id=a&metric_key=m&max_results=abc')).status).toBe(400);
  expect((await server.request('GET', '/api/2.0/mlflow/metrics/get-history-bulk?run_id=a&metric_key=m')).status).toBe(
    404,
  );
});

onEveryEngine(
  'a sample takes the first point of each of its buckets, and the last point of all',
  async ({ client }) => {
    // Times run backwards: a sample goes by steps.
    const run_id = await aRunWith(
      client,
      Array.from({ length: 20 }, (_, step): Point => [100 - step, step, step]),
    );
    const sample = async (max_results: number, more: object = {}) =>
      (
        await client.metrics.getMetricHistoryBulkInterval({ run_ids: [run_id], metric_key: 'm', max_results, ...more })
      ).metrics?.map(({ step }) => step);
    expect(await sample(7)).toEqual([0, 3, 6, 9, 12, 15, 19]);
    expect(await sample(6)).toEqual([0, 4, 8, 11, 14, 19]);
    expect(await sample(2)).toEqual([0, 19]);
    expect(await sample(1)).toEqual([19]);
    expect(await sample(20)).toEqual(Array.from({ length: 20 }, (_, step) => step));
    expect(await sample(2500)).toHaveLength(20);
    expect(await sample(3, { start_step: 3, end_step: 8 })).toEqual([3, 5, 8]);
    expect(await sample(5, { start_step: 4, end_step: 4 })).toEqual([4]);
    expect(await sample(5, { start_step: 40, end_step: 50 })).toBeUndefined();
    expect(await sample(20, { start_step: -(2n ** 62n), end_step: 2n ** 62n })).toHaveLength(20);
  },
);

onEveryEngine(
  'samples come in the order of the runs asked for, a run that is asked for twice twice',
  async ({ client }) => {
    const one = await aRunWith(client, [[1, 1, NaN]]);
    const two = await aRunWith(client, [[1, -1, 2]]);
    const { metrics } = await client.metrics.getMetricHistoryBulkInterval({
      run_ids: [two, one, 'nope', two],
      metric_key: 'm',
    });
    expect(metrics).toEqual([
      { key: 'm', value: 2, timestamp: 1, step: -1, run_id: two },
      { key: 'm', value: NaN, timestamp: 1, step: 1, run_id: one },
      { key: 'm', value: 2, timestamp: 1, step: -1, run_id: two },
    ]);
  },
);

test('a sample names 1 to 100 runs, 1 to 2500 points, and both steps or none', async () => {
  await using server = await startServer();
  const sample = async (query: string) =>
    (await server.request('GET', `/api/2.0/mlflow/metrics/get-history-bulk-interval?${query}`)).json as {
      message?: string;
    };
  const hint = ' See the API docs for more information about request parameters.';
  expect((await sample('metric_key=m')).message).toBe(`Missing value for required parameter 'run_ids'.${hint}`);
  expect((await sample('run_ids=a')).message).toBe(`Missing value for required parameter 'metric_key'.${hint}`);
  for (const size of ['0', '-1', '2501']) {
    expect((await sample(`run_ids=a&metric_key=m&max_results=${size}`)).message).toBe(
      `max_results must be between 1 and 2500.${hint}`,
    );
  }
  expect((await sample('run_ids=a&metric_key=m&max_results=abc')).message).toBe(
    `Invalid value "abc" for parameter 'max_results' supplied:  Hint: Value was of type 'str'.${hint}`,
  );
  for (const step of ['start_step=1', 'end_step=1']) {
    expect((await sample(`run_ids=a&metric_key=m&${step}`)).message).toBe(
      'If either start step or end step are specified, both must be specified.',
    );
  }
  expect((await sample('run_ids=a&metric_key=m&start_step=5&end_step=2')).message).toBe(
    'end_step must be greater than start_step. Found start_step=5 and end_step=2.',
  );
  const ids = Array.from({ length: 101 }, (_, index) => `run_ids=r${index}`).join('&');
  expect((await sample(`${ids}&metric_key=m`)).message).toBe(
    `GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received 101 run_ids.${hint}`,
  );
});
