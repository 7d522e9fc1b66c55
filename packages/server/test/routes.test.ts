import { contract, routesOf, type Endpoint } from '@lazuli/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type TestServer } from './server-fixture.ts';

const endpoints = Object.entries(contract).flatMap(([noun, group]) =>
  Object.entries<Endpoint>(group).map(([name, definition]) => ({ name: `${noun}.${name}`, definition })),
);
const routes = endpoints.flatMap(({ name, definition }) =>
  routesOf(definition).map(({ method, path }) => ({ name, method, path: path.replace(/\{\*?\w+\}/, 'some-name') })),
);

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const body = (method: string) => (method === 'GET' || method === 'DELETE' ? undefined : {});

test.each(routes)('$method $path is served', async ({ method, path }) => {
  const { status, text } = await server.request(method, path, body(method));
  expect(status, text).not.toBe(405);
  // A local folder signs nothing.
  expect(status === 501 || status < 500, text).toBe(true);
  expect(text).not.toContain('ENDPOINT_NOT_FOUND');
});

test('MLflow’s tracking endpoints are served under both of its prefixes', () => {
  const paths = new Set(routes.map(({ method, path }) => `${method} ${path}`));
  const verbs = {
    'GET experiments': ['get', 'get-by-name', 'search'],
    'POST experiments': [
      'create',
      'search',
      'delete',
      'restore',
      'update',
      'set-experiment-tag',
      'delete-experiment-tag',
    ],
    'GET runs': ['get'],
    'POST runs': [
      ...['create', 'update', 'delete', 'restore', 'search'],
      ...['log-metric', 'log-parameter', 'set-tag', 'delete-tag', 'log-batch', 'log-inputs', 'outputs'],
    ],
    'GET metrics': ['get-history', 'get-history-bulk-interval'],
    'GET artifacts': ['list'],
  };
  for (const [where, names] of Object.entries(verbs)) {
    const [method, noun] = where.split(' ');
    for (const name of names) {
      for (const prefix of ['/api', '/ajax-api']) {
        expect(paths, name).toContain(`${method} ${prefix}/2.0/mlflow/${noun}/${name}`);
      }
    }
  }
  expect(paths).toContain('GET /ajax-api/2.0/mlflow/metrics/get-history-bulk');
});

describe('a path with another method', () => {
  const methodsOf = (path: string) =>
    routes.filter((route) => route.path === path).map(({ method }) => method as string);
  const proxied = /mlflow-artifacts\/artifacts\/some-name$/;
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])('%s is refused and told what there is', async (method) => {
    for (const { path } of routes.filter((route) => !proxied.test(route.path))) {
      const methods = methodsOf(path);
      if (methods.includes(method)) continue;
      const { status, headers, json } = await server.request(method, path, body(method));
      expect([path, status]).toEqual([path, 405]);
      expect(json).toMatchObject({ error_code: 'BAD_REQUEST' });
      const allowed = String(headers['allow']).split(', ');
      expect(allowed).toEqual(expect.arrayContaining(methods));
      expect(allowed).not.toContain(method);
    }
  });
});

test('HEAD answers as GET does, without the body', async () => {
  const path = '/api/2.0/mlflow/experiments/get?experiment_id=0';
  const [get, head] = [await server.request('GET', path), await server.request('HEAD', path)];
  expect([head.status, head.text]).toEqual([200, '']);
  expect(head.headers['content-length']).toBe(get.headers['content-length']);
  expect((await server.request('HEAD', '/api/2.0/mlflow/experiments/get?experiment_id=99')).status).toBe(404);
});

test.each([
  '/api/2.0/mlflow/nope',
  '/ajax-api/2.0/mlflow/nope',
  '/api/2.0/mlflow/registered-models/nope',
  '/api/3.0/mlflow/model-versions/search',
  '/api/3.0/mlflow/traces',
  '/api/1.0/mlflow/experiments/get',
  '/api/3.0/mlflow/experiments/get',
  '/api/2.0/preview/mlflow/experiments/get',
  '/api/2.0/mlflow/experiments/get/',
  '/api/2.0/mlflow/Experiments/get',
  '/api/2.0/mlflow',
  '/static-files/x',
  '/nope',
])('nothing is at %s, in MLflow’s error shape', async (path) => {
  for (const method of ['GET', 'POST', 'DELETE']) {
    const { status, headers, json } = await server.request(method, path, body(method));
    expect([status, json]).toMatchObject([
      404,
      { error_code: 'ENDPOINT_NOT_FOUND', message: expect.any(String) as string },
    ]);
    expect(headers['content-type']).toMatch(/^application\/json/);
  }
});

test('two slashes are one', async () => {
  expect((await server.request('GET', '//api/2.0//mlflow/experiments/get?experiment_id=0')).status).toBe(200);
});

test('health, version and the page answer without any client', async () => {
  expect((await server.request('GET', '/health')).text).toBe('OK');
  expect((await server.request('HEAD', '/health')).status).toBe(200);
  expect((await server.request('GET', '/version')).text).toMatch(/^3\.\d+\.\d+$/);
  const page = await server.request('GET', '/');
  expect(page.status).toBe(200);
  expect(page.headers['content-type']).toMatch(/^text\/html/);
});

test('server info says what clients may use', async () => {
  for (const prefix of ['/api', '/ajax-api']) {
    const { json } = await server.request('GET', `${prefix}/3.0/mlflow/server-info`);
    expect(json).toEqual({
      store_type: 'SqlStore',
      workspaces_enabled: true,
      trace_archival_enabled: false,
      multipart_uploads_enabled: false,
      multipart_downloads_enabled: false,
      presigned_upload_run_id_supported: true,
      presigned_upload_model_id_supported: true,
    });
  }
});

test('server info takes no notice of the workspace addressed', async () => {
  const { status } = await server.request('GET', '/api/3.0/mlflow/server-info', undefined, {
    'x-mlflow-workspace': 'nope',
  });
  expect(status).toBe(200);
});

test('with a static prefix everything is below it, and nothing beside it', async () => {
  await using prefixed = await startServer({ 'static-prefix': '/ml' });
  for (const path of [
    '/health',
    '/version',
    '/',
    '/api/2.0/mlflow/experiments/get?experiment_id=0',
    '/ajax-api/3.0/mlflow/server-info',
  ]) {
    expect((await prefixed.request('GET', `/ml${path}`)).status, path).toBe(200);
    if (path !== '/') expect((await prefixed.request('GET', path)).status, path).toBe(404);
  }
  expect((await prefixed.request('PUT', '/ml/api/2.0/mlflow/runs/get', {})).status).toBe(405);
});
