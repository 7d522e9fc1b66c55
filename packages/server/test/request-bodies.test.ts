import { expect, test } from 'vitest';
import { aRun, startServer } from './server-fixture.ts';

const create = '/api/2.0/mlflow/experiments/create';
const byName = '/api/2.0/mlflow/experiments/get-by-name';
const missingName =
  "Missing value for required parameter 'name'. See the API docs for more information about request parameters.";

test('a body is JSON by its Content-Type', async () => {
  await using server = await startServer();
  const typed = async (type: string) =>
    ((await server.request('POST', create, '{}', { 'content-type': type })).json as { message: string }).message;
  for (const type of ['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON']) {
    expect(await typed(type)).toBe(missingName);
  }
  for (const type of [
    'text/plain',
    'application/jsonx',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
  ]) {
    expect(await typed(type)).toBe("Bad Request. Content-Type must be one of ['application/json'].");
  }
  expect((await server.request('POST', create)).json).toMatchObject({
    error_code: 'INVALID_PARAMETER_VALUE',
    message: 'Bad Request. Content-Type header is missing.',
  });
});

test('an empty body, null and an object without fields lack what is required', async () => {
  await using server = await startServer();
  for (const body of ['', 'null', '{}', '"{}"', '"null"', ' {} ']) {
    expect(
      (await server.request('POST', create, body, { 'content-type': 'application/json' })).json,
      body,
    ).toMatchObject({
      error_code: 'INVALID_PARAMETER_VALUE',
      message: missingName,
    });
  }
});

test('what is no JSON object is refused', async () => {
  await using server = await startServer();
  for (const body of [
    '{',
    'garbage',
    '[]',
    '[1]',
    '5',
    'true',
    '"text"',
    '"[1]"',
    '{"name":1,}',
    '{"name":"x"}}',
    'NaN',
    '{NaN',
    '"\\',
  ]) {
    const { status, json } = await server.request('POST', create, body);
    expect([status, json], body).toMatchObject([400, { error_code: 'INVALID_PARAMETER_VALUE' }]);
  }
});

test('a body may be encoded twice, as old clients do', async () => {
  await using server = await startServer();
  expect((await server.request('POST', create, JSON.stringify('{"name":"twice"}'))).status).toBe(200);
  const { run_id } = await aRun(server.client);
  const metric = `{"run_id":"${run_id}","key":"m","value":1,"timestamp":9007199254740993}`;
  expect((await server.request('POST', '/api/2.0/mlflow/runs/log-metric', JSON.stringify(metric))).status).toBe(200);
  const { run } = await server.client.runs.getRun({ run_id });
  expect(run.data.metrics?.[0]?.timestamp).toBe(9007199254740993n);
});

test('unknown fields are ignored, at any depth; of a repeated key the last one counts', async () => {
  await using server = await startServer();
  const body =
    '{"name":5,"name":"x","nope":{"a":[{}]},"__proto__":{"name":"y"},"constructor":1,"tags":[{"key":"k","value":"v","nope":1}]}';
  expect((await server.request('POST', create, body)).status).toBe(200);
  const { experiment } = await server.client.experiments.getExperimentByName({ experiment_name: 'x' });
  expect(experiment.tags).toEqual([{ key: 'k', value: 'v' }]);
  expect(({} as { name?: unknown }).name).toBeUndefined();
});

test('names may be in camelCase, but a field in both spellings is refused', async () => {
  await using server = await startServer();
  const { run_id, experiment_id } = await aRun(server.client);
  const post = (verb: string, body: object) => server.request('POST', `/api/2.0/mlflow/runs/${verb}`, body);
  const { json } = await post('create', { experimentId: experiment_id, runName: 'camel', startTime: 5 });
  expect(json).toMatchObject({ run: { info: { experiment_id, run_name: 'camel', start_time: 5 } } });
  expect((await post('log-batch', { runId: run_id, tags: [{ key: 'a', value: '1' }] })).status).toBe(200);
  for (const [body, snake, camel] of [
    [{ run_id, end_time: 1, endTime: 1 }, 'end_time', 'endTime'],
    [{ run_id, runId: 'other' }, 'run_id', 'runId'],
  ] as const) {
    expect((await post('update', body)).json).toMatchObject({
      error_code: 'INVALID_PARAMETER_VALUE',
      message: `Request specifies both '${snake}' and '${camel}'; provide only one of them.`,
    });
  }
  const dataset = { name: 'd', digest: 'x', source: 's', source_type: 'a', sourceType: 'b' };
  expect((await post('log-inputs', { run_id, datasets: [{ dataset }] })).json).toMatchObject({
    message: "Request specifies both 'source_type' and 'sourceType'; provide only one of them.",
  });
});

test('a value of the wrong type is named with its Python type and shown as JSON', async () => {
  await using server = await startServer();
  for (const [name, shown, type] of [
    [5, '5', 'int'],
    [1.5, '1.5', 'float'],
    [true, 'true', 'bool'],
    [['a'], '["a"]', 'list'],
    [{ b: 1, a: 'ü' }, '{"a":"\\u00fc","b":1}', 'dict'],
  ] as const) {
    expect((await server.request('POST', create, { name })).json).toMatchObject({
      error_code: 'INVALID_PARAMETER_VALUE',
      message: `Invalid value ${shown} for parameter 'name' supplied:  Hint: Value was of type '${type}'. See the API docs for more information about request parameters.`,
    });
  }
  const lists = { name: 'x', tags: 'a' };
  expect((await server.request('POST', create, lists)).json).toMatchObject({
    message: expect.stringMatching(
      /^Invalid value "a" for parameter 'tags' supplied: {2}Hint: Value was of type 'str'\./,
    ) as string,
  });
});

test('a wrong value that nests deep or is long is answered shortly', async () => {
  await using server = await startServer();
  const deep = `{"name":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const wide = JSON.stringify({ name: Array<string>(100_000).fill('x') });
  const big = `{"run_id":"x","key":"m","value":1,"timestamp":1e300,"nope":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  for (const [path, body] of [
    [create, deep],
    [create, wide],
    ['/api/2.0/mlflow/runs/log-metric', big],
  ] as const) {
    const { status, text } = await server.request('POST', path, body);
    expect(status).toBe(400);
    expect(text.length).toBeLessThan(1_000);
  }
});

test('text that engines would store differently is refused: NUL and half of a surrogate pair', async () => {
  await using server = await startServer();
  for (const name of [String.raw`a\u0000b`, String.raw`\ud800`, String.raw`\udc00x`]) {
    const { status } = await server.request('POST', create, `{"name":"${name}"}`);
    expect(status).toBe(400);
  }
  expect((await server.request('POST', create, '{"name":"\\ud83d\\ude00"}')).status).toBe(200);
});

test('a GET is read from its query: the first of repeated keys, a plus as a blank', async () => {
  await using server = await startServer();
  for (const name of ['a b', 'ä&=', '100%']) await server.client.experiments.createExperiment({ name });
  const get = async (query: string) => {
    const { json } = await server.request('GET', `${byName}?${query}`);
    const { experiment, message } = json as { experiment?: { name: string }; message?: string };
    return experiment?.name ?? message;
  };
  expect(await get('experiment_name=a+b')).toBe('a b');
  expect(await get('experiment_name=a%20b&experiment_name=Default')).toBe('a b');
  expect(await get('experiment_name=%C3%A4%26%3D')).toBe('ä&=');
  expect(await get('experiment_name=100%')).toBe('100%');
  expect(await get('experiment_name=Default&unknown=1&__proto__=x')).toBe('Default');
  for (const query of ['experiment_name=', 'other=1']) {
    expect(await get(query)).toMatch(/^Missing value for required parameter 'experiment_name'\./);
  }
});

test('a GET without a query is read from its body; with one, the body does not count', async () => {
  await using server = await startServer();
  const get = async (query: string) =>
    (await server.request('GET', byName + query, { experiment_name: 'Default' })).status;
  expect(await get('')).toBe(200);
  expect(await get('?other=1')).toBe(400);
  const plain = await server.request('GET', byName, '{"experiment_name":"Default"}', { 'content-type': 'text/plain' });
  expect(plain.status).toBe(200);
});

test('a POST is read from its body alone', async () => {
  await using server = await startServer();
  expect((await server.request('POST', `${create}?name=query`, '{}')).json).toMatchObject({ message: missingName });
});

test('lists in a query are repeated keys', async () => {
  await using server = await startServer();
  for (const name of ['b', 'a']) await server.client.experiments.createExperiment({ name });
  const path = '/api/2.0/mlflow/experiments/search?max_results=5&order_by=creation_time%20DESC&order_by=name';
  const { json } = await server.request('GET', path);
  expect((json as { experiments: unknown[] }).experiments).toHaveLength(3);
  expect((await server.request('GET', `${path}&order_by=bogus`)).status).toBe(400);
});
