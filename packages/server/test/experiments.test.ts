import { expect, test } from 'vitest';
import { onEveryEngine, startServer } from './server-fixture.ts';

onEveryEngine('a new server has one experiment, Default with id 0', async ({ client }) => {
  const { experiments } = await client.experiments.searchExperiments({ max_results: 10 });
  expect(experiments).toMatchObject([
    { experiment_id: '0', name: 'Default', lifecycle_stage: 'active', workspace: 'default' },
  ]);
});

onEveryEngine('an experiment is found by its id and by its name', async ({ client }) => {
  const { experiment_id } = await client.experiments.createExperiment({
    name: 'one',
    tags: [{ key: 'team', value: 'a' }],
  });
  const byId = await client.experiments.getExperiment({ experiment_id });
  const byName = await client.experiments.getExperimentByName({ experiment_name: 'one' });
  expect(byName).toEqual(byId);
  expect(byId.experiment).toMatchObject({
    experiment_id,
    name: 'one',
    lifecycle_stage: 'active',
    tags: [{ key: 'team', value: 'a' }],
  });
  expect(byId.experiment.creation_time).toBe(byId.experiment.last_update_time);
  expect(Math.abs(Date.now() - Number(byId.experiment.creation_time))).toBeLessThan(60_000);
});

onEveryEngine('an experiment without tags is answered without the field', async ({ request }) => {
  const { json } = await request('GET', '/api/2.0/mlflow/experiments/get?experiment_id=0');
  expect(Object.keys((json as { experiment: object }).experiment)).toEqual([
    'experiment_id',
    'name',
    'artifact_location',
    'lifecycle_stage',
    'last_update_time',
    'creation_time',
    'workspace',
  ]);
});

onEveryEngine('ids grow and are never given twice, whatever is refused in between', async ({ client }) => {
  const first = await client.experiments.createExperiment({ name: 'a' });
  await expect(client.experiments.createExperiment({ name: 'a' })).rejects.toThrow('already exists');
  const second = await client.experiments.createExperiment({ name: 'b' });
  expect(Number(second.experiment_id)).toBeGreaterThan(Number(first.experiment_id));
});

onEveryEngine('a name is taken, also by a deleted experiment', async ({ client }) => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'X' });
  const again = () => client.experiments.createExperiment({ name: 'X' });
  const refusal = {
    status: 400,
    errorCode: 'RESOURCE_ALREADY_EXISTS',
    message: expect.stringMatching(/^Experiment\(name=X\) already exists\./) as string,
  };
  await expect(again()).rejects.toMatchObject(refusal);
  await client.experiments.deleteExperiment({ experiment_id });
  await expect(again()).rejects.toMatchObject(refusal);
});

onEveryEngine('names may be of any characters, and case counts', async ({ client }) => {
  for (const name of [' ', '../a/b', 'Ä 日本 😀', 'default', 'DEFAULT', "it's", '%_']) {
    const { experiment_id } = await client.experiments.createExperiment({ name });
    const { experiment } = await client.experiments.getExperimentByName({ experiment_name: name });
    expect(experiment).toMatchObject({ experiment_id, name });
  }
});

onEveryEngine('a name has at most 500 code points', async ({ client }) => {
  await client.experiments.createExperiment({ name: '😀'.repeat(500) });
  await expect(client.experiments.createExperiment({ name: '😀'.repeat(501) })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: "'name' exceeds the maximum length of 500 characters",
  });
});

onEveryEngine('two requests at once cannot both have a name', async ({ client }) => {
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => client.experiments.createExperiment({ name: 'race' })));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('ids are integers in decimal digits; others are refused, and what no experiment has is not found', async () => {
  await using server = await startServer();
  const get = (experiment_id: string) => server.client.experiments.getExperiment({ experiment_id });
  for (const id of ['abc', '1.0', '0x1', '1e3', '--1']) {
    await expect(get(id)).rejects.toMatchObject({
      errorCode: 'INVALID_PARAMETER_VALUE',
      message: `Invalid experiment ID '${id}'. Experiment ID must be a valid integer.`,
    });
  }
  for (const id of ['99999', '-1', '99999999999999999999']) {
    await expect(get(id)).rejects.toMatchObject({
      status: 404,
      errorCode: 'RESOURCE_DOES_NOT_EXIST',
      message: `No Experiment with id=${id} exists`,
    });
  }
});

test('an unknown name is not found, in the words that set_experiment waits for', async () => {
  await using server = await startServer();
  await expect(server.client.experiments.getExperimentByName({ experiment_name: 'nope' })).rejects.toMatchObject({
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
    message: "Could not find experiment with name 'nope'",
  });
});

test('an artifact location is the one asked for, or one of the experiment alone', async () => {
  await using server = await startServer();
  const locationOf = async (name: string, asked?: string) => {
    const { experiment_id } = await server.client.experiments.createExperiment({
      name,
      ...(asked === undefined ? {} : { artifact_location: asked }),
    });
    const { experiment } = await server.client.experiments.getExperiment({ experiment_id });
    return experiment.artifact_location;
  };
  expect(await locationOf('asked', 's3://bucket/path')).toBe('s3://bucket/path');
  const [one, two] = [await locationOf('one'), await locationOf('two', '')];
  expect(one).toMatch(/^mlflow-artifacts:\/.+/);
  expect(two).not.toBe(one);
  await expect(locationOf('host', 'http://internal/x')).rejects.toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE' });
});

test('a search without a page size is refused; a page has 1 to 50000 experiments', async () => {
  await using server = await startServer();
  const search = (body: object) => server.request('POST', '/api/2.0/mlflow/experiments/search', body);
  for (const body of [{}, { max_results: 0 }, { max_results: null }]) {
    expect((await search(body)).json).toMatchObject({
      error_code: 'INVALID_PARAMETER_VALUE',
      message: "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer",
    });
  }
  expect((await search({ max_results: 50_000 })).status).toBe(200);
  expect((await search({ max_results: 50_001 })).json).toMatchObject({
    message: "Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000",
  });
});

onEveryEngine('a search finds active experiments, newest first, unless it asks for others', async ({ client }) => {
  const ids: string[] = [];
  for (const name of ['a', 'b', 'c']) ids.push((await client.experiments.createExperiment({ name })).experiment_id);
  await client.experiments.deleteExperiment({ experiment_id: ids[1] ?? '' });
  const found = async (view_type: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL') => {
    const { experiments = [] } = await client.experiments.searchExperiments({
      max_results: 10,
      view_type,
      filter: "name != 'Default'",
    });
    return experiments.map(({ name }) => name).sort();
  };
  expect(await found('ACTIVE_ONLY')).toEqual(['a', 'c']);
  expect(await found('DELETED_ONLY')).toEqual(['b']);
  expect(await found('ALL')).toEqual(['a', 'b', 'c']);
});

onEveryEngine('a search that finds nothing answers an empty object', async ({ request }) => {
  const { text } = await request('POST', '/api/2.0/mlflow/experiments/search', {
    max_results: 1,
    filter: "name = 'nope'",
  });
  expect(text).toBe('{}');
});
