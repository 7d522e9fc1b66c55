import { deflateSync, gzipSync } from 'node:zlib';
import { createClient } from '@lazuli/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aRun, startServer, type TestServer } from './server-fixture.ts';

const limit = 1024 * 1024;
/** One that has a lane of its own, and one that the framework routes. */
const verbs = ['/api/2.0/mlflow/runs/log-batch', '/api/2.0/mlflow/runs/search'];
const padding = 'x'.repeat(20_000);

let server: TestServer;
let origin: string;
let runId: string;
beforeAll(async () => {
  server = await startServer({ 'max-body-size': '1MiB' });
  await server.server.listen();
  origin = server.server.urls[0] ?? '';
  runId = (await aRun(server.client)).run_id;
});
afterAll(() => server[Symbol.asyncDispose]());

async function post(path: string, body: string | Uint8Array<ArrayBuffer>, coding?: string) {
  const headers = {
    'content-type': 'application/json',
    ...(coding === undefined ? {} : { 'content-encoding': coding }),
  };
  const response = await fetch(origin + path, { method: 'POST', headers, body });
  return { status: response.status, headers: response.headers, json: (await response.json()) as { message?: string } };
}

function batch(key: string, note = ''): string {
  return JSON.stringify({
    run_id: runId,
    note,
    experiment_ids: ['0'],
    metrics: [{ key, value: 1, timestamp: 1, step: 1 }],
  });
}

const compressed = (text: string) => new Uint8Array(gzipSync(text));

describe.each(verbs)('a body of %s', (path) => {
  test.each(['gzip', 'GZIP', 'x-gzip'])('is read through %s', async (coding) => {
    expect((await post(path, compressed(batch(`via-${coding}`)), coding)).status).toBe(200);
  });

  test('is taken as it is with identity', async () => {
    expect((await post(path, batch('plain'), 'identity')).status).toBe(200);
  });

  test('in another coding is refused, and the answer says which one is taken', async () => {
    const { status, headers, json } = await post(path, new Uint8Array(deflateSync(batch('other'))), 'deflate');
    expect([status, headers.get('accept-encoding')]).toEqual([415, 'gzip']);
    expect(json.message).toContain("'deflate'");
  });

  test('that is no gzip, or ends too soon, is refused', async () => {
    for (const body of [batch('plain'), compressed(batch('short')).slice(0, -10)]) {
      const { status, json } = await post(path, body, 'gzip');
      expect([status, json]).toMatchObject([400, { error_code: 'INVALID_PARAMETER_VALUE' }]);
      expect(json.message).toContain('not gzip');
    }
  });

  test('counts as what it holds: a small one that holds too much is refused', async () => {
    const bomb = compressed(batch('bomb', ' '.repeat(limit)));
    expect(bomb.length).toBeLessThan(limit / 100);
    const { status, json } = await post(path, bomb, 'gzip');
    expect(status).toBe(413);
    expect(json.message).toContain(String(limit));
  });
});

test('what came compressed is what is stored', async () => {
  const { run } = await server.client.runs.getRun({ run_id: runId });
  expect(run.data.metrics?.map(({ key }) => key).sort()).toEqual(['plain', 'via-GZIP', 'via-gzip', 'via-x-gzip']);
});

test('long bodies that came as they are hear of it, others do not', async () => {
  const offered = async (body: string | Uint8Array<ArrayBuffer>, coding?: string) =>
    (await post(verbs[0] ?? '', body, coding)).headers.get('accept-encoding');
  expect(await offered(batch('long', padding))).toBe('gzip');
  expect(await offered(batch('short'))).toBeNull();
  expect(await offered(compressed(batch('long', padding)), 'gzip')).toBeNull();
});

test('the client compresses its batches once the server has offered it', async () => {
  const codings: (string | null)[] = [];
  const client = createClient({
    url: 'http://mlflow.example.org',
    fetch: (url, init) => {
      codings.push(new Headers(init?.headers).get('content-encoding'));
      return fetch(new Request(url).url.replace('http://mlflow.example.org', origin), init);
    },
  });
  const { run_id } = await aRun(server.client);
  const metrics = (step: number) =>
    Array.from({ length: 1000 }, (_, i) => ({ key: `metric-${i}`, value: step + i, timestamp: 1, step }));
  for (const step of [1, 2, 3]) await client.runs.logBatch({ run_id, metrics: metrics(step) });
  await client.runs.logBatch({ run_id, metrics: metrics(4).slice(0, 1) });
  expect(codings).toEqual([null, 'gzip', 'gzip', null]);
  const history = await server.client.metrics.getMetricHistory({ run_id, metric_key: 'metric-7' });
  expect(history.metrics?.map(({ value }) => value)).toEqual([8, 9, 10]);
});
