import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { openTokens, parseSettings } from '@lazuli/server';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseOnSharedPostgres } from './postgres/test-databases.ts';
import { ask, openRaw, request } from './robustness/raw-connection.ts';
import { aRun, startServer, type TestServer } from './server-fixture.ts';

/** Every sample of an exposition by its name and labels. Throws where a line is none. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const [, name, type] = /^# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (name !== undefined && type !== undefined) {
      types.set(name, type);
      continue;
    }
    const [, series = '', value = ''] =
      /^([a-z_][a-z0-9_]*(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})?) (-?[\d.e+-]+)$/.exec(line) ?? [];
    if (series === '') throw new Error(`This is no line of the text format: ${line}`);
    const metric = /^[a-z0-9_]+/.exec(series)?.[0] ?? '';
    if (!types.has(metric) && !types.has(metric.replace(/_(bucket|sum|count)$/, ''))) {
      throw new Error(`Nothing said what ${metric} is.`);
    }
    if (samples.has(series)) throw new Error(`${series} stands there twice.`);
    samples.set(series, Number(value));
  }
  return samples;
}

async function scrape(server: TestServer, path = '/metrics'): Promise<Map<string, number>> {
  const { status, text, headers } = await server.request('GET', path);
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  return samplesOf(text);
}

function requestCount(samples: Map<string, number>, method: string, route: string, status: number): number {
  const labels = `{method="${method}",route="${route}",status="${status}"}`;
  return samples.get(`lazuli_http_request_duration_seconds_count${labels}`) ?? 0;
}

describe('metrics', () => {
  let server: TestServer;
  let port: number;
  beforeAll(async () => {
    server = await startServer();
    await server.server.listen();
    port = Number(new URL(server.server.urls[0] ?? '').port);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const logPath = '/api/2.0/mlflow/runs/log-metric';

  test('count logging requests, beside the framework and through it, under one route', async () => {
    const { run_id } = await aRun(server.client);
    const body = JSON.stringify({ run_id, key: 'm', value: 1, timestamp: 1 });
    const before = requestCount(await scrape(server), 'POST', logPath, 200);
    for (const path of [logPath, logPath, `${logPath}?x=1`, `/${logPath}`]) {
      expect((await ask(port, request('POST', path, body))).status).toBe(200);
    }
    const samples = await scrape(server);
    expect(requestCount(samples, 'POST', logPath, 200) - before).toBe(4);
    expect(
      samples.get(
        `lazuli_http_request_duration_seconds_bucket{method="POST",route="${logPath}",status="200",le="+Inf"}`,
      ),
    ).toBe(requestCount(samples, 'POST', logPath, 200));
    expect(
      samples.get(`lazuli_http_request_duration_seconds_sum{method="POST",route="${logPath}",status="200"}`),
    ).toBeGreaterThan(0);
  });

  test('count refusals, of the host guard too, on both ways', async () => {
    const foreign = { Host: 'evil.example.com' };
    for (const path of [logPath, `${logPath}?x=1`]) {
      expect((await ask(port, request('POST', path, '{', foreign))).status).toBe(403);
      expect((await ask(port, request('POST', path, '{'))).status).toBe(400);
    }
    const samples = await scrape(server);
    expect(requestCount(samples, 'POST', logPath, 403)).toBe(2);
    expect(requestCount(samples, 'POST', logPath, 400)).toBe(2);
  });

  test('name routes by their templates, so that nobody can make them grow', async () => {
    for (let index = 0; index < 50; index += 1) {
      await server.request('GET', `/nowhere/${index}`);
      await server.request('GET', `/api/3.0/mlflow/workspaces/absent-${index}`);
      await server.request('GET', `/api/2.0/mlflow-artifacts/artifacts/0/${index}/file`);
      await server.request('GET', `/%zz/${index}`);
    }
    for (const method of ['PROPFIND', 'LINK', 'SEARCH']) await ask(port, request(method, '/nowhere'));
    const samples = await scrape(server);
    expect(requestCount(samples, 'GET', '/api/3.0/mlflow/workspaces/{workspace_name}', 404)).toBe(50);
    expect(requestCount(samples, 'GET', '/api/2.0/mlflow-artifacts/artifacts/*', 404)).toBe(50);
    expect(requestCount(samples, 'GET', 'unmatched', 404) + requestCount(samples, 'GET', 'unmatched', 400)).toBe(100);
    expect([...samples.keys()].filter((series) => /absent-|nowhere|zz|PROPFIND|LINK|SEARCH/.test(series))).toEqual([]);
  });

  test('tell of commits: how many requests shared each, and how many wait', async () => {
    const { run_id } = await aRun(server.client);
    const before = await scrape(server);
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        ask(port, request('POST', logPath, JSON.stringify({ run_id, key: `k${index}`, value: 1, timestamp: 1 }))),
      ),
    );
    const after = await scrape(server);
    const grown = (series: string): number => (after.get(series) ?? NaN) - (before.get(series) ?? NaN);
    expect(grown('lazuli_commit_group_size_sum')).toBe(40);
    const commits = grown('lazuli_commit_group_size_count');
    expect(commits).toBeGreaterThan(0);
    expect(commits).toBeLessThanOrEqual(40);
    expect(grown('lazuli_commit_duration_seconds_count')).toBe(commits);
    expect(grown('lazuli_commit_duration_seconds_sum')).toBeGreaterThan(0);
    expect(grown('lazuli_commit_group_bytes_sum')).toBeGreaterThan(40);
    expect(after.get('lazuli_commit_queue_depth')).toBe(0);
  });

  test('tell of connections, of what is under way on them, and of bytes', async () => {
    using idle = await openRaw(port);
    using sending = await openRaw(port);
    sending.write(request('POST', logPath, '{"run_id": "x"}').slice(0, -1));
    idle.write(request('GET', '/health'));
    await idle.answer();
    const scrapeOverSocket = async () => samplesOf((await ask(port, request('GET', '/metrics'))).body);
    const samples = await scrapeOverSocket();
    // The one that sends, and the scrape itself.
    expect(samples.get('lazuli_http_requests_in_flight')).toBe(2);
    expect(samples.get('lazuli_http_connections')).toBeGreaterThanOrEqual(3);
    sending.write('}');
    await sending.answer();
    const large = 'x'.repeat(100_000);
    await ask(port, request('POST', '/api/2.0/mlflow/experiments/create', JSON.stringify({ name: large })));
    const later = await scrapeOverSocket();
    expect(later.get('lazuli_http_requests_in_flight')).toBe(1);
    const grown = (name: string): number => (later.get(name) ?? NaN) - (samples.get(name) ?? NaN);
    expect(grown('lazuli_http_received_bytes_total')).toBeGreaterThan(100_000);
    expect(grown('lazuli_http_sent_bytes_total')).toBeGreaterThan(1_000);
  });

  test('say which version runs, and tell of the process', async () => {
    const samples = await scrape(server);
    expect(samples.get('lazuli_build_info{version="0.1.0",mlflow_version="3.17.0"}')).toBe(1);
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(0);
  });
});

test('two servers of one process count on their own', async () => {
  await using one = await startServer();
  await using other = await startServer();
  await one.request('GET', '/version');
  expect(requestCount(await scrape(one), 'GET', '/version', 200)).toBe(1);
  expect(requestCount(await scrape(other), 'GET', '/version', 200)).toBe(0);
});

test('routes are the same under a static prefix', async () => {
  await using server = await startServer({ 'static-prefix': '/mlflow' });
  await server.request('GET', '/mlflow/');
  await server.request('GET', '/mlflow/version');
  expect((await server.request('GET', '/metrics')).status).toBe(404);
  const samples = await scrape(server, '/mlflow/metrics');
  expect(requestCount(samples, 'GET', '/', 200)).toBe(1);
  expect(requestCount(samples, 'GET', '/version', 200)).toBe(1);
});

describe('metrics of a server that asks for tokens', () => {
  let dataDir: string;
  let server: TestServer;
  const secrets: Record<string, string> = {};
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lazuli-monitoring-'));
    const database: Record<string, string> =
      inject('engine') === 'postgres' ? { 'database-url': await databaseOnSharedPostgres(dataDir) } : {};
    const settings = parseSettings({
      flags: { 'data-dir': dataDir, ...database },
      env: {},
      workingDir: dataDir,
      readFile: () => '',
    });
    const tokens = await openTokens(settings);
    const { secret } = (await tokens.createToken({ principal: 'olivia', role: 'Owner' })) as { secret: string };
    await tokens.close();
    server = await startServer({ 'data-dir': dataDir, auth: 'token' });
    const owner = server.clientFor({ token: secret });
    secrets['Owner'] = secret;
    for (const role of ['Reader', 'Contributor'] as const) {
      secrets[role] = (await owner.apiTokens.createToken({ principal: role, role })).secret;
    }
    const workspace = 'default';
    for (const role of ['Owner', 'Reader'] as const) {
      secrets[`${role} of a workspace`] = (
        await owner.apiTokens.createToken({ principal: role, role, workspace })
      ).secret;
    }
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true, force: true });
  });

  const scrapeAs = (who: string | undefined) =>
    server.request(
      'GET',
      '/metrics',
      undefined,
      who === undefined ? {} : { authorization: `Bearer ${secrets[who] ?? who}` },
    );

  test.each(['Owner', 'Contributor', 'Reader'])('are told to a %s of the whole server', async (who) => {
    const { status, text } = await scrapeAs(who);
    expect(status).toBe(200);
    expect(samplesOf(text).size).toBeGreaterThan(50);
  });

  test.each(['Owner of a workspace', 'Reader of a workspace'])('are not told to an %s alone', async (who) => {
    const { status, json } = await scrapeAs(who);
    expect([status, json]).toMatchObject([403, { error_code: 'PERMISSION_DENIED' }]);
  });

  test('are not told to strangers, nor under a foreign name', async () => {
    expect(await scrapeAs(undefined)).toMatchObject({ status: 401 });
    expect(await scrapeAs(`lzl_${'x'.repeat(43)}`)).toMatchObject({ status: 401 });
    const foreign = { authorization: `Bearer ${secrets['Owner'] ?? ''}`, host: 'evil.example.com' };
    expect((await server.request('GET', '/metrics', undefined, foreign)).status).toBe(403);
  });
});
