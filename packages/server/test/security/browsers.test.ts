import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { overSockets } from '../over-sockets.ts';
import { startServer, type TestServer } from '../server-fixture.ts';
import { changesSomething, everyRoute, failuresOf } from './every-route.ts';

/** What a web page can make the browser of somebody do who runs a server on this machine. */
let server: TestServer;
let withoutSockets: TestServer;
beforeAll(async () => {
  withoutSockets = await startServer();
  server = await overSockets(withoutSockets);
});
afterAll(() => server[Symbol.asyncDispose]());

const everything = async (): Promise<unknown> => [
  await server.client.experiments.searchExperiments({ max_results: 1000, view_type: 'ALL' }),
  await server.client.runs.searchRuns({ experiment_ids: ['0'], run_view_type: 'ALL' }),
  await server.client.workspaces.listWorkspaces({}),
  await server.client.apiTokens.listTokens({}),
];
/** Right for several endpoints, so that one that forgot its check would do something. */
const tempting =
  '{"name":"by a page","experiment_id":"0","principal":"page","role":"Owner","key":"k","value":"v","new_name":"n"}';

describe('CVE-2025-14279: DNS rebinding', () => {
  test.each([
    'evil.example.org',
    'evil.example.org:5000',
    '127.0.0.1.evil.example.org',
    'localhost.evil.example.org',
    '0x7f000001',
    '169.254.169.254',
    '127.0.0.1@evil.example.org',
  ])('finds every route closed under the name %j', async (host) => {
    const before = await everything();
    const failures = await failuresOf(everyRoute, async ({ method, path }) => {
      const { status } = await server.request(
        method,
        path,
        changesSomething({ method } as never) ? tempting : undefined,
        { host },
      );
      return status === 403 ? undefined : String(status);
    });
    expect(failures).toEqual([]);
    expect((await server.request('GET', '/', undefined, { host })).status).toBe(403);
    expect(await everything()).toEqual(before);
  });
});

describe('CVE-2023-43472, CVE-2025-1473, CVE-2026-2611: a page of another origin', () => {
  test.each([
    'https://evil.example.org',
    'null',
    'http://127.0.0.1.evil.example.org',
    'http://localhost:1',
    'file://',
    'http://127.0.0.1:80@evil.example.org',
    'garbage',
  ])('changes nothing on any route as %s', async (origin) => {
    const before = await everything();
    const failures = await failuresOf(everyRoute.filter(changesSomething), async ({ method, path }) => {
      const { status } = await server.request(method, path, tempting, { origin });
      return status === 403 ? undefined : String(status);
    });
    expect(failures).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  test('is never told that it may read an answer', async () => {
    const origin = 'https://evil.example.org';
    const failures = await failuresOf(everyRoute, async ({ method, path }) => {
      const answer = await server.request(method, path, method === 'GET' || method === 'HEAD' ? undefined : '{}', {
        origin,
      });
      const preflight = await server.request('OPTIONS', path, undefined, {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'content-type',
      });
      const allowed = [answer, preflight]
        .flatMap(({ headers }) => Object.keys(headers))
        .filter((name) => name.startsWith('access-control'));
      return allowed.length === 0 && preflight.text === '' ? undefined : `${allowed.join()} ${preflight.text}`;
    });
    expect(failures).toEqual([]);
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain; application/json',
    'application/jsonx',
    'text/json',
    '',
  ])('changes nothing with the simple content type %j, even where the browser names no origin', async (type) => {
    const before = await everything();
    // Uploads take any type: they are PUT and DELETE, which a page cannot send without asking first; what the one that
    // is a POST takes is tested with it (artifacts/run-files.test.ts).
    const routes = everyRoute.filter((route) => changesSomething(route) && route.endpoint !== undefined);
    const failures = await failuresOf(routes, async ({ method, path }) => {
      const { status, json } = await server.request(method, path, tempting, { 'content-type': type });
      const { message = '' } = json as { message?: string };
      return status === 400 && message.startsWith('Bad Request. Content-Type') ? undefined : `${status} ${message}`;
    });
    expect(failures).toEqual([]);
    const posts = everyRoute.filter(({ method, endpoint }) => method === 'POST' && endpoint === undefined);
    expect(posts.map(({ path }) => path)).toEqual(['/ajax-api/2.0/mlflow/upload-artifact']);
    expect(await everything()).toEqual(before);
  });
});

describe('every answer', () => {
  test('tells the browser not to guess its type and not to show it in a frame', async () => {
    const extra = ['/', '/health', '/version', '/nowhere', '/api/2.0/mlflow/nowhere'].map((path) => ({
      method: 'GET',
      path,
    }));
    const variants: readonly Record<string, string>[] = [
      {},
      { host: 'evil.example.org' },
      { origin: 'null' },
      { authorization: 'Bearer x' },
      { 'x-mlflow-workspace': 'absent' },
    ];
    const statuses = new Set<number>();
    const failures: string[] = [];
    for (const { method, path } of [...everyRoute, ...extra]) {
      for (const sent of [method, 'OPTIONS', 'PUT', 'TRACE']) {
        for (const headers of variants) {
          const body = ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(sent) ? undefined : '{}';
          // Beside the framework the hot lane answers, and that only to a route's own method.
          const { request } = sent === method ? server : withoutSockets;
          const answer = await request(sent, path, body, headers);
          statuses.add(answer.status);
          if (
            answer.headers['x-content-type-options'] !== 'nosniff' ||
            answer.headers['x-frame-options'] !== 'SAMEORIGIN'
          ) {
            failures.push(`${sent} ${path} ${JSON.stringify(headers)}: ${answer.status}`);
          }
        }
      }
    }
    expect(failures).toEqual([]);
    expect([...statuses]).toEqual(expect.arrayContaining([200, 204, 400, 401, 403, 404, 405]));
  });

  test('CVE-2023-6568: has a type of the server’s choice, and shows nothing of the request as HTML', async () => {
    const script = '<script>alert(1)</script>';
    const encoded = encodeURIComponent(script);
    const post = ['experiments/create', 'runs/create', 'nowhere'].map((path) => `/api/2.0/mlflow/${path}`);
    const requests: [method: string, path: string, headers: Record<string, string>, body?: string][] = [
      ...post.flatMap((path) =>
        [script, 'text/html', `text/html; charset=${script}`].map((type): (typeof requests)[number] => [
          'POST',
          path,
          { 'content-type': type },
          '{}',
        ]),
      ),
      ...post.map((path): (typeof requests)[number] => ['POST', path, { host: script }, '{}']),
      ['POST', '/api/2.0/mlflow/experiments/create', {}, `{"name": ["${script}"]}`],
      ['POST', '/api/2.0/mlflow/runs/create', {}, `{"experiment_id": ["${script}"]}`],
      ['GET', `/${encoded}`, { accept: 'text/html' }],
      ['GET', `/api/2.0/mlflow/experiments/get?experiment_id=${encoded}`, { accept: 'text/html' }],
      ['GET', '/', { host: script }],
    ];
    for (const [method, path, headers, body] of requests) {
      const answer = await server.request(method, path, body, headers);
      const { status, text } = answer;
      const shown = `${method} ${path} ${JSON.stringify(headers)}`;
      expect(status, shown).toBeGreaterThanOrEqual(400);
      const type = 'host' in headers ? /^text\/plain; charset=utf-8$/ : /^application\/json(; charset=utf-8)?$/;
      expect(answer.headers['content-type'], shown).toMatch(type);
      // JSON may quote what it refuses; a type or a host is not shown at all.
      if ('content-type' in headers || 'host' in headers) expect(text, shown).not.toContain('<');
    }
  });

  test('CVE-2026-33865: with a file that a user has stored is a download that no browser runs', async () => {
    const base = '/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts';
    for (const name of ['page.html', 'picture.svg', 'page.xhtml', 'MLmodel', 'x.js', 'x.xml']) {
      const upload = await server.request('PUT', `${base}/${name}`, '<script>alert(1)</script>', {
        'content-type': 'text/html',
      });
      expect(upload.status).toBe(200);
      const { headers } = await server.request('GET', `${base}/${name}`);
      expect(headers['content-disposition']).toMatch(/^attachment/);
      expect(headers['content-type']).toMatch(/^(text\/plain|application\/octet-stream)/);
      expect(headers['content-security-policy']).toContain('sandbox');
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
  });
});
