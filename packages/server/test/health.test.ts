import { Kysely } from 'kysely';
import { afterEach, expect, test, vi } from 'vitest';
import { startServer, type TestServer } from './server-fixture.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

async function probe(server: TestServer, path: string): Promise<[number, string]> {
  const { status, text, headers } = await server.request('GET', path);
  expect(headers['content-type']).toBe('text/plain; charset=utf-8');
  return [status, text];
}

test('a server that serves is live and ready', async () => {
  await using server = await startServer();
  for (const path of ['/health', '/health/live', '/health/ready']) {
    expect(await probe(server, path)).toEqual([200, 'OK']);
    expect(await server.request('HEAD', path)).toMatchObject({ status: 200, text: '' });
    expect((await server.request('POST', path, {})).status).toBe(404);
  }
});

test('balancers ask by any name, without a token, under the static prefix', async () => {
  await using server = await startServer({ auth: 'token', 'static-prefix': '/mlflow' });
  for (const path of ['/mlflow/health', '/mlflow/health/live', '/mlflow/health/ready']) {
    const { status } = await server.request('GET', path, undefined, { host: '203.0.113.9:8080' });
    expect([path, status]).toEqual([path, 200]);
  }
  expect((await server.request('GET', '/health/ready')).status).toBe(404);
});

test('a server whose database fails is live but not ready, and tells strangers no more than that', async () => {
  await using server = await startServer();
  vi.spyOn(Kysely.prototype, 'selectFrom').mockImplementation(() => {
    throw new Error('disk I/O error in /srv/secret/lazuli.db');
  });
  expect(await probe(server, '/health/ready')).toEqual([503, 'The database does not answer.']);
  expect(await probe(server, '/health')).toEqual([200, 'OK']);
  vi.restoreAllMocks();
  await expect.poll(() => probe(server, '/health/ready')).toEqual([200, 'OK']);
});
