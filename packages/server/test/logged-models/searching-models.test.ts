import { expect, test } from 'vitest';
import type { Client } from '@lazuli/client';
import { aRun, onEveryEngine, startServer } from '../server-fixture.ts';

/** Four models in one experiment: the answers below are those of MLflow's own server to the same models. */
async function fourModels(client: Client) {
  const { run_id, experiment_id } = await aRun(client);
  const ids = new Map<string, string>();
  const names = ['a1', 'b2', 'c3', 'A4'];
  const values = [0.5, 0.9, NaN, 0.7];
  for (const [index, name] of names.entries()) {
    const { model } = await client.loggedModels.createLoggedModel({
      experiment_id,
      name,
      params: [{ key: 'lr', value: String(index) }],
      tags: [{ key: 't.x', value: `v${index}` }],
      ...(index % 2 === 1 ? { model_type: 'T', source_run_id: run_id } : {}),
    });
    const { model_id, creation_timestamp_ms: created } = model.info;
    ids.set(model_id, name);
    const value = values[index] as number;
    const point = { run_id, key: 'acc', model_id };
    await client.runs.logMetric({ ...point, value, timestamp: 5, step: 1, dataset_name: 'd1', dataset_digest: 'x' });
    if (!Number.isNaN(value)) {
      const other = { dataset_name: 'd2', dataset_digest: 'y' };
      await client.runs.logMetric({ ...point, value: 1 - value, timestamp: 9, step: 2, ...other });
    }
    while (Date.now() <= Number(created)) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  type Query = Partial<Parameters<Client['loggedModels']['searchLoggedModels']>[0]>;
  const page = (query: Query = {}) =>
    client.loggedModels.searchLoggedModels({ experiment_ids: [experiment_id], ...query });
  const search = async (query: Query = {}) =>
    ((await page(query)).models ?? []).map(({ info }) => ids.get(info.model_id) ?? info.model_id).join(' ');
  const idOf = (name: string) => [...ids].find(([, each]) => each === name)?.[0] ?? '';
  return { search, page, idOf, run_id, experiment_id };
}

onEveryEngine('models are found by filters', async ({ client }) => {
  const { search, idOf, run_id, experiment_id } = await fourModels(client);
  for (const [filter, found] of [
    ['', 'A4 c3 b2 a1'],
    ["name = 'a1'", 'a1'],
    ["attributes.name = 'a1'", 'a1'],
    ["name != 'a1'", 'A4 c3 b2'],
    ["name LIKE 'A%'", 'A4'],
    ["name ilike 'A%'", 'A4 a1'],
    ["name IN ('a1','b2')", 'b2 a1'],
    ["name NOT IN ('a1')", 'A4 c3 b2'],
    ["name = 'a1' AND name = 'a1'", 'a1'],
    ["name = 'a1' OR name = 'b2'", 'b2 a1'],
    ["NOT name = 'a1'", 'A4 c3 b2'],
    ["model_type = 'T'", 'A4 b2'],
    ["model_type != 'T'", 'c3 a1'],
    ["source_run_id = ''", 'c3 a1'],
    [`source_run_id = '${run_id}'`, 'A4 b2'],
    [`model_id = '${idOf('b2')}'`, 'b2'],
    [`experiment_id = '${experiment_id}'`, 'A4 c3 b2 a1'],
    [`experiment_id != '${experiment_id}'`, ''],
    ["artifact_location LIKE '%/models/m-%'", 'A4 c3 b2 a1'],
    ["lifecycle_stage = 'active'", 'A4 c3 b2 a1'],
    ['status = 1', 'A4 c3 b2 a1'],
    ["status = 'PENDING'", 'A4 c3 b2 a1'],
    ["status IN ('READY', 'FAILED')", ''],
    ["status = 'LOGGED_MODEL_PENDING'", 'A4 c3 b2 a1'],
    ['creation_timestamp > 0', 'A4 c3 b2 a1'],
    ['creation_time < 0', ''],
    ['creation_timestamp_ms >= 1.5', 'A4 c3 b2 a1'],
    ['last_updated_timestamp > 0 AND last_updated_timestamp_ms > 0', 'A4 c3 b2 a1'],
    ['metrics.acc > 0.6', 'A4 b2'],
    ['metrics.acc > 0.4', 'A4 b2 a1'],
    ['metrics.acc = 0.9', 'b2'],
    ['metrics.acc != 0.9', 'A4 c3 b2 a1'],
    ['metrics.`acc` > .6', 'A4 b2'],
    ['metrics.nope != 1', ''],
    ["params.lr = '1'", 'b2'],
    ['params.lr = 1', 'b2'],
    ["params.lr IN ('1', '2')", 'c3 b2'],
    ["params.nope != 'x'", ''],
    ["tags.`t.x` = 'v1'", 'b2'],
    ["tags.t.x LIKE 'v%' AND params.lr = '2'", 'c3'],
  ] as const) {
    expect([filter, await search({ filter })]).toEqual([filter, found]);
  }
});

onEveryEngine('models are found by the datasets that they were measured on', async ({ client }) => {
  const { search } = await fourModels(client);
  const d1 = { dataset_name: 'd1', dataset_digest: 'x' };
  const d2 = { dataset_name: 'd2', dataset_digest: 'y' };
  expect(await search({ datasets: [d1] })).toBe('A4 c3 b2 a1');
  expect(await search({ datasets: [d2] })).toBe('A4 b2 a1');
  expect(await search({ datasets: [{ dataset_name: 'd2' }] })).toBe('A4 b2 a1');
  expect(await search({ datasets: [{ ...d1, dataset_digest: 'zz' }] })).toBe('');
  const filter = 'metrics.acc > 0.4';
  expect(await search({ datasets: [d1], filter })).toBe('A4 b2 a1');
  expect(await search({ datasets: [d2], filter })).toBe('a1');
  expect(await search({ datasets: [d1, d2], filter: 'metrics.acc > 0.6' })).toBe('A4 b2');
  expect(await search({ datasets: [d2], filter: "name = 'c3'" })).toBe('');
});

onEveryEngine('models are ordered by fields and by metrics on a dataset', async ({ client }) => {
  const { search } = await fourModels(client);
  const on = (name: string) => ({ dataset_name: name });
  for (const [clause, found] of [
    [{ field_name: 'name' }, 'A4 a1 b2 c3'],
    [{ field_name: 'name', ascending: false }, 'c3 b2 a1 A4'],
    [{ field_name: 'creation_timestamp' }, 'a1 b2 c3 A4'],
    [{ field_name: 'creation_time', ascending: true }, 'a1 b2 c3 A4'],
    [{ field_name: 'last_updated_timestamp', ascending: false }, 'A4 c3 b2 a1'],
    [{ field_name: 'model_type' }, 'c3 a1 A4 b2'],
    [{ field_name: 'status' }, 'A4 c3 b2 a1'],
    [{ field_name: 'experiment_id' }, 'A4 c3 b2 a1'],
    // The latest point is the one on d2. NaN comes behind the numbers both ways, unlike in MLflow, which stores 0 for it.
    [{ field_name: 'metrics.acc' }, 'b2 A4 a1 c3'],
    [{ field_name: 'metrics.acc', ascending: false }, 'a1 A4 b2 c3'],
    [{ field_name: 'metrics.acc', ...on('d1') }, 'a1 A4 b2 c3'],
    [{ field_name: 'metrics.acc', ascending: false, ...on('d1'), dataset_digest: 'x' }, 'b2 A4 a1 c3'],
    [{ field_name: 'metrics.acc', ...on('zz') }, 'A4 c3 b2 a1'],
    [{ field_name: 'metrics.nope' }, 'A4 c3 b2 a1'],
  ] as const) {
    expect([clause, await search({ order_by: [clause] })]).toEqual([clause, found]);
  }
  expect(
    await search({ order_by: [{ field_name: 'model_type' }, { field_name: 'name' }, { field_name: 'name' }] }),
  ).toBe('a1 c3 A4 b2');
});

onEveryEngine('pages go on where the last one ended, in every order', async ({ client }) => {
  const { page, search } = await fourModels(client);
  for (const order_by of [[], [{ field_name: 'metrics.acc', ascending: false }], [{ field_name: 'name' }]]) {
    const whole = await search({ order_by });
    for (const max_results of [1, 3]) {
      const seen: string[] = [];
      let page_token: string | undefined;
      do {
        const next = await page({ order_by, max_results, ...(page_token === undefined ? {} : { page_token }) });
        expect(next.models?.length).toBeLessThanOrEqual(max_results);
        seen.push(...(next.models ?? []).map(({ info }) => info.name));
        page_token = next.next_page_token;
      } while (page_token !== undefined);
      expect(seen.join(' ')).toBe(whole);
    }
  }
});

onEveryEngine('a page token belongs to its search', async ({ client }) => {
  const { page } = await fourModels(client);
  const { next_page_token: page_token = '' } = await page({ max_results: 1 });
  await page({ max_results: 2, page_token });
  for (const other of [
    { filter: "name = 'a1'" },
    { order_by: [{ field_name: 'name' }] },
    { datasets: [{ dataset_name: 'd1' }] },
    { experiment_ids: ['0'] },
    { page_token: 'zzz' },
  ]) {
    await expect(page({ page_token, ...other })).rejects.toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE' });
  }
});

onEveryEngine(
  'a search goes over several experiments, and passes over those that are not there',
  async ({ client, request }) => {
    const { experiment_id: first } = await aRun(client);
    const { experiment_id: second } = await aRun(client);
    for (const experiment_id of [first, second]) {
      await client.loggedModels.createLoggedModel({ experiment_id, name: `of ${experiment_id}` });
    }
    const found = async (...experiment_ids: string[]) =>
      ((await client.loggedModels.searchLoggedModels({ experiment_ids })).models ?? []).length;
    expect(await found(first, second, '99999', first)).toBe(2);
    expect(await found(second)).toBe(1);
    expect(await found('99999')).toBe(0);
    const none = await request('POST', '/api/2.0/mlflow/logged-models/search', { experiment_ids: [] });
    expect([none.status, none.text]).toEqual([200, '{}']);
  },
);

test('mistakes in searches are refused with MLflow’s words where it has some', async () => {
  await using server = await startServer();
  const search = (body: object) =>
    server.request('POST', '/api/2.0/mlflow/logged-models/search', { experiment_ids: ['0'], ...body });
  const order = (field_name: string) => ({ order_by: [{ field_name }] });
  for (const [body, message] of [
    [{ experiment_ids: null }, "Missing value for required parameter 'experiment_ids'."],
    [{ experiment_ids: ['abc'] }, "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."],
    [
      { experiment_ids: '0' },
      `Invalid value "0" for parameter 'experiment_ids' supplied:  Hint: Value was of type 'str'.`,
    ],
    [
      { filter: "attribute.name = 'a'" },
      "Invalid entity type: 'attribute'. Expected one of ['attributes', 'metrics', 'params', 'tags'].",
    ],
    [{ filter: "metrics.acc LIKE 'x'" }, "Expected a numeric value. Got value 'x'"],
    [{ filter: "metrics.acc > 'x'" }, "Expected a numeric value. Got value 'x'"],
    [
      { filter: "params.lr > '1'" },
      "Invalid comparison operator for params.lr: '>'. Expected one of ('=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN').",
    ],
    [
      { filter: "name > 'a'" },
      "Invalid comparison operator for attributes.name: '>'. Expected one of ('=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN').",
    ],
    [{ filter: "foo = 'a'" }, "Invalid attributes key 'foo' specified."],
    [{ filter: 'name x' }, 'Invalid clause(s) in filter string'],
    [{ filter: '  ' }, "Invalid filter '  '. Could not be parsed."],
    [order('params.lr'), 'Invalid order by field name: params.lr. Only metrics are supported.'],
    [order('attributes.name'), 'Invalid order by field name: attributes.name. Only metrics are supported.'],
    [order('foo'), 'Invalid order by field name: foo'],
    [{ order_by: [{}] }, 'Invalid order by field name: '],
    [{ order_by: Array<object>(33).fill({ field_name: 'name' }) }, 'Invalid order_by: it has 33 clauses'],
    [{ datasets: [{}] }, '`dataset_name` in the `datasets` clause must be specified.'],
    [{ datasets: Array<object>(101).fill({ dataset_name: 'd' }) }, 'Invalid datasets: there are 101'],
    [{ max_results: -1 }, "Invalid value -1 for parameter 'max_results' supplied."],
  ] as const) {
    const { status, json } = await search(body);
    expect([body, status, json]).toEqual([
      body,
      400,
      expect.objectContaining({
        error_code: 'INVALID_PARAMETER_VALUE',
        message: expect.stringContaining(message) as string,
      }),
    ]);
  }
});

onEveryEngine('100 models make a page where none is asked for', async ({ client }) => {
  const { experiment_id } = await aRun(client);
  for (let index = 0; index < 101; index++) await client.loggedModels.createLoggedModel({ experiment_id });
  for (const max_results of [undefined, 0]) {
    const { models, next_page_token } = await client.loggedModels.searchLoggedModels({
      experiment_ids: [experiment_id],
      ...(max_results === undefined ? {} : { max_results }),
    });
    expect([models?.length, typeof next_page_token]).toEqual([100, 'string']);
  }
});
