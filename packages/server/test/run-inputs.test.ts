import { expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer } from './server-fixture.ts';

const dataset = { name: 'd', digest: 'x', source_type: 'local', source: '{}', schema: 's', profile: 'p' };
const context = (value: string) => [{ key: 'mlflow.data.context', value }];

onEveryEngine('a run shows the datasets that it reads, with their tags', async ({ client }) => {
  const { run_id, experiment_id } = await aRun(client);
  const inputs = [
    { dataset, tags: context('training') },
    { dataset: { ...dataset, name: 'plain', schema: '', profile: '' } },
  ];
  await client.runs.logInputs({ run_id, datasets: inputs });
  const bare = { name: 'plain', digest: 'x', source_type: 'local', source: '{}' };
  const expected = [inputs[0], { dataset: bare }];
  expect((await client.runs.getRun({ run_id })).run.inputs?.dataset_inputs).toEqual(expected);
  const { runs = [] } = await client.runs.searchRuns({ experiment_ids: [experiment_id] });
  expect(runs[0]?.inputs?.dataset_inputs).toEqual(expected);
});

onEveryEngine('a dataset that a run reads already adds nothing, not even tags', async ({ client }) => {
  const { run_id } = await aRun(client);
  await client.runs.logInputs({ run_id, datasets: [{ dataset, tags: context('training') }] });
  const before = await client.runs.getRun({ run_id });
  const again = { dataset: { ...dataset, schema: 'other' }, tags: context('eval') };
  await client.runs.logInputs({ run_id, datasets: [again, again] });
  expect(await client.runs.getRun({ run_id })).toEqual(before);
});

onEveryEngine(
  'the same name and digest is one dataset in an experiment, with tags for each run',
  async ({ client }) => {
    const { run_id, experiment_id } = await aRun(client);
    const { run: second } = await client.runs.createRun({ experiment_id });
    const other = await aRun(client);
    await client.runs.logInputs({ run_id, datasets: [{ dataset, tags: context('training') }] });
    const mine = { dataset: { ...dataset, source: 'mine' }, tags: context('eval') };
    for (const id of [second.info.run_id, other.run_id]) await client.runs.logInputs({ run_id: id, datasets: [mine] });
    const inputsOf = async (id: string) => (await client.runs.getRun({ run_id: id })).run.inputs?.dataset_inputs;
    expect(await inputsOf(second.info.run_id)).toEqual([{ dataset, tags: context('eval') }]);
    expect(await inputsOf(other.run_id)).toEqual([mine]);
  },
);

onEveryEngine('models that a run reads and makes are links, each once', async ({ client }) => {
  const { run_id } = await aRun(client);
  const models = [{ model_id: 'm-b' }, { model_id: 'm-a' }, { model_id: 'm-b' }];
  await client.runs.logInputs({ run_id, models });
  await client.runs.logInputs({ run_id, models });
  await client.runs.logOutputs({ run_id, models: [{ model_id: 'm-b', step: 2n ** 60n }, { model_id: 'm-a' }] });
  await client.runs.logOutputs({ run_id, models: [{ model_id: 'm-a' }] });
  const { run } = await client.runs.getRun({ run_id });
  expect(run.inputs?.model_inputs).toEqual([{ model_id: 'm-a' }, { model_id: 'm-b' }]);
  expect(run.outputs?.model_outputs).toEqual([
    { model_id: 'm-a', step: 0 },
    { model_id: 'm-b', step: 2n ** 60n },
  ]);
});

test('inputs may be empty; outputs need their list', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const post = (verb: string, body: object) =>
    server.request('POST', `/api/2.0/mlflow/runs/${verb}`, { run_id, ...body });
  for (const body of [{}, { datasets: null }, { datasets: [], models: [] }])
    expect((await post('log-inputs', body)).text).toBe('{}');
  expect((await post('outputs', { models: [] })).text).toBe('{}');
  for (const body of [{}, { models: null }]) {
    expect((await post('outputs', body)).json).toMatchObject({
      message:
        "Missing value for required parameter 'models'. See the API docs for more information about request parameters.",
    });
  }
});

test.each([
  ['name', 500],
  ['digest', 36],
  ['source', 65_535],
  ['schema', 1_048_575],
  ['profile', 16_777_215],
] as const)('the %s of a dataset has at most %d characters', async (field, limit) => {
  await using server = await startServer({ 'max-body-size': '64MiB' });
  const { run_id } = await aRun(server.client);
  const log = (length: number) =>
    server.client.runs.logInputs({ run_id, datasets: [{ dataset: { ...dataset, [field]: 'x'.repeat(length) } }] });
  await log(limit);
  await expect(log(limit + 1)).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: `'${field}' exceeds the maximum length of ${limit} characters`,
  });
});

test('tags of inputs: any characters, 255 for a key, 500 for a value, each key once', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const log = (...tags: { key: string; value: string }[]) =>
    server.client.runs.logInputs({
      run_id,
      datasets: [{ dataset: { ...dataset, name: String(Math.random()) }, tags }],
    });
  await log({ key: 'a$//😀', value: '' }, { key: 'k'.repeat(255), value: 'v'.repeat(500) });
  await expect(log({ key: 'k'.repeat(256), value: '' })).rejects.toThrow(
    "'key' exceeds the maximum length of 255 characters",
  );
  await expect(log({ key: 'k', value: 'v'.repeat(501) })).rejects.toThrow(
    "'value' exceeds the maximum length of 500 characters",
  );
  await expect(log({ key: 'k', value: '1' }, { key: 'k', value: '2' })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
  });
});

onEveryEngine('inputs that are refused leave nothing behind', async ({ client }) => {
  const { run_id } = await aRun(client);
  const long = { dataset: { ...dataset, digest: 'x'.repeat(37) } };
  await expect(client.runs.logInputs({ run_id, datasets: [{ dataset }, long] })).rejects.toThrow();
  expect((await client.runs.getRun({ run_id })).run.inputs).toEqual({});
});

onEveryEngine('inputs and outputs need an active run', async ({ client }) => {
  const { run_id } = await aRun(client);
  await expect(client.runs.logInputs({ run_id: 'nope' })).rejects.toMatchObject({ status: 404 });
  await expect(client.runs.logInputs({ run_id: 'a/b' })).rejects.toThrow(
    `Invalid value "a/b" for parameter 'run_id' supplied.`,
  );
  await client.runs.deleteRun({ run_id });
  for (const log of [
    () => client.runs.logInputs({ run_id, datasets: [{ dataset }] }),
    () => client.runs.logOutputs({ run_id, models: [] }),
  ]) {
    await expect(log()).rejects.toThrow(`The run ${run_id} must be in the 'active' state.`);
  }
});

onEveryEngine('datasets of experiments are listed once for each context, deleted runs included', async ({ client }) => {
  const { run_id, experiment_id } = await aRun(client);
  const other = await aRun(client);
  await client.runs.logInputs({
    run_id,
    datasets: [{ dataset, tags: context('training') }, { dataset: { ...dataset, name: 'e' } }],
  });
  for (const value of ['training', 'eval']) {
    const { run } = await client.runs.createRun({ experiment_id });
    await client.runs.logInputs({ run_id: run.info.run_id, datasets: [{ dataset, tags: context(value) }] });
    await client.runs.deleteRun({ run_id: run.info.run_id });
  }
  await client.runs.logInputs({ run_id: other.run_id, datasets: [{ dataset }] });
  const found = async (...experiment_ids: string[]) =>
    (await client.runs.searchDatasets({ experiment_ids })).dataset_summaries ?? [];
  const mine = [
    { experiment_id, name: 'd', digest: 'x', context: 'eval' },
    { experiment_id, name: 'd', digest: 'x', context: 'training' },
    { experiment_id, name: 'e', digest: 'x' },
  ];
  const sorted = (summaries: readonly { context?: string }[]) =>
    [...summaries].sort((one, two) => (JSON.stringify(one) < JSON.stringify(two) ? -1 : 1));
  expect(sorted(await found(experiment_id))).toEqual(sorted(mine));
  expect(sorted(await found(experiment_id, other.experiment_id))).toHaveLength(4);
  expect(await found('99999')).toEqual([]);
});

test('a search of datasets names 1 to 20 experiments', async () => {
  await using server = await startServer();
  const search = (experiment_ids: string[]) => server.client.runs.searchDatasets({ experiment_ids });
  await search(Array<string>(20).fill('0'));
  await expect(search([])).rejects.toThrow('SearchDatasets request must specify at least one experiment_id.');
  await expect(search(Array<string>(21).fill('0'))).rejects.toThrow(
    'SearchDatasets request cannot specify more than 20 experiment_ids. Received 21 experiment_ids.',
  );
  await expect(search(['abc'])).rejects.toThrow("Invalid experiment ID 'abc'. Experiment ID must be a valid integer.");
});

test('datasets are searched under every path that MLflow names', async () => {
  await using server = await startServer();
  for (const path of ['/2.0/mlflow/experiments/search-datasets', '/2.0mlflow/experiments/search-datasets']) {
    for (const prefix of ['/api', '/ajax-api']) {
      expect((await server.request('POST', prefix + path, { experiment_ids: ['0'] })).text).toBe('{}');
    }
  }
});
