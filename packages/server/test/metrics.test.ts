import { expect, test } from 'vitest';
import type { Client, Metric } from '@lazuli/client';
import { aRun, onEveryEngine, startServer } from './server-fixture.ts';

const largest = 1.7976931348623157e308;

async function latest(client: Client, run_id: string, key = 'm'): Promise<Metric | undefined> {
  const { run } = await client.runs.getRun({ run_id });
  return run.data.metrics?.find((metric) => metric.key === key);
}

onEveryEngine('the latest point is the one with the largest step, then time, then value', async ({ client }) => {
  const { run_id } = await aRun(client);
  const expected = async (step: number, timestamp: number, value: number, latestOne: [number, number, number]) => {
    await client.runs.logMetric({ run_id, key: 'm', step, timestamp, value });
    const [latestStep, latestTime, latestValue] = latestOne;
    expect(await latest(client, run_id)).toEqual({
      key: 'm',
      step: latestStep,
      timestamp: latestTime,
      value: latestValue,
    });
  };
  await expected(1, 10, 5, [1, 10, 5]);
  await expected(0, 99, 9, [1, 10, 5]);
  await expected(1, 9, 9, [1, 10, 5]);
  await expected(1, 10, 4, [1, 10, 5]);
  await expected(1, 10, 6, [1, 10, 6]);
  await expected(1, 11, -6, [1, 11, -6]);
  await expected(2, 0, 0, [2, 0, 0]);
  await expected(-3, 1, 1, [2, 0, 0]);
});

onEveryEngine('the order holds within one batch and among requests that share a commit', async ({ client }) => {
  const { run_id } = await aRun(client);
  const point = (step: number) => ({ key: 'm', value: step * 10, timestamp: 1, step });
  await client.runs.logBatch({ run_id, metrics: [point(3), point(5), point(4)] });
  expect(await latest(client, run_id)).toMatchObject({ step: 5 });
  await Promise.all([7, 9, 8, 6].map((step) => client.runs.logMetric({ run_id, ...point(step) })));
  expect(await latest(client, run_id)).toMatchObject({ step: 9, value: 90 });
});

onEveryEngine('NaN counts as 0 where points are compared', async ({ client }) => {
  const { run_id } = await aRun(client);
  const log = (value: number) => client.runs.logMetric({ run_id, key: 'm', value, timestamp: 2, step: 1 });
  await log(NaN);
  await log(0);
  await log(-1);
  expect((await latest(client, run_id))?.value).toBeNaN();
  await log(1);
  expect((await latest(client, run_id))?.value).toBe(1);
});

onEveryEngine('NaN comes back as NaN, and infinities as the largest doubles', async ({ client, request }) => {
  const { run_id } = await aRun(client);
  await client.runs.logBatch({
    run_id,
    metrics: [
      { key: 'nan', value: NaN, timestamp: 1 },
      { key: 'inf', value: Infinity, timestamp: 1 },
      { key: 'ninf', value: -Infinity, timestamp: 1 },
    ],
  });
  expect((await latest(client, run_id, 'nan'))?.value).toBeNaN();
  expect((await latest(client, run_id, 'inf'))?.value).toBe(largest);
  expect((await latest(client, run_id, 'ninf'))?.value).toBe(-largest);
  const { text } = await request('GET', `/api/2.0/mlflow/metrics/get-history?run_id=${run_id}&metric_key=nan`);
  expect(text).toContain('"value":"NaN"');
});

onEveryEngine('doubles are kept to the last bit', async ({ client }) => {
  const { run_id } = await aRun(client);
  const values = [0.1 + 0.2, 5e-324, largest, 1 / 3, 1e15, 1e16, 1e-5, 123456789.12345679, -1.5];
  await client.runs.logBatch({
    run_id,
    metrics: values.map((value, index) => ({ key: `m${index}`, value, timestamp: 1 })),
  });
  for (const [index, value] of values.entries()) expect((await latest(client, run_id, `m${index}`))?.value).toBe(value);
});

onEveryEngine('steps and times are exact 64-bit integers', async ({ client, request }) => {
  const { run_id } = await aRun(client);
  const cases = [
    [2n ** 53n + 1n, -(2n ** 53n) - 1n],
    [2n ** 63n - 1n, -(2n ** 63n)],
    [0, 2 ** 53 - 1],
  ] as const;
  for (const [timestamp, step] of cases) {
    const key = `m${timestamp}`;
    await client.runs.logMetric({ run_id, key, value: 1, timestamp, step });
    expect(await latest(client, run_id, key)).toEqual({ key, value: 1, timestamp, step });
  }
  const text = `{"run_id":"${run_id}","metrics":[{"key":"t","value":1,"timestamp":9007199254740995,"step":-9007199254740995}]}`;
  expect((await request('POST', '/api/2.0/mlflow/runs/log-batch', text)).status).toBe(200);
  const answer = await request('GET', `/api/2.0/mlflow/runs/get?run_id=${run_id}`);
  expect(answer.text).toContain('"timestamp":9007199254740995,"step":-9007199254740995');
});

onEveryEngine('two steps that a double cannot tell apart are two steps', async ({ client }) => {
  const { run_id } = await aRun(client);
  const steps = [2n ** 60n, 2n ** 60n + 1n, 2n ** 60n + 2n];
  for (const step of [...steps].reverse())
    await client.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1, step });
  expect((await latest(client, run_id))?.step).toBe(steps[2]);
  const { metrics = [] } = await client.metrics.getMetricHistory({ run_id, metric_key: 'm' });
  expect(metrics.map(({ step }) => step)).toEqual(steps);
});

onEveryEngine('exactly the same point again adds nothing', async ({ client }) => {
  const { run_id } = await aRun(client);
  const points = [1, NaN, 0].map((value) => ({ key: 'm', value, timestamp: 1, step: 1 }));
  await client.runs.logBatch({ run_id, metrics: [...points, ...points] });
  for (const point of points) await client.runs.logMetric({ run_id, ...point });
  await Promise.all(points.map((point) => client.runs.logMetric({ run_id, ...point })));
  const { metrics = [] } = await client.metrics.getMetricHistory({ run_id, metric_key: 'm' });
  // NaN and 0 are two points.
  expect(metrics.map(({ value }) => String(value)).sort()).toEqual(['0', '1', 'NaN']);
});

onEveryEngine('a point without step is at step 0, and every point says its step', async ({ client, request }) => {
  const { run_id } = await aRun(client);
  await client.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1 });
  const { text } = await request('GET', `/api/2.0/mlflow/runs/get?run_id=${run_id}`);
  expect(text).toContain('{"key":"m","value":1,"timestamp":1,"step":0}');
});

test('what a value may be: numbers, numbers as text, NaN and the infinities in the spellings of Python', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const log = (value: string) =>
    server.request(
      'POST',
      '/api/2.0/mlflow/runs/log-metric',
      `{"run_id":"${run_id}","key":"m","value":${value},"timestamp":1}`,
    );
  const accepted = {
    '"1.5"': 1.5,
    '" 1"': 1,
    '"NaN"': NaN,
    '"nan"': NaN,
    '"Infinity"': largest,
    '"-inf"': -largest,
    '"1e400"': largest,
    NaN: NaN,
    Infinity: largest,
    '-Infinity': -largest,
    '1e400': largest,
    '123456789012345678901234567890': 123456789012345680000000000000,
  };
  let step = 0;
  for (const [given, value] of Object.entries(accepted)) {
    step += 1;
    const text = `{"run_id":"${run_id}","key":"m","value":${given},"timestamp":1,"step":${step}}`;
    expect((await server.request('POST', '/api/2.0/mlflow/runs/log-metric', text)).text).toBe('{}');
    expect((await latest(server.client, run_id))?.value).toBe(value);
  }
  for (const given of ['"abc"', '"0x10"', 'true', '[1]', '{}', '"1_0"']) {
    expect((await log(given)).json).toMatchObject({
      error_code: 'INVALID_PARAMETER_VALUE',
      message: expect.stringMatching(
        /^Invalid value .* for parameter 'value' supplied: {2}Hint: Value was of type '/,
      ) as string,
    });
  }
});

test('a time is a 64-bit integer that is not negative', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const log = (timestamp: string) =>
    server.request(
      'POST',
      '/api/2.0/mlflow/runs/log-metric',
      `{"run_id":"${run_id}","key":"m","value":1,"timestamp":${timestamp}}`,
    );
  for (const given of ['0', '"5"', '5.0', '1e3', '"1e3"', '"1.0"', '9223372036854775807']) {
    expect((await log(given)).status, given).toBe(200);
  }
  for (const given of ['1.5', 'true', '"x"', 'NaN', '9223372036854775808', '1e300', '[]']) {
    const { status, json } = await log(given);
    expect(status, given).toBe(400);
    expect(json).toMatchObject({ message: expect.stringContaining("for parameter 'timestamp' supplied") as string });
  }
  expect((await log('-1')).json).toMatchObject({
    message:
      "Invalid value -1 for parameter 'timestamp' supplied: metric 'm' (value=1.0). Timestamp must be a nonnegative long (64-bit integer) ",
  });
});

test('a metric needs run, key, value and time; null and an empty text are none', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const body = { run_id, key: 'm', value: 1, timestamp: 1 };
  const names = ['run_id', 'key', 'value', 'timestamp'] as const;
  for (const name of names) {
    const rest = Object.fromEntries(names.filter((other) => other !== name).map((given) => [given, body[given]]));
    for (const given of [rest, { ...rest, [name]: null }, { ...rest, [name]: '' }]) {
      expect((await server.request('POST', '/api/2.0/mlflow/runs/log-metric', given)).json).toMatchObject({
        message: `Missing value for required parameter '${name}'. See the API docs for more information about request parameters.`,
      });
    }
  }
});

test('a key keeps the rules of names; a message calls it name', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const log = (key: string) => server.client.runs.logMetric({ run_id, key, value: 1, timestamp: 1 });
  await log('k'.repeat(250));
  await log('val/acc top:1');
  await expect(log('k'.repeat(251))).rejects.toThrow("'Metric name' exceeds the maximum length of 250 characters");
  await expect(log('a$')).rejects.toThrow(`Invalid value "a$" for parameter 'name' supplied: Names may only contain`);
  await expect(log('../a')).rejects.toThrow("This name would resolve to '../a'");
});

test('a model that a metric belongs to must exist; half of a dataset is none', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const log = (more: object) => server.client.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1, ...more });
  await log({ model_id: '', dataset_name: 'd', dataset_digest: 'x' });
  await expect(log({ model_id: 'm-1' })).rejects.toMatchObject({
    status: 404,
    message: "Logged model with ID 'm-1' not found.",
  });
  await expect(log({ dataset_name: 'd' })).rejects.toThrow(
    'Both dataset_name and dataset_digest must be provided if one is provided',
  );
});

onEveryEngine('a run that was never there takes no metrics', async ({ client }) => {
  await expect(client.runs.logMetric({ run_id: 'nope', key: 'm', value: 1, timestamp: 1 })).rejects.toMatchObject({
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
    message: 'Run with id=nope not found',
  });
});
