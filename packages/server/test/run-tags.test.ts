import { expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer, type TestServer } from './server-fixture.ts';

async function tagsOf({ client }: Pick<TestServer, 'client'>, run_id: string): Promise<Record<string, string>> {
  const { run } = await client.runs.getRun({ run_id });
  return Object.fromEntries((run.data.tags ?? []).map(({ key, value }) => [key, value]));
}

onEveryEngine('a tag is set, overwritten and deleted', async ({ client }) => {
  const { run_id } = await aRun(client);
  await client.runs.setTag({ run_id, key: 't', value: '1' });
  await client.runs.setTag({ run_id, key: 't', value: '2' });
  await client.runs.setTag({ run_id, key: 'bare' });
  expect(await tagsOf({ client }, run_id)).toMatchObject({ t: '2', bare: '' });
  await client.runs.deleteTag({ run_id, key: 't' });
  expect(await tagsOf({ client }, run_id)).not.toHaveProperty('t');
  await expect(client.runs.deleteTag({ run_id, key: 't' })).rejects.toMatchObject({
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
    message: `No tag with name: t in run with id ${run_id}`,
  });
});

onEveryEngine('the tag mlflow.runName renames its run; an empty one does nothing', async ({ client }) => {
  const { run_id } = await aRun(client);
  await client.runs.setTag({ run_id, key: 'mlflow.runName', value: 'by tag' });
  await client.runs.setTag({ run_id, key: 'mlflow.runName', value: '' });
  expect((await client.runs.getRun({ run_id })).run.info.run_name).toBe('by tag');
  expect(await tagsOf({ client }, run_id)).toMatchObject({ 'mlflow.runName': 'by tag' });
});

onEveryEngine('the tag mlflow.user does not change the user', async ({ client }) => {
  const { run } = await client.runs.createRun({ user_id: 'ada' });
  await client.runs.setTag({ run_id: run.info.run_id, key: 'mlflow.user', value: 'eve' });
  expect((await client.runs.getRun({ run_id: run.info.run_id })).run.info.user_id).toBe('ada');
});

onEveryEngine('of tags set at once the last one to arrive stays', async ({ client }) => {
  const { run_id } = await aRun(client);
  await Promise.all(['1', '2', '3'].map((value) => client.runs.setTag({ run_id, key: 't', value })));
  expect(await tagsOf({ client }, run_id)).toMatchObject({ t: '3' });
});

test('a long value is cut to 8000 characters; a long key is refused', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  await server.client.runs.setTag({ run_id, key: 'k'.repeat(250), value: '😀'.repeat(8_001) });
  expect((await tagsOf(server, run_id))['k'.repeat(250)]).toBe('😀'.repeat(8_000));
  await expect(server.client.runs.setTag({ run_id, key: 'k'.repeat(251), value: '' })).rejects.toThrow(
    "'key' exceeds the maximum length of 250 characters",
  );
});

test('keys keep the rules of names', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  for (const key of ['a$', '/a', '..', '😀']) {
    await expect(server.client.runs.setTag({ run_id, key, value: '' })).rejects.toMatchObject({
      errorCode: 'INVALID_PARAMETER_VALUE',
      message: expect.stringContaining("for parameter 'key' supplied: Names may") as string,
    });
  }
});
