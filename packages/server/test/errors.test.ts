import { expect, test } from 'vitest';
import { aRun, startServer } from './server-fixture.ts';

test('an error is one JSON object: code, message, sqlstate and class', async () => {
  await using server = await startServer();
  const { status, headers, text } = await server.request('GET', '/api/2.0/mlflow/runs/get?run_id=nope');
  expect(status).toBe(404);
  expect(headers['content-type']).toMatch(/^application\/json/);
  expect(text).toBe(
    '{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Run with id=nope not found","sqlstate":"KAM00","error_class":"RESOURCE_NOT_FOUND"}',
  );
});

test('each code has its status and its class', async () => {
  await using server = await startServer();
  const { experiment_id } = await aRun(server.client);
  await server.client.experiments.deleteExperiment({ experiment_id });
  const post = async (path: string, body: object) => {
    const { status, json } = await server.request('POST', `/api/2.0/mlflow/${path}`, body);
    const { error_code, sqlstate, error_class } = json as Record<string, string>;
    return [status, error_code, sqlstate, error_class];
  };
  expect(await post('experiments/create', {})).toEqual([
    400,
    'INVALID_PARAMETER_VALUE',
    'KAM00',
    'INVALID_PARAMETER_VALUE',
  ]);
  expect(await post('experiments/create', { name: 'Default' })).toEqual([
    400,
    'RESOURCE_ALREADY_EXISTS',
    'KAM00',
    'RESOURCE_ALREADY_EXISTS',
  ]);
  expect(await post('runs/delete', { run_id: 'nope' })).toEqual([
    404,
    'RESOURCE_DOES_NOT_EXIST',
    'KAM00',
    'RESOURCE_NOT_FOUND',
  ]);
  expect(await post('experiments/update', { experiment_id, new_name: 'x' })).toEqual([
    400,
    'INVALID_STATE',
    'XXM00',
    'CLIENT_INTERNAL_ERROR',
  ]);
  expect(await post('nope', {})).toEqual([404, 'ENDPOINT_NOT_FOUND', undefined, undefined]);
});

test('every answer, refused ones too, forbids sniffing and framing', async () => {
  await using server = await startServer();
  for (const path of [
    '/api/2.0/mlflow/experiments/get?experiment_id=0',
    '/api/2.0/mlflow/experiments/get',
    '/nope',
    '/health',
    '/',
  ]) {
    const { headers } = await server.request('GET', path);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' });
  }
});

test('a success without content is an empty object, and answers are compact JSON', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const { text, headers } = await server.request('POST', '/api/2.0/mlflow/runs/set-tag', {
    run_id,
    key: 'k',
    value: 'v',
  });
  expect(text).toBe('{}');
  expect(headers['content-type']).toMatch(/^application\/json/);
  const { text: whole } = await server.request('GET', `/api/2.0/mlflow/runs/get?run_id=${run_id}`);
  expect(whole).toBe(JSON.stringify(JSON.parse(whole)));
});
