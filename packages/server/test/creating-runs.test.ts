import { expect, test } from 'vitest';
import { onEveryEngine, startServer } from './server-fixture.ts';

onEveryEngine('a new run is answered whole and is what getting it answers', async ({ client, request }) => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'x' });
  const tags = [{ key: 'team', value: 'a' }];
  const { json } = await request('POST', '/api/2.0/mlflow/runs/create', {
    experiment_id,
    run_name: 'first',
    user_id: 'ada',
    start_time: 1_700_000_000_000,
    tags,
  });
  const { run } = json as Awaited<ReturnType<typeof client.runs.createRun>>;
  const { run_id } = run.info;
  expect(run_id).toMatch(/^[0-9a-f]{32}$/);
  expect(run.info).toEqual({
    run_uuid: run_id,
    experiment_id,
    run_name: 'first',
    user_id: 'ada',
    status: 'RUNNING',
    start_time: 1_700_000_000_000,
    artifact_uri: expect.stringMatching(new RegExp(`/${run_id}/artifacts$`)) as string,
    lifecycle_stage: 'active',
    run_id,
  });
  expect(run.data.tags).toEqual([...tags, { key: 'mlflow.runName', value: 'first' }]);
  expect(run.inputs).toEqual({});
  expect(run).not.toHaveProperty('outputs');
  const read = await client.runs.getRun({ run_id });
  expect(read.run.info).toEqual(run.info);
  expect(read.run).toMatchObject({ inputs: {}, outputs: {} });
});

onEveryEngine(
  'what a request leaves out: no user, time 0, the experiment Default, an invented name',
  async ({ client }) => {
    for (const experiment of [{}, { experiment_id: '' }]) {
      const { run } = await client.runs.createRun(experiment);
      expect(run.info).toMatchObject({ experiment_id: '0', user_id: '', start_time: 0, status: 'RUNNING' });
      expect(run.info).not.toHaveProperty('end_time');
    }
  },
);

onEveryEngine(
  'an invented name is adjective-animal-number of at most 20 characters, and the tag says it, too',
  async ({ client }) => {
    const names = new Set<string>();
    for (const run_name of [undefined, '', ...Array<undefined>(30)]) {
      const { run } = await client.runs.createRun(run_name === undefined ? {} : { run_name });
      expect(run.info.run_name).toMatch(/^[a-z]+-[a-z]+-(0|[1-9]\d{0,3})$/);
      expect(run.info.run_name.length).toBeLessThanOrEqual(20);
      expect(run.data.tags).toEqual([{ key: 'mlflow.runName', value: run.info.run_name }]);
      names.add(run.info.run_name);
    }
    expect(names.size).toBeGreaterThan(20);
  },
);

onEveryEngine('the tag mlflow.runName names a run, and must agree with run_name', async ({ client }) => {
  const named = (value: string) => [{ key: 'mlflow.runName', value }];
  const { run } = await client.runs.createRun({ tags: named('tagged') });
  expect(run.info.run_name).toBe('tagged');
  expect((await client.runs.createRun({ run_name: 'a', tags: named('a') })).run.data.tags).toEqual(named('a'));
  await expect(client.runs.createRun({ run_name: 'a', tags: named('b') })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message:
      "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='a', mlflow.runName='b').",
  });
});

onEveryEngine('the tag mlflow.user and the user of a run are two things', async ({ client }) => {
  const { run } = await client.runs.createRun({ user_id: 'ada', tags: [{ key: 'mlflow.user', value: 'eve' }] });
  expect(run.info.user_id).toBe('ada');
  expect(run.data.tags).toContainEqual({ key: 'mlflow.user', value: 'eve' });
  expect((await client.runs.createRun({ tags: [{ key: 'mlflow.user', value: 'eve' }] })).run.info.user_id).toBe('');
});

onEveryEngine('times are any 64-bit integers, exact', async ({ client }) => {
  for (const start_time of [-5, 2 ** 53 - 1, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const { run } = await client.runs.createRun({ start_time });
    expect(run.info.start_time).toBe(start_time);
    expect((await client.runs.getRun({ run_id: run.info.run_id })).run.info.start_time).toBe(start_time);
  }
});

test('names may be long and blank', async () => {
  await using server = await startServer();
  for (const run_name of [' ', 'n'.repeat(8_001), 'Ä 😀']) {
    expect((await server.client.runs.createRun({ run_name })).run.info.run_name).toBe(run_name);
  }
});

test('tags keep the rules of tags: characters, lengths, each key once; long values are cut', async () => {
  await using server = await startServer();
  const create = (...tags: { key: string; value?: string }[]) => server.client.runs.createRun({ tags });
  await expect(create({ key: 'a', value: '' }, { key: 'a$', value: '' })).rejects.toThrow(
    `Invalid value "a$" for parameter 'tags[1].key' supplied: Names may only contain alphanumerics`,
  );
  await expect(create({ key: 'k'.repeat(251) })).rejects.toThrow(
    "'tags[0].key' exceeds the maximum length of 250 characters",
  );
  await expect(create({ key: 'k', value: '1' }, { key: 'k', value: '1' })).rejects.toThrow(
    "Duplicate tag keys have been submitted: ['k']",
  );
  const { run } = await create({ key: 'k', value: 'v'.repeat(8_001) }, { key: 'bare' });
  expect(run.data.tags).toContainEqual({ key: 'k', value: 'v'.repeat(8_000) });
  expect(run.data.tags).toContainEqual({ key: 'bare', value: '' });
});

test('a run needs an experiment that exists', async () => {
  await using server = await startServer();
  await expect(server.client.runs.createRun({ experiment_id: '99' })).rejects.toMatchObject({
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
    message: 'No Experiment with id=99 exists',
  });
  await expect(server.client.runs.createRun({ experiment_id: 'abc' })).rejects.toMatchObject({ status: 400 });
});

onEveryEngine(
  'runs created at once are different runs, and a refused one spoils none of the others',
  async ({ client }) => {
    const outcomes = await Promise.allSettled(
      ['0', '99', '0', '0'].map((experiment_id) => client.runs.createRun({ experiment_id })),
    );
    const ids = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.run.info.run_id] : []));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(new Set(ids).size).toBe(3);
    for (const run_id of ids) await client.runs.getRun({ run_id });
  },
);

onEveryEngine('a request that carries an id makes one run, however often it is sent', async ({ client }) => {
  const request = {
    experiment_id: '0',
    run_name: 'trial',
    tags: [
      { key: 'lazuli.requestId', value: '5f0c' },
      { key: 'stage', value: 'first' },
    ],
  };
  const { run } = await client.runs.createRun(request);
  await client.runs.logParam({ run_id: run.info.run_id, key: 'rate', value: '0.1' });
  const again = await client.runs.createRun(request);
  expect(again.run.info).toEqual(run.info);
  expect(again.run.data.params).toEqual([{ key: 'rate', value: '0.1' }]);
  const other = await client.runs.createRun({ ...request, tags: [{ key: 'lazuli.requestId', value: '5f0d' }] });
  expect(other.run.info.run_id).not.toBe(run.info.run_id);
  const { runs = [] } = await client.runs.searchRuns({ experiment_ids: ['0'] });
  expect(runs).toHaveLength(2);
});

onEveryEngine('of requests with one id at the same time, all are answered with the same run', async ({ client }) => {
  const tags = [{ key: 'lazuli.requestId', value: 'at once' }];
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.runs.createRun({ experiment_id: '0', tags })),
  );
  expect(new Set(answers.map(({ run }) => run.info.run_id)).size).toBe(1);
  const { runs = [] } = await client.runs.searchRuns({ experiment_ids: ['0'] });
  expect(runs).toHaveLength(1);
});

onEveryEngine(
  'an id of a request means something within its workspace, and has at most 250 characters',
  async (server) => {
    await server.client.workspaces.createWorkspace({ name: 'other' });
    const request = { experiment_id: '0', tags: [{ key: 'lazuli.requestId', value: 'x'.repeat(250) }] };
    const here = await server.client.runs.createRun(request);
    const there = await server.clientFor({ workspace: 'other' }).runs.createRun(request);
    expect(there.run.info.run_id).not.toBe(here.run.info.run_id);
    const long = { experiment_id: '0', tags: [{ key: 'lazuli.requestId', value: 'x'.repeat(251) }] };
    await expect(server.client.runs.createRun(long)).rejects.toThrow(/lazuli\.requestId/);
  },
);
