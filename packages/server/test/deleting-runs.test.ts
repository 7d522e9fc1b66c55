import { expect } from 'vitest';
import { aRun, onEveryEngine } from './server-fixture.ts';

onEveryEngine('a deleted run refuses metrics, params, tags and updates until it is restored', async ({ client }) => {
  const { run_id } = await aRun(client);
  await client.runs.deleteRun({ run_id });
  const refusal = {
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: `The run ${run_id} must be in the 'active' state. Current state is deleted.`,
  };
  const logging = () => client.runs.logMetric({ run_id, key: 'loss', value: 1, timestamp: 1 });
  await expect(logging()).rejects.toMatchObject(refusal);
  await expect(client.runs.logParam({ run_id, key: 'p', value: '1' })).rejects.toMatchObject(refusal);
  await expect(client.runs.setTag({ run_id, key: 't', value: '1' })).rejects.toMatchObject(refusal);
  await expect(client.runs.updateRun({ run_id, status: 'FINISHED' })).rejects.toMatchObject(refusal);
  await client.runs.restoreRun({ run_id });
  await logging();
  const { run } = await client.runs.getRun({ run_id });
  expect(run.data.metrics).toMatchObject([{ key: 'loss', value: 1 }]);
});

onEveryEngine('deleting and restoring a run twice is fine', async ({ client }) => {
  const { run_id } = await aRun(client);
  for (const lifecycle_stage of ['deleted', 'deleted', 'active', 'active'] as const) {
    await (lifecycle_stage === 'deleted' ? client.runs.deleteRun({ run_id }) : client.runs.restoreRun({ run_id }));
    expect((await client.runs.getRun({ run_id })).run.info).toMatchObject({ lifecycle_stage });
  }
});
