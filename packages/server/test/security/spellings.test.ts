import { contract, routesOf, type Endpoint } from '@lazuli/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aRun, startServer, type TestServer } from '../server-fixture.ts';

/**
 * More cases of section 4.3 of the protocol's notes: what a check reads and what a handler reads must be one thing. A field
 * in two spellings, in the query and in the body, twice in one body, or in a place that is read only sometimes.
 */
let server: TestServer;
let mine: { run_id: string; experiment_id: string };
let other: { run_id: string; experiment_id: string };
beforeAll(async () => {
  server = await startServer();
  mine = await aRun(server.client);
  other = await aRun(server.client);
});
afterAll(() => server[Symbol.asyncDispose]());

const state = async (): Promise<unknown> => [
  await server.client.experiments.searchExperiments({ max_results: 1000, view_type: 'ALL' }),
  (
    await server.client.runs.searchRuns({
      experiment_ids: [mine.experiment_id, other.experiment_id],
      run_view_type: 'ALL',
    })
  ).runs,
];

const spelled = Object.values(contract).flatMap((group) =>
  Object.values<Endpoint>(group).flatMap((endpoint) => {
    const inPath = [...endpoint.path.matchAll(/\{\*?(\w+)\}/g)].map(([, name]) => name);
    const names = Object.keys(endpoint.input.properties).filter((name) => name.includes('_') && !inPath.includes(name));
    return routesOf(endpoint).flatMap(({ method, path }) => names.map((name) => ({ method, path, name })));
  }),
);

describe('a field in both spellings', () => {
  test('is refused by every endpoint that has it, in the body and in the query, and changes nothing', async () => {
    expect(spelled.length).toBeGreaterThan(80);
    const before = await state();
    const failures: string[] = [];
    for (const { method, path, name } of spelled) {
      const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      const url = path.replaceAll(/\{\*?\w+\}/g, 'default');
      const needed = {
        key: 'k',
        value: '1',
        name: 'n',
        principal: 'p',
        role: 'Owner',
        metric_key: 'k',
        timestamp: '1',
        experiment_id: '1',
        run_id: 'r',
        version: '1',
        source: 's3://bucket/x',
        stage: 'None',
        path: 'x',
        object: 'o',
        user_name: 'ann@example.org',
        display_name: 'd',
        certificate: 'c',
        issuer: 'https://issuer.example.org',
        subject: 's',
      };
      const both = { ...needed, [name]: mine.run_id, [camel]: other.run_id };
      const answer =
        method === 'GET' || method === 'DELETE'
          ? await server.request(method, `${url}?${new URLSearchParams(both).toString()}`)
          : await server.request(method, url, both);
      const { message = '' } = answer.json as { message?: string };
      if (answer.status !== 400 || !message.includes(`both '${name}' and '${camel}'`))
        failures.push(`${method} ${url} ${name}: ${answer.text}`);
    }
    expect(failures).toEqual([]);
    expect(await state()).toEqual(before);
  });

  test('is refused inside lists as well', async () => {
    const tokens = [{ dataset: { name: 'n', digest: 'd', source_type: 'a', sourceType: 'b', source: 's' } }];
    const { status } = await server.request('POST', '/api/2.0/mlflow/runs/log-inputs', {
      run_id: mine.run_id,
      datasets: tokens,
    });
    expect(status).toBe(400);
  });
});

describe('a request that says one thing in its query and another in its body', () => {
  test('is read from the body alone where it changes something', async () => {
    const before = await state();
    const path = `/api/2.0/mlflow/runs/delete?run_id=${other.run_id}`;
    expect((await server.request('POST', path, {})).status).toBe(400);
    expect(await state()).toEqual(before);
    await server.request('POST', path, { run_id: mine.run_id });
    const stages = await Promise.all(
      [mine, other].map(async ({ run_id }) => (await server.client.runs.getRun({ run_id })).run.info.lifecycle_stage),
    );
    expect(stages).toEqual(['deleted', 'active']);
    await server.client.runs.restoreRun({ run_id: mine.run_id });
  });

  test('is read from the query alone where it looks, unless that is empty', async () => {
    const ask = async (path: string, body: object): Promise<unknown> =>
      ((await server.request('GET', path, body)).json as { run?: { info: { run_id: string } } }).run?.info.run_id;
    const path = '/api/2.0/mlflow/runs/get';
    expect(await ask(`${path}?run_id=${mine.run_id}`, { run_id: other.run_id })).toBe(mine.run_id);
    expect(await ask(path, { run_id: other.run_id })).toBe(other.run_id);
    expect(await ask(`${path}?`, { run_id: other.run_id })).toBe(other.run_id);
    expect(await ask(`${path}?x=y`, { run_id: other.run_id })).toBeUndefined();
  });
});

describe('HEAD', () => {
  test('answers as GET does, without the body', async () => {
    for (const path of [
      `/api/2.0/mlflow/runs/get?run_id=${mine.run_id}`,
      '/api/2.0/mlflow/runs/get?run_id=unknown',
      '/api/2.0/mlflow/experiments/get',
      '/ajax-api/2.0/mlflow/experiments/search?max_results=1',
      '/nowhere',
    ]) {
      const [get, head] = [await server.request('GET', path), await server.request('HEAD', path)];
      expect(head).toMatchObject({ status: get.status, text: '' });
      expect(head.headers['content-type']).toBe(get.headers['content-type']);
    }
  });
});

describe('a key that stands twice in a body', () => {
  test('has one meaning, the last, for the check of keys and for what is stored', async () => {
    const { run_id } = mine;
    const body = `{"run_id":"${run_id}","key":"../../allowed","key":"second","value":"1","value":"2"}`;
    expect((await server.request('POST', '/api/2.0/mlflow/runs/set-tag', body)).status).toBe(200);
    const refused = `{"run_id":"${run_id}","key":"third","key":"../../refused","value":"1"}`;
    expect((await server.request('POST', '/api/2.0/mlflow/runs/set-tag', refused)).status).toBe(400);
    const { run } = await server.client.runs.getRun({ run_id });
    expect(run.data.tags?.filter(({ key }) => key !== 'mlflow.runName')).toEqual([{ key: 'second', value: '2' }]);
  });
});

describe('a property that objects have from birth', () => {
  test.each(['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf'])(
    '%s is neither a field nor a change of all objects',
    async (name) => {
      const { run_id } = mine;
      const body = `{"${name}": {"run_id": "${other.run_id}", "admin": true}, "run_id": "${run_id}", "key": "${name}", "value": "x"}`;
      expect((await server.request('POST', '/api/2.0/mlflow/runs/set-tag', body)).status).toBe(200);
      expect(
        (await server.request('POST', '/api/2.0/mlflow/runs/log-batch', `{"${name}": {"run_id": "${run_id}"}}`)).status,
      ).toBe(400);
      await server.client.runs.logBatch({
        run_id,
        params: [{ key: name, value: 'x' }],
        metrics: [{ key: name, value: 1, timestamp: 1 }],
      });
      const { run } = await server.client.runs.getRun({ run_id });
      for (const list of [run.data.tags, run.data.params, run.data.metrics])
        expect(list?.map(({ key }) => key)).toContain(name);
      const found = await server.client.runs.searchRuns({
        experiment_ids: [mine.experiment_id],
        filter: `params.${name} = 'x' AND metrics.${name} = 1`,
      });
      expect(found.runs).toHaveLength(1);
      expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    },
  );
});
