import { expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer } from '../server-fixture.ts';
import { aModel } from './a-model.ts';

onEveryEngine('a model is created pending, with its place below the experiment', async ({ client }) => {
  const { experiment_id, run_id } = await aRun(client);
  const { model } = await client.loggedModels.createLoggedModel({
    experiment_id,
    name: 'né w',
    model_type: 't',
    source_run_id: run_id,
    params: [{ key: 'b', value: '1' }, { key: 'a' }],
    tags: [{ key: 'u' }, { key: 't/$', value: '1' }],
  });
  const { experiment } = await client.experiments.getExperiment({ experiment_id });
  const { model_id, creation_timestamp_ms } = model.info;
  expect(model_id).toMatch(/^m-[0-9a-f]{32}$/);
  expect(model).toEqual({
    info: {
      model_id,
      experiment_id,
      name: 'né w',
      creation_timestamp_ms,
      last_updated_timestamp_ms: creation_timestamp_ms,
      artifact_uri: `${experiment.artifact_location}/models/${model_id}/artifacts`,
      status: 'LOGGED_MODEL_PENDING',
      model_type: 't',
      source_run_id: run_id,
      tags: [
        { key: 't/$', value: '1' },
        { key: 'u', value: '' },
      ],
    },
    data: {
      params: [
        { key: 'a', value: '' },
        { key: 'b', value: '1' },
      ],
    },
  });
  expect(await client.loggedModels.getLoggedModel({ model_id })).toEqual({ model });
});

onEveryEngine(
  'a model that is given nothing has a name, and empty type and source run',
  async ({ client, request }) => {
    const { experiment_id } = await aRun(client);
    for (const name of [undefined, '']) {
      const { json } = await request('POST', '/api/2.0/mlflow/logged-models', { experiment_id, name });
      expect(json).toMatchObject({
        model: {
          info: { name: expect.stringMatching(/^[a-z]+-[a-z]+-\d+$/) as string, model_type: '', source_run_id: '' },
        },
      });
      expect(json).toMatchObject({ model: { data: {} } });
    }
  },
);

onEveryEngine('a model needs an active experiment and takes any source run', async ({ client }) => {
  const { experiment_id } = await aRun(client);
  const create = (id: string) => client.loggedModels.createLoggedModel({ experiment_id: id, source_run_id: 'nope' });
  await create(experiment_id);
  await expect(create('99999')).rejects.toMatchObject({ status: 404, message: 'No Experiment with id=99999 exists' });
  await expect(create('abc')).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: "Invalid experiment ID 'abc'. Experiment ID must be a valid integer.",
  });
  await client.experiments.deleteExperiment({ experiment_id });
  await expect(create(experiment_id)).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: `The experiment ${experiment_id} must be in the 'active' state. Current state is deleted.`,
  });
});

test.each(['a/b', 'a:b', 'a.b', 'a%b', 'a"b', "a'b"])('%s is no name of a model', async (name) => {
  await using server = await startServer();
  const shown = name.includes("'") ? `"${name}"` : `'${name}'`;
  await expect(server.client.loggedModels.createLoggedModel({ experiment_id: '0', name })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: `Invalid model name (${shown}) provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
  });
});

test('names, types, params and tags of models have limits', async () => {
  await using server = await startServer();
  const create = (given: object) =>
    server.request('POST', '/api/2.0/mlflow/logged-models', { experiment_id: '0', ...given });
  const items = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: '' }));
  for (const [within, beyond] of [
    [{ name: '😀'.repeat(500) }, { name: 'x'.repeat(501) }],
    [{ model_type: 'x'.repeat(500) }, { model_type: 'x'.repeat(501) }],
    [{ source_run_id: 'x'.repeat(250) }, { source_run_id: 'x'.repeat(251) }],
    [{ tags: [{ key: 'k'.repeat(250) }] }, { tags: [{ key: 'k'.repeat(251) }] }],
    [{ params: [{ key: 'k', value: 'v'.repeat(100_000) }] }, { params: [{ key: 'k', value: 'v'.repeat(100_001) }] }],
    [{ tags: items(1_000) }, { tags: items(1_001) }],
    [{ params: items(1_000) }, { params: items(1_001) }],
  ]) {
    expect((await create(within as object)).status).toBe(200);
    expect((await create(beyond as object)).json).toMatchObject({ error_code: 'INVALID_PARAMETER_VALUE' });
  }
});

test('params and tags of a new model have keys, and each key once', async () => {
  await using server = await startServer();
  const create = (given: object) =>
    server.request('POST', '/api/2.0/mlflow/logged-models', { experiment_id: '0', ...given });
  const twice = [
    { key: 'a', value: '1' },
    { key: 'a', value: '1' },
  ];
  for (const given of [{ params: twice }, { tags: twice }, { tags: [{ key: '' }] }, { params: [{ value: 'x' }] }]) {
    const { status, json } = await create(given);
    expect(status).toBe(400);
    expect(json).toMatchObject({ error_code: 'INVALID_PARAMETER_VALUE' });
  }
});

onEveryEngine('a model is finalized as often as its client likes, with any state', async ({ client, request }) => {
  const { model_id } = await aModel(client);
  for (const status of [
    'LOGGED_MODEL_UPLOAD_FAILED',
    'LOGGED_MODEL_READY',
    'LOGGED_MODEL_PENDING',
    'LOGGED_MODEL_STATUS_UNSPECIFIED',
    'LOGGED_MODEL_READY',
  ] as const) {
    const { model } = await client.loggedModels.finalizeLoggedModel({ model_id, status });
    expect(model.info.status).toBe(status);
    expect(await client.loggedModels.getLoggedModel({ model_id })).toEqual({ model });
    expect(model.info.last_updated_timestamp_ms).toBeGreaterThanOrEqual(Number(model.info.creation_timestamp_ms));
  }
  const path = `/api/2.0/mlflow/logged-models/${model_id}`;
  expect((await request('PATCH', path, { status: 3 })).json).toMatchObject({
    model: { info: { status: 'LOGGED_MODEL_UPLOAD_FAILED' } },
  });
  expect((await request('PATCH', path, { model_id })).json).toMatchObject({
    error_code: 'INVALID_PARAMETER_VALUE',
    message: expect.stringContaining("Missing value for required parameter 'status'.") as string,
  });
  for (const status of ['READY', 7, [1]]) expect((await request('PATCH', path, { status })).status).toBe(400);
});

onEveryEngine('tags are set, replaced and deleted', async ({ client }) => {
  const { model_id } = await aModel(client, { tags: [{ key: 'a', value: '1' }] });
  const tags = async () => (await client.loggedModels.getLoggedModel({ model_id })).model.info.tags;
  const set = (...given: { key: string; value?: string }[]) =>
    client.loggedModels.setLoggedModelTags({ model_id, tags: given });
  expect(
    await set({ key: 'a', value: '2' }, { key: 'b' }, { key: 'a', value: '3' }, { key: 'x/y', value: '' }),
  ).toEqual({});
  await set();
  expect(await tags()).toEqual([
    { key: 'a', value: '3' },
    { key: 'b', value: '' },
    { key: 'x/y', value: '' },
  ]);
  for (const tag_key of ['a', 'x/y']) await client.loggedModels.deleteLoggedModelTag({ model_id, tag_key });
  expect(await tags()).toEqual([{ key: 'b', value: '' }]);
  await expect(client.loggedModels.deleteLoggedModelTag({ model_id, tag_key: 'a' })).rejects.toMatchObject({
    status: 404,
    message: `No tag with key 'a' found for model with ID '${model_id}'.`,
  });
});

onEveryEngine('params are written once, all of a request or none', async ({ client }) => {
  const { model_id } = await aModel(client, { params: [{ key: 'a', value: '1' }] });
  const log = (...params: { key: string; value?: string }[]) =>
    client.loggedModels.logLoggedModelParams({ model_id, params });
  expect(await log({ key: 'a', value: '1' }, { key: 'b' })).toEqual({});
  await log();
  await expect(log({ key: 'c', value: '1' }, { key: 'a', value: '2' })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: expect.stringContaining("Param with key='a' was already logged with value='1'") as string,
  });
  await expect(log({ key: 'd' }, { key: 'd' })).rejects.toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE' });
  expect((await client.loggedModels.getLoggedModel({ model_id })).model.data.params).toEqual([
    { key: 'a', value: '1' },
    { key: 'b', value: '' },
  ]);
});

onEveryEngine('a deleted model is shown only to who asks for it, and takes nothing', async ({ client }) => {
  const { model_id, run_id, experiment_id } = await aModel(client);
  const notFound = {
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
    message: `Logged model with ID '${model_id}' not found.`,
  };
  expect(await client.loggedModels.deleteLoggedModel({ model_id })).toEqual({});
  const shown = await client.loggedModels.getLoggedModel({ model_id, allow_deleted: 'True' });
  expect(shown.model.info.model_id).toBe(model_id);
  await client.loggedModels.deleteLoggedModel({ model_id });
  expect(await client.loggedModels.getLoggedModel({ model_id, allow_deleted: 'true' })).toEqual(shown);
  const point = { key: 'm', value: 1, timestamp: 1, model_id };
  for (const call of [
    () => client.loggedModels.getLoggedModel({ model_id }),
    () => client.loggedModels.finalizeLoggedModel({ model_id, status: 'LOGGED_MODEL_READY' }),
    () => client.loggedModels.setLoggedModelTags({ model_id, tags: [] }),
    () => client.loggedModels.deleteLoggedModelTag({ model_id, tag_key: 'a' }),
    () => client.loggedModels.logLoggedModelParams({ model_id, params: [] }),
    () => client.loggedModels.listLoggedModelArtifacts({ model_id }),
    () => client.runs.logMetric({ run_id, ...point }),
    () => client.runs.logBatch({ run_id, metrics: [point] }),
  ]) {
    await expect(call()).rejects.toMatchObject(notFound);
  }
  expect(await client.loggedModels.searchLoggedModels({ experiment_ids: [experiment_id] })).toEqual({});
  expect((await client.runs.getRun({ run_id })).run.data.metrics).toBeUndefined();
});

onEveryEngine('a model that is not there is not found by any call', async ({ client }) => {
  const model_id = 'm-x';
  for (const call of [
    () => client.loggedModels.getLoggedModel({ model_id, allow_deleted: 'true' }),
    () => client.loggedModels.finalizeLoggedModel({ model_id, status: 'LOGGED_MODEL_READY' }),
    () => client.loggedModels.deleteLoggedModel({ model_id }),
    () => client.loggedModels.setLoggedModelTags({ model_id, tags: [{ key: 'a' }] }),
    () => client.loggedModels.deleteLoggedModelTag({ model_id, tag_key: 'a' }),
    () => client.loggedModels.logLoggedModelParams({ model_id, params: [{ key: 'a' }] }),
    () => client.loggedModels.listLoggedModelArtifacts({ model_id }),
  ]) {
    await expect(call()).rejects.toMatchObject({ status: 404, message: "Logged model with ID 'm-x' not found." });
  }
});

onEveryEngine('whatever overtakes a deletion, nothing is added behind it', async ({ client }) => {
  for (let round = 0; round < 5; round++) {
    const { model_id, run_id } = await aModel(client);
    const work = [
      () => client.loggedModels.finalizeLoggedModel({ model_id, status: 'LOGGED_MODEL_READY' }),
      () => client.loggedModels.setLoggedModelTags({ model_id, tags: [{ key: 'a', value: '1' }] }),
      () => client.loggedModels.logLoggedModelParams({ model_id, params: [{ key: 'a', value: '1' }] }),
      () => client.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1, model_id }),
    ];
    const calls = [
      ...work.slice(0, round),
      () => client.loggedModels.deleteLoggedModel({ model_id }),
      ...work.slice(round),
    ];
    const outcomes = await Promise.allSettled(calls.map((call) => call()));
    const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
    for (const { reason } of refusals) expect(reason).toMatchObject({ errorCode: 'RESOURCE_DOES_NOT_EXIST' });
    const { model } = await client.loggedModels.getLoggedModel({ model_id, allow_deleted: 'true' });
    const accepted = outcomes.filter((_, index) => index !== round).map(({ status }) => status === 'fulfilled');
    expect([
      model.info.status === 'LOGGED_MODEL_READY',
      model.info.tags !== undefined,
      model.data.params !== undefined,
      model.data.metrics !== undefined,
    ]).toEqual(accepted);
    expect((await client.runs.getRun({ run_id })).run.data.metrics !== undefined).toBe(accepted[3]);
  }
});

onEveryEngine('of many values for one param, one stays and the others are refused', async ({ client }) => {
  const { model_id } = await aModel(client);
  const values = Array.from({ length: 8 }, (_, index) => String(index));
  const outcomes = await Promise.allSettled(
    values.map((value) => client.loggedModels.logLoggedModelParams({ model_id, params: [{ key: 'p', value }] })),
  );
  const accepted = values.filter((_, index) => outcomes[index]?.status === 'fulfilled');
  expect(accepted).toHaveLength(1);
  const { model } = await client.loggedModels.getLoggedModel({ model_id });
  expect(model.data.params).toEqual([{ key: 'p', value: accepted[0] }]);
});

onEveryEngine('models of another workspace are not there', async ({ client, clientFor }) => {
  await client.workspaces.createWorkspace({ name: 'team-a' });
  const { model_id, experiment_id } = await aModel(client);
  const other = clientFor({ workspace: 'team-a' });
  await expect(other.loggedModels.getLoggedModel({ model_id })).rejects.toMatchObject({ status: 404 });
  expect(await other.loggedModels.searchLoggedModels({ experiment_ids: [experiment_id] })).toEqual({});
  const { run_id } = await aRun(other);
  await expect(other.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1, model_id })).rejects.toMatchObject({
    status: 404,
    message: `Logged model with ID '${model_id}' not found.`,
  });
  const mine = await aModel(other, { tags: [{ key: 'a' }], params: [{ key: 'a' }] });
  await other.runs.logMetric({ run_id: mine.run_id, key: 'm', value: 1, timestamp: 1, model_id: mine.model_id });
  await client.workspaces.deleteWorkspace({ workspace_name: 'team-a', mode: 'CASCADE' });
});
