import { expect, test } from 'vitest';
import { onEveryEngine, startServer, type TestServer } from './server-fixture.ts';

const tagsOf = async ({ client }: TestServer, experiment_id = '0') =>
  Object.fromEntries(
    ((await client.experiments.getExperiment({ experiment_id })).experiment.tags ?? []).map(({ key, value }) => [
      key,
      value,
    ]),
  );

onEveryEngine('a tag is set, overwritten and deleted', async (server) => {
  const { experiments } = server.client;
  await experiments.setExperimentTag({ experiment_id: '0', key: 'team', value: 'a' });
  await experiments.setExperimentTag({ experiment_id: '0', key: 'team', value: 'b' });
  await experiments.setExperimentTag({ experiment_id: '0', key: 'empty' });
  expect(await tagsOf(server)).toEqual({ team: 'b', empty: '' });
  await experiments.deleteExperimentTag({ experiment_id: '0', key: 'team' });
  expect(await tagsOf(server)).toEqual({ empty: '' });
  await expect(experiments.deleteExperimentTag({ experiment_id: '0', key: 'team' })).rejects.toMatchObject({
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
    message: 'No tag with name: team in experiment with id 0',
  });
});

onEveryEngine('a tag does not count as an update of the experiment', async ({ client }) => {
  const before = await client.experiments.getExperiment({ experiment_id: '0' });
  await client.experiments.setExperimentTag({ experiment_id: '0', key: 'k', value: 'v' });
  const after = await client.experiments.getExperiment({ experiment_id: '0' });
  expect(after.experiment.last_update_time).toBe(before.experiment.last_update_time);
});

onEveryEngine('a deleted experiment takes and gives up no tags', async ({ client }) => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'x', tags: [{ key: 'k', value: 'v' }] });
  await client.experiments.deleteExperiment({ experiment_id });
  const refusal = {
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: `The experiment ${experiment_id} must be in the 'active' state. Current state is deleted.`,
  };
  await expect(client.experiments.setExperimentTag({ experiment_id, key: 'k', value: 'w' })).rejects.toMatchObject(
    refusal,
  );
  await expect(client.experiments.deleteExperimentTag({ experiment_id, key: 'k' })).rejects.toMatchObject(refusal);
});

test('keys: letters and digits of every alphabet and _-./: and blanks, in the form of a path', async () => {
  await using server = await startServer();
  const set = (key: string) => server.client.experiments.setExperimentTag({ experiment_id: '0', key, value: 'v' });
  for (const key of ['a', 'ü日本', 'a_b-c.d/e:f g', ' ', 'mlflow.note.content', 'k'.repeat(250)]) await set(key);
  for (const key of ['a$', 'a\\b', 'a\nb', 'a,b', '😀']) {
    const shown = JSON.stringify(key).replace('😀', String.raw`\ud83d\ude00`);
    await expect(set(key)).rejects.toMatchObject({
      message: `Invalid value ${shown} for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
    });
  }
  for (const [key, path] of [
    ['/a', '/a'],
    ['a//b', 'a/b'],
    ['./a', 'a'],
    ['a/', 'a'],
    ['.', '.'],
    ['..', '..'],
    ['a/../b', 'b'],
    ['../a', '../a'],
  ] as const) {
    await expect(set(key)).rejects.toMatchObject({
      message: `Invalid value "${key}" for parameter 'key' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '${path}'`,
    });
  }
  await expect(set('k'.repeat(251))).rejects.toThrow("'key' exceeds the maximum length of 250 characters");
});

test('values have at most 20000 characters and are not cut', async () => {
  await using server = await startServer();
  const set = (value: string) => server.client.experiments.setExperimentTag({ experiment_id: '0', key: 'k', value });
  await set('😀'.repeat(20_000));
  expect((await tagsOf(server))['k']).toHaveLength(40_000);
  await expect(set('v'.repeat(20_001))).rejects.toThrow("'value' exceeds the maximum length of 20000 characters");
});

test('an experiment is not created with the same tag twice', async () => {
  await using server = await startServer();
  const tags = [
    { key: 'a', value: '1' },
    { key: 'a', value: '2' },
  ];
  await expect(server.client.experiments.createExperiment({ name: 'x', tags })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: expect.stringContaining("'a'") as string,
  });
  await server.client.experiments.createExperiment({ name: 'x' });
});

test('an experiment has at most 50 saved views', async () => {
  await using server = await startServer();
  const views = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ key: `mlflow.customView.view${index}`, value: '' }));
  await expect(server.client.experiments.createExperiment({ name: 'x', tags: views(51) })).rejects.toThrow(
    'Unable to create another custom view; the maximum number of custom views per experiment is 50.',
  );
  const { experiment_id } = await server.client.experiments.createExperiment({ name: 'x', tags: views(50) });
  await server.client.experiments.setExperimentTag({ experiment_id, key: 'mlflow.customView.view0', value: 'changed' });
  await expect(
    server.client.experiments.setExperimentTag({ experiment_id, key: 'mlflow.customView.view50', value: '' }),
  ).rejects.toThrow(`Unable to create another custom view for experiment ${experiment_id};`);
  expect(Object.keys(await tagsOf(server, experiment_id))).toHaveLength(50);
});
