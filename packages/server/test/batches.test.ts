import { expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer } from './server-fixture.ts';

const point = { key: 'm', value: 1, timestamp: 1, step: 0 };
const entries = (count: number, prefix = 'k') =>
  Array.from({ length: count }, (_, index) => ({ key: `${prefix}${index}`, value: '1' }));
const points = (count: number) => Array.from({ length: count }, (_, step) => ({ ...point, step }));

onEveryEngine('a batch logs metrics, params and tags', async ({ client }) => {
  const { run_id } = await aRun(client);
  await client.runs.logBatch({
    run_id,
    metrics: [point, { ...point, step: 1, value: 2 }, { key: 'n', value: NaN, timestamp: 5 }],
    params: [{ key: 'p', value: '1' }, { key: 'q' }],
    tags: [
      { key: 't', value: '1' },
      { key: 'mlflow.runName', value: 'renamed' },
    ],
  });
  const { run } = await client.runs.getRun({ run_id });
  expect(run.info.run_name).toBe('renamed');
  expect(run.data.metrics).toHaveLength(2);
  expect(run.data.metrics).toContainEqual({ ...point, step: 1, value: 2 });
  expect(run.data.metrics).toContainEqual({ key: 'n', value: NaN, timestamp: 5, step: 0 });
  expect(run.data.params).toHaveLength(2);
  expect(run.data.params).toContainEqual({ key: 'q', value: '' });
  expect(run.data.tags).toContainEqual({ key: 't', value: '1' });
});

onEveryEngine('a refused batch leaves nothing behind', async ({ client }) => {
  const { run_id } = await aRun(client);
  await client.runs.logParam({ run_id, key: 'p', value: '1' });
  const before = await client.runs.getRun({ run_id });
  const rest = { metrics: [point], tags: [{ key: 't', value: '1' }] };
  const refused = [
    {
      ...rest,
      params: [
        { key: 'new', value: '1' },
        { key: 'p', value: '2' },
      ],
    },
    { ...rest, params: [{ key: 'a$', value: '' }] },
    {
      ...rest,
      tags: [
        { key: 't', value: '1' },
        { key: 'a$', value: '' },
      ],
    },
    { ...rest, metrics: [point, { ...point, key: 'a$' }] },
    { ...rest, metrics: [point, { ...point, timestamp: -1 }] },
    { ...rest, metrics: [point, { ...point, model_id: 'm-1' }] },
  ];
  for (const batch of refused) await expect(client.runs.logBatch({ run_id, ...batch })).rejects.toThrow();
  expect(await client.runs.getRun({ run_id })).toEqual(before);
  expect(await client.metrics.getMetricHistory({ run_id, metric_key: 'm' })).toEqual({});
});

onEveryEngine('a refused batch spoils no other in the same commit', async ({ client }) => {
  const [one, two] = [await aRun(client), await aRun(client)];
  await client.runs.logParam({ run_id: one.run_id, key: 'p', value: '1' });
  const outcomes = await Promise.allSettled([
    client.runs.logBatch({ run_id: two.run_id, metrics: [point], params: [{ key: 'p', value: '2' }] }),
    client.runs.logBatch({ run_id: one.run_id, metrics: [point], params: [{ key: 'p', value: '2' }] }),
    client.runs.logBatch({ run_id: 'nope', metrics: [point] }),
    client.runs.logBatch({ run_id: one.run_id, tags: [{ key: 't', value: '1' }] }),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  const read = async (run_id: string) => (await client.runs.getRun({ run_id })).run.data;
  expect(await read(one.run_id)).not.toHaveProperty('metrics');
  expect((await read(one.run_id)).tags).toContainEqual({ key: 't', value: '1' });
  expect((await read(two.run_id)).metrics).toEqual([point]);
});

onEveryEngine('a batch that is sent again changes nothing', async ({ client }) => {
  const { run_id } = await aRun(client);
  const batch = { run_id, metrics: points(3), params: [{ key: 'p', value: '1' }], tags: [{ key: 't', value: '1' }] };
  await client.runs.logBatch(batch);
  const before = await client.runs.getRun({ run_id });
  await client.runs.logBatch(batch);
  await Promise.all([client.runs.logBatch(batch), client.runs.logBatch(batch)]);
  expect(await client.runs.getRun({ run_id })).toEqual(before);
  expect((await client.metrics.getMetricHistory({ run_id, metric_key: 'm' })).metrics).toEqual(points(3));
});

test('limits: 1000 metrics, 100 params, 100 tags, 1000 in all', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const log = (batch: object) => server.client.runs.logBatch({ run_id, ...batch });
  await log({ metrics: points(1000) });
  await log({ params: entries(100), tags: entries(100), metrics: points(800) });
  const refusal = (kind: string, limit: number) =>
    `A batch logging request can contain at most ${limit} ${kind}. Got ${limit + 1} ${kind}. Please split up ${kind} across multiple requests and try again.`;
  await expect(log({ metrics: points(1001) })).rejects.toThrow(refusal('metrics', 1000));
  await expect(log({ params: entries(101) })).rejects.toThrow(refusal('params', 100));
  await expect(log({ tags: entries(101) })).rejects.toThrow(refusal('tags', 100));
  await expect(log({ params: entries(100), tags: entries(100), metrics: points(801) })).rejects.toThrow(
    refusal('metrics, params, and tags', 1000),
  );
});

test('a large batch of long values is taken', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const long = entries(100).map(({ key }) => ({ key: key + 'x'.repeat(240), value: 'ä'.repeat(8_000) }));
  await server.client.runs.logBatch({ run_id, params: long, tags: long });
  const { data } = (await server.client.runs.getRun({ run_id })).run;
  expect(data.params?.[0]?.value).toHaveLength(6_000);
  expect(data.tags?.find(({ key }) => key.startsWith('k'))?.value).toHaveLength(8_000);
});

onEveryEngine('a param key stands once in a batch; of a tag key the last one counts', async ({ client }) => {
  const { run_id } = await aRun(client);
  const twice = [
    { key: 'a', value: '1' },
    { key: 'a', value: '1' },
    { key: 'b', value: '1' },
    { key: 'b', value: '2' },
  ];
  await expect(client.runs.logBatch({ run_id, params: twice })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message:
      "Duplicate parameter keys have been submitted: ['a', 'b']. Please ensure the request contains only one param value per param key.",
  });
  await client.runs.logBatch({ run_id, tags: twice });
  expect((await client.runs.getRun({ run_id })).run.data.tags).toContainEqual({ key: 'b', value: '2' });
});

onEveryEngine('every param that a batch would change is named', async ({ client }) => {
  const { run_id } = await aRun(client);
  const given = (value: string) => ['a', 'b'].map((key) => ({ key, value }));
  await client.runs.logBatch({ run_id, params: given('1') });
  await expect(client.runs.logBatch({ run_id, params: given("it's") })).rejects.toMatchObject({
    message: `Changing param values is not allowed. Params were already logged='[{'key': 'a', 'old_value': '1', 'new_value': "it's"}, {'key': 'b', 'old_value': '1', 'new_value': "it's"}]' for run ID='${run_id}'.`,
  });
});

onEveryEngine('empty lists, no lists and null lists log nothing', async ({ client, request }) => {
  const { run_id } = await aRun(client);
  const before = await client.runs.getRun({ run_id });
  for (const lists of [{}, { metrics: [], params: [], tags: [] }, { metrics: null, params: null, tags: null }]) {
    expect((await request('POST', '/api/2.0/mlflow/runs/log-batch', { run_id, ...lists })).text).toBe('{}');
  }
  expect(await client.runs.getRun({ run_id })).toEqual(before);
});

test('what an entry lacks is named with its place', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const messageOf = async (lists: object) =>
    ((await server.request('POST', '/api/2.0/mlflow/runs/log-batch', { run_id, ...lists })).json as { message: string })
      .message;
  const missing = (name: string) =>
    `Missing value for required parameter '${name}'. See the API docs for more information about request parameters.`;
  for (const field of ['key', 'value', 'timestamp']) {
    for (const nothing of [undefined, null]) {
      expect(await messageOf({ metrics: [point, { ...point, [field]: nothing }] })).toBe(
        missing(`metrics[1].${field}`),
      );
    }
  }
  expect(await messageOf({ params: [{ value: '1' }] })).toBe(missing('params[0].key'));
  expect(await messageOf({ tags: [{ key: '', value: '1' }] })).toBe(missing('tags[0].key'));
  expect(await messageOf({ metrics: [{ ...point, value: 'abc' }] })).toMatch(
    /^Invalid value "abc" for parameter 'metrics\[0\]\.value' supplied/,
  );
  expect(await messageOf({ metrics: [point, { ...point, step: 'x' }] })).toMatch(
    /^Invalid value "x" for parameter 'metrics\[1\]\.step'/,
  );
  expect(await messageOf({ metrics: [{ ...point, key: 5 }] })).toMatch(
    /^Invalid value 5 for parameter 'metrics\[0\]\.key'/,
  );
  expect(await messageOf({ params: [{ key: 'p', value: 1 }] })).toMatch(
    /^Invalid value 1 for parameter 'params\[0\]\.value'/,
  );
  expect(await messageOf({ metrics: ['x'] })).toMatch(/^Invalid value "x" for parameter 'metrics\[0\]'/);
  expect(await messageOf({ metrics: 'x' })).toMatch(/^Invalid value "x" for parameter 'metrics' supplied/);
  expect(await messageOf({ metrics: [{ ...point, key: 'a$' }] })).toMatch(
    /for parameter 'metrics\[0\]\.name' supplied: Names may only/,
  );
  expect(await messageOf({ params: [{ key: 'a//b' }] })).toMatch(
    /for parameter 'params\[0\]\.key' supplied: .* would resolve to 'a\/b'$/,
  );
  expect(await messageOf({ tags: [{ key: 'k'.repeat(251) }] })).toBe(
    "'tags[0].key' exceeds the maximum length of 250 characters",
  );
  expect(await messageOf({ metrics: [{ ...point, timestamp: -1 }] })).toBe(
    "Invalid value -1 for parameter 'metrics[0].timestamp' supplied: metric 'm' (value=1.0). Timestamp must be a nonnegative long (64-bit integer) ",
  );
});

test('the form of the run id is checked first, then the data, then the run is looked for', async () => {
  await using server = await startServer();
  const log = (body: object) => server.client.runs.logBatch(body);
  await expect(log({})).rejects.toThrow("Missing value for required parameter 'run_id'");
  await expect(log({ run_id: 'a/b' })).rejects.toThrow(`Invalid value "a/b" for parameter 'run_id' supplied.`);
  await expect(log({ run_id: 'nope', tags: entries(101) })).rejects.toMatchObject({ status: 400 });
  await expect(log({ run_id: 'nope' })).rejects.toMatchObject({ status: 404, message: 'Run with id=nope not found' });
});
