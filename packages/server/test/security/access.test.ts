import { openTokens } from '@lazuli/server';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@lazuli/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { overSockets } from '../over-sockets.ts';
import { aRun, settingsFor, startServer, type TestServer } from '../server-fixture.ts';
import { everyRoute, failuresOf, isRead, type Served } from './every-route.ts';

/** A server that asks for tokens, with two workspaces and somebody for each role. */
let dataDir: string;
let server: TestServer;
let owner: Client;
const secrets = { owner: '', reader: '', contributor: '', ofA: '', ofB: '', expiring: '' };
const workspaces = ['alpha', 'beta'] as const;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lazuli-access-'));
  const tokens = await openTokens(await settingsFor(dataDir));
  secrets.owner = ((await tokens.createToken({ principal: 'olivia', role: 'Owner' })) as { secret: string }).secret;
  await tokens.close();
  server = await overSockets(await startServer({ 'data-dir': dataDir, auth: 'token' }));
  owner = server.clientFor({ token: secrets.owner });
  for (const name of workspaces) await owner.workspaces.createWorkspace({ name });
  const create = async (
    principal: string,
    role: 'Owner' | 'Reader' | 'Contributor',
    workspace?: string,
  ): Promise<string> =>
    (await owner.apiTokens.createToken({ principal, role, ...(workspace === undefined ? {} : { workspace }) })).secret;
  secrets.reader = await create('rita', 'Reader');
  secrets.contributor = await create('carl', 'Contributor');
  secrets.ofA = await create('anna', 'Owner', 'alpha');
  secrets.ofB = await create('bert', 'Owner', 'beta');
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

async function ask(
  { method, path }: Pick<Served, 'method' | 'path'>,
  headers: Record<string, string> = {},
  body?: unknown,
) {
  const sent = body ?? (method === 'GET' || method === 'HEAD' ? undefined : '{}');
  return server.request(method, path, sent, headers);
}

const bearer = (secret: string): Record<string, string> => ({ authorization: `Bearer ${secret}` });
const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

describe('CVE-2025-14297, CVE-2025-15381, CVE-2026-0545, CVE-2026-2652, CVE-2026-2651, CVE-2026-33866: a route without a check', () => {
  test.each([
    ['no credential', {}],
    ['an empty one', { authorization: '' }],
    ['a made up token', bearer(`lzl_${'x'.repeat(43)}`)],
    ['no scheme', { authorization: 'x' }],
    ['another scheme', { authorization: 'Digest username="olivia"' }],
    ['CVE-2026-2635: the password that MLflow once had', basic('admin', 'password')],
    ['CVE-2026-2635: the password that MLflow had next', basic('admin', 'password1234')],
    ['CVE-2025-11200, CVE-2025-1474: an empty password', basic('olivia', '')],
    ['CVE-2023-6014: a name alone', basic('olivia', 'olivia')],
    ['a list of tokens', { authorization: 'Bearer a, Bearer b' }],
  ])('answers 401 on every route to %s', async (_, headers) => {
    expect(everyRoute.length).toBeGreaterThan(80);
    const failures = await failuresOf(everyRoute, async (route) => {
      const { status, headers: given, text } = await ask(route, headers);
      if (status !== 401 || given['www-authenticate'] === undefined) return String(status);
      return text.includes('olivia') ? text : undefined;
    });
    expect(failures).toEqual([]);
  });

  test('answers 401 before it says whether a workspace exists', async () => {
    const [there, absent] = await Promise.all(
      ['alpha', 'absent'].map((name) =>
        ask({ method: 'GET', path: '/api/2.0/mlflow/runs/get' }, { 'x-mlflow-workspace': name }),
      ),
    );
    expect(there).toMatchObject({ status: 401, text: absent?.text });
  });

  test('answers 401 to a token in the query, in a cookie or in a body', async () => {
    const path = `/api/2.0/mlflow/experiments/get?experiment_id=0&token=${secrets.owner}&access_token=${secrets.owner}`;
    expect((await ask({ method: 'GET', path }, { cookie: `token=${secrets.owner}` })).status).toBe(401);
  });

  test.each([
    '//api/2.0/mlflow/experiments/get?experiment_id=0',
    '/api//2.0/mlflow///experiments/get?experiment_id=0',
    '/API/2.0/mlflow/experiments/get?experiment_id=0',
    '/api/2.0/mlflow/experiments/get/?experiment_id=0',
    '/api/2.0/mlflow/./experiments/get?experiment_id=0',
    '/api/2.0/mlflow/x/../experiments/get?experiment_id=0',
    '/api/2.0/mlflow/%65xperiments/get?experiment_id=0',
    '/api/2.0/mlflow%2Fexperiments%2Fget?experiment_id=0',
    '/api/2.0/mlflow/experiments/get;x=y?experiment_id=0',
    '/health/../api/2.0/mlflow/experiments/get?experiment_id=0',
    '/health%2f..%2fapi/2.0/mlflow/experiments/get?experiment_id=0',
    '/version?/api/2.0/mlflow/experiments/get',
    '/api/2.0mlflow/experiments/get?experiment_id=0',
    '/api/1.0/mlflow/experiments/get?experiment_id=0',
    '/metrics/',
    '/graphql',
    '/api/2.0/mlflow/users/create',
    '/metrics',
  ])('gives nothing for the spelling %s', async (path) => {
    for (const method of ['GET', 'HEAD', 'POST']) {
      const { status, text } = await ask({ method, path });
      expect([401, 404, 405]).toContain(path.startsWith('/version') && method !== 'POST' ? 404 : status);
      expect(text).not.toContain('experiment_id');
    }
  });

  test('lets everybody ask whether the server lives, and no more', async () => {
    expect(await ask({ method: 'GET', path: '/health' })).toMatchObject({ status: 200, text: 'OK' });
    expect((await ask({ method: 'GET', path: '/' })).text).not.toContain(dataDir);
  });
});

describe('CVE-2024-4263: a role that may look', () => {
  test('gets 403 on every route that changes something, and nothing is changed', async () => {
    const before = await owner.experiments.searchExperiments({ max_results: 1000, view_type: 'ALL' });
    const writes = everyRoute.filter((route) => !isRead(route));
    expect(writes.length).toBeGreaterThan(30);
    const failures = await failuresOf(writes, async (route) => {
      const { status } = await ask(
        route,
        bearer(secrets.reader),
        '{"name":"by rita","experiment_id":"0","experimentId":"0"}',
      );
      return status === 403 ? undefined : String(status);
    });
    expect(failures).toEqual([]);
    expect(await owner.experiments.searchExperiments({ max_results: 1000, view_type: 'ALL' })).toEqual(before);
  });

  test('is let through to every route that looks, and only to those', async () => {
    const reads = everyRoute.filter(isRead);
    const failures = await failuresOf(reads, async (route) => {
      const tokens = route.actions.some((action) => action.startsWith('Microsoft.Authorization'));
      const { status } = await ask(route, bearer(secrets.reader));
      return status === 401 || (status === 403 && !tokens) ? String(status) : undefined;
    });
    expect(failures).toEqual([]);
  });

  test('of a contributor does not give out rights', async () => {
    const carl = server.clientFor({ token: secrets.contributor });
    await expect(carl.apiTokens.createToken({ principal: 'carl', role: 'Owner' })).rejects.toMatchObject({
      status: 403,
    });
    await expect(carl.apiTokens.revokeToken({ token_id: 'x' })).rejects.toMatchObject({ status: 403 });
    await expect(carl.experiments.createExperiment({ name: 'by carl' })).resolves.toBeDefined();
  });
});

describe('CVE-2026-2734, CVE-2026-3198: another workspace', () => {
  let ofAlpha: Client;
  let inBeta: { run_id: string; experiment_id: string };
  beforeAll(async () => {
    const ofBeta = server.clientFor({ token: secrets.ofB, workspace: 'beta' });
    ofAlpha = server.clientFor({ token: secrets.ofA, workspace: 'alpha' });
    // Ids of experiments repeat between workspaces: what alpha has must not be mistaken for what beta has.
    await ofBeta.experiments.createExperiment({ name: 'first of beta' });
    inBeta = await aRun(ofBeta);
    await ofBeta.runs.logBatch({
      run_id: inBeta.run_id,
      metrics: [{ key: 'secret', value: 4711, timestamp: 1 }],
      params: [{ key: 'secret', value: 'beta only' }],
    });
    await ofBeta.runs.logInputs({
      run_id: inBeta.run_id,
      datasets: [{ dataset: { name: 'beta only', digest: 'd', source_type: 't', source: 's' } }],
    });
    const upload = {
      authorization: `Bearer ${secrets.ofB}`,
      'x-mlflow-workspace': 'beta',
      'content-type': 'text/plain',
    };
    const path = `/api/2.0/mlflow-artifacts/artifacts/${inBeta.experiment_id}/${inBeta.run_id}/artifacts/secret.txt`;
    expect((await server.request('PUT', path, 'beta only', upload)).status).toBe(200);
  });

  const inWorkspaces = everyRoute.filter(({ scope }) => scope === 'workspace');

  test.each(['beta', 'default'])('is on every route as if it were not there, addressed as %s', async (workspace) => {
    const headersFor = (name: string) => ({ ...bearer(secrets.ofA), 'x-mlflow-workspace': name });
    const failures = await failuresOf(inWorkspaces, async (route) => {
      const { status, text } = await ask(route, headersFor(workspace));
      const absent = await ask(route, headersFor('absent'));
      return status === 404 && text.replaceAll(workspace, 'absent') === absent.text ? undefined : `${status} ${text}`;
    });
    expect(failures).toEqual([]);
  });

  test('is closed on every route, the default one where no name is given', async () => {
    const failures = await failuresOf(inWorkspaces, async (route) => {
      const { status } = await ask(route, bearer(secrets.ofA));
      return status === 403 ? undefined : String(status);
    });
    expect(failures).toEqual([]);
  });

  test('is not told of by the list of workspaces, nor by its name', async () => {
    expect((await ofAlpha.workspaces.listWorkspaces({})).workspaces?.map(({ name }) => name)).toEqual(['alpha']);
    const [there, absent] = await Promise.all(
      ['beta', 'absent'].map((workspace_name) =>
        ofAlpha.workspaces.getWorkspace({ workspace_name }).catch((error: unknown) => error as Error),
      ),
    );
    expect((there as Error).message.replace('beta', 'absent')).toBe((absent as Error).message);
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PATCH', '{"description":"taken"}'],
    ] as const) {
      const { status } = await ask({ method, path: '/api/3.0/mlflow/workspaces/beta' }, bearer(secrets.ofA), body);
      expect(status).toBe(403);
    }
    expect((await owner.workspaces.getWorkspace({ workspace_name: 'beta' })).workspace.description).toBeUndefined();
  });

  test('has ids that mean nothing from outside, whatever names them', async () => {
    const { run_id, experiment_id } = inBeta;
    const headers = { ...bearer(secrets.ofA), 'x-mlflow-workspace': 'alpha' };
    const known = { run_id, run_uuid: run_id, run_ids: [run_id], experiment_id, experiment_ids: [experiment_id] };
    const given: Record<string, unknown> = {
      ...known,
      key: 'secret',
      metric_key: 'secret',
      value: '1',
      timestamp: 1,
      new_name: 'taken',
      experiment_name: 'first of beta',
      models: [],
      max_results: 10,
    };
    const routes = everyRoute.filter(({ endpoint, scope }) => endpoint !== undefined && scope === 'workspace');
    const seen: string[] = [];
    for (const { method, path, endpoint } of routes) {
      const names = Object.keys(endpoint?.input.properties ?? {}).filter((name) => given[name] !== undefined);
      const fields = Object.fromEntries(
        names.map((name) => [name, name === 'run_id' && path.includes('history-bulk') ? [run_id] : given[name]]),
      );
      const query = new URLSearchParams(
        Object.entries(fields).flatMap(([name, value]) =>
          [value].flat().map((one): [string, string] => [name, String(one)]),
        ),
      );
      const inQuery = method === 'GET' || method === 'HEAD' || method === 'DELETE';
      const { status, text } = await server.request(
        method,
        inQuery ? `${path}?${query.toString()}` : path,
        inQuery ? undefined : fields,
        headers,
      );
      // What names one thing must not find it; what lists things has none of these to list.
      const namesOne = ['run_id', 'run_uuid', 'experiment_id'].some((name) => typeof fields[name] === 'string');
      const isRefused = status === 404 || status === 400;
      // *MLflow: the history of a run that is not there is empty.*
      const isEmpty = method !== 'POST' && path.includes('/metrics/get-history') && ['', '{}'].includes(text);
      if (namesOne && !isRefused && !isEmpty) seen.push(`${method} ${path}: ${status} ${text}`);
      if (/beta only|4711|"name":"first of beta"/.test(text)) seen.push(`${method} ${path}: ${text}`);
      // What was asked for by its id may be said not to be there.
      const told = text.replaceAll(`"id":"${run_id}","reason":"it is not there"`, '');
      if (status < 300 && told.includes(run_id)) seen.push(`${method} ${path}: ${text}`);
    }
    expect(seen).toEqual([]);
    const download = `/api/2.0/mlflow-artifacts/artifacts/${experiment_id}/${run_id}/artifacts/secret.txt`;
    expect((await server.request('GET', download, undefined, headers)).status).toBe(404);
    const after = await server.clientFor({ token: secrets.ofB, workspace: 'beta' }).runs.getRun({ run_id });
    expect(after.run.data).toMatchObject({ metrics: [{ value: 4711 }], params: [{ value: 'beta only' }] });
    expect(after.run.info).toMatchObject({ lifecycle_stage: 'active', status: 'RUNNING' });
  });
});

describe('a token that has had its time', () => {
  test('is refused from the next request on', async () => {
    const { token, secret } = await owner.apiTokens.createToken({ principal: 'gone', role: 'Owner' });
    const path = '/api/2.0/mlflow/experiments/get?experiment_id=0';
    expect((await ask({ method: 'GET', path }, bearer(secret))).status).toBe(200);
    await owner.apiTokens.revokeToken({ token_id: token.token_id });
    expect((await ask({ method: 'GET', path }, bearer(secret))).status).toBe(401);
  });
});

test('without authentication a wrong token is refused all the same, and an address that others reach is not listened on', async () => {
  await using open = await startServer();
  const { status } = await open.request(
    'GET',
    '/api/2.0/mlflow/experiments/get?experiment_id=0',
    undefined,
    bearer(secrets.owner),
  );
  expect(status).toBe(401);
  await expect(startServer({ 'data-dir': dataDir, host: '0.0.0.0' })).rejects.toThrow(
    /0\.0\.0\.0.*can be reached from other machines/,
  );
});
