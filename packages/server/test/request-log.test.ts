import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, parseSettings, type Server } from '@lazuli/server';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, request } from './robustness/raw-connection.ts';

let dataDir: string;
let server: Server;
let port: number;
const lines: Record<string, unknown>[] = [];
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lazuli-log-'));
  const settings = parseSettings({
    flags: { 'data-dir': dataDir, port: '0' },
    env: {},
    workingDir: dataDir,
    readFile: () => '',
  });
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  server = await createServer(settings, { logger });
  await server.listen();
  port = Number(new URL(server.urls[0] ?? '').port);
});
afterAll(async () => {
  await server.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** Answered beside the framework, and by it. */
const ways = ['/api/2.0/mlflow/runs/log-metric', '/api/2.0/mlflow/runs/get?run_id=secret'];

test.each(ways)('a request to %s is one line: when, who, what, how long', async (path) => {
  lines.length = 0;
  const text = path.includes('?') ? request('GET', path) : request('POST', path, '{"run_id": "secret", "key": "k"}');
  const { headers, status } = await ask(port, text);
  await expect.poll(() => lines).toHaveLength(1);
  expect(lines[0]).toEqual({
    level: 30,
    time: expect.any(Number) as number,
    pid: process.pid,
    hostname: expect.any(String) as string,
    reqId: headers['x-request-id'],
    method: path.includes('?') ? 'GET' : 'POST',
    path: path.split('?')[0],
    status,
    ms: expect.any(Number) as number,
    principal: 'anonymous',
    workspace: 'default',
  });
  expect(Math.abs(Number(lines[0]?.['time']) - Date.now())).toBeLessThan(10_000);
});

test.each(ways)('the id that a caller gives its request to %s is answered and logged', async (path) => {
  lines.length = 0;
  const id = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const method = path.includes('?') ? 'GET' : 'POST';
  const body = path.includes('?') ? undefined : '{}';
  const kept = await ask(port, request(method, path, body, { 'X-Request-Id': id }));
  expect(kept.headers['x-request-id']).toBe(id);
  const own = await ask(port, request(method, path, body, { 'X-Request-Id': 'two words' }));
  expect(own.headers['x-request-id']).toMatch(/^req-\w+$/);
  await expect.poll(() => lines.map(({ reqId }) => reqId)).toEqual([id, own.headers['x-request-id']]);
});

test('a path that cannot be read is logged and answered as any other refusal', async () => {
  lines.length = 0;
  const { status, headers } = await ask(
    port,
    request('GET', '/api/%zz?token=secret', undefined, { 'X-Request-Id': 'mine' }),
  );
  expect(status).toBe(400);
  expect(headers).toMatchObject({ 'x-request-id': 'mine', 'x-content-type-options': 'nosniff' });
  await expect.poll(() => lines).toMatchObject([{ reqId: 'mine', path: '/api/%zz', status: 400 }]);
});
