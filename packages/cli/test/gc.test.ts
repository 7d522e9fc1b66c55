import { createClient } from '@lazuli/client';
import { expect, test } from 'vitest';
import { aFolder, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

test('lazuli gc says what goes and what stays, and deletes it', async () => {
  using folder = aFolder();
  const cwd = folder.path;
  await using server = await serving(['--data-dir', 'data'], { cwd });
  const { runs, registeredModels, modelVersions } = createClient({ url: server.url });
  const newRun = async () => (await runs.createRun({ experiment_id: '0' })).run.info.run_id;
  const [loose, held, live] = [await newRun(), await newRun(), await newRun()];
  await registeredModels.createRegisteredModel({ name: 'm' });
  await modelVersions.createModelVersion({ name: 'm', source: `runs:/${held}/model`, run_id: held });
  for (const run_id of [loose, held]) await runs.deleteRun({ run_id });
  const env = { LAZULI_URL: server.url };
  const gc = (...args: string[]) => run(['gc', ...args], { cwd, env });

  expect(await gc()).toEqual({ status: 0, stdout: '[]\n', stderr: '0 things deleted.\n' });
  const gone = { kind: 'run', id: loose, state: 'deleted', reason: null };
  const reason = "version 1 of the registered model 'm' was made from it";
  const stays = { kind: 'run', id: held, state: 'kept', reason };
  const dry = await gc('--older-than', '0d', '--dry-run');
  expect([dry.status, JSON.parse(dry.stdout), dry.stderr]).toEqual([0, [gone, stays], '1 thing would be deleted.\n']);
  expect((await gc('--older-than', '0d', '--dry-run', '--query', '[?reason].id')).stdout).toContain(`"${held}"`);
  expect((await gc('--older-than', '0d', '--dry-run', '-o', 'table')).stdout).toMatch(/^Kind +Id +State +Reason\n/);
  const named = await gc('--run-ids', `${held}, ${live}`);
  expect([named.status, JSON.parse(named.stdout)]).toEqual([
    1,
    [{ kind: 'run', id: live, state: 'kept', reason: 'it is not marked as deleted' }, stays],
  ]);
  const deleted = await gc('--older-than', '0d', '--query', "[?state=='deleted'].id", '-o', 'tsv');
  expect(deleted).toMatchObject({ status: 0, stdout: `${loose}\n` });
  await expect(runs.getRun({ run_id: loose })).rejects.toMatchObject({ status: 404 });

  expect(await gc('--older-than', 'soon')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('30d') as string,
  });
  // A mistake must not mean everything.
  for (const ids of ['', ',', 'a,']) expect(await gc('--run-ids', ids)).toMatchObject({ status: 2, stdout: '' });
  expect(await gc('--workspace-name', 'nowhere')).toMatchObject({ status: 3, stdout: '' });
  expect(await gc('--url', 'nowhere')).toMatchObject({ status: 2, stdout: '' });
});
