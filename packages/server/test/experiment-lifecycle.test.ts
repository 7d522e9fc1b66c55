import { expect } from 'vitest';
import { aRun, onEveryEngine } from './server-fixture.ts';

onEveryEngine('deleting an experiment deletes its runs; restoring it restores all of them', async ({ client }) => {
  const { experiment_id, run_id } = await aRun(client);
  const { run: deletedBefore } = await client.runs.createRun({ experiment_id });
  await client.runs.deleteRun({ run_id: deletedBefore.info.run_id });
  const stages = async () =>
    Promise.all(
      [run_id, deletedBefore.info.run_id].map(
        async (id) => (await client.runs.getRun({ run_id: id })).run.info.lifecycle_stage,
      ),
    );
  await client.experiments.deleteExperiment({ experiment_id });
  expect((await client.experiments.getExperiment({ experiment_id })).experiment.lifecycle_stage).toBe('deleted');
  expect(await stages()).toEqual(['deleted', 'deleted']);
  await client.experiments.restoreExperiment({ experiment_id });
  expect((await client.experiments.getExperiment({ experiment_id })).experiment.lifecycle_stage).toBe('active');
  expect(await stages()).toEqual(['active', 'active']);
});

onEveryEngine(
  'runs of a deleted experiment refuse writes, also those that were logging a moment ago',
  async ({ client }) => {
    const { experiment_id, run_id } = await aRun(client);
    const log = () => client.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1 });
    await log();
    await client.experiments.deleteExperiment({ experiment_id });
    await expect(log()).rejects.toMatchObject({
      message: `The run ${run_id} must be in the 'active' state. Current state is deleted.`,
    });
    await client.experiments.restoreExperiment({ experiment_id });
    await log();
  },
);

onEveryEngine('a deleted experiment takes no runs', async ({ client }) => {
  const { experiment_id } = await aRun(client);
  await client.experiments.deleteExperiment({ experiment_id });
  await expect(client.runs.createRun({ experiment_id })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: `The experiment ${experiment_id} must be in the 'active' state. Current state is deleted.`,
  });
});

onEveryEngine('a single run of a deleted experiment can be restored and written', async ({ client }) => {
  const { experiment_id, run_id } = await aRun(client);
  await client.experiments.deleteExperiment({ experiment_id });
  await client.runs.restoreRun({ run_id });
  await client.runs.logParam({ run_id, key: 'p', value: '1' });
});

onEveryEngine('only what is active can be deleted, and only what is deleted restored', async ({ client }) => {
  const { experiment_id } = await aRun(client);
  const missing = {
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
    message: `No Experiment with id=${experiment_id} exists`,
  };
  await expect(client.experiments.restoreExperiment({ experiment_id })).rejects.toMatchObject(missing);
  await client.experiments.deleteExperiment({ experiment_id });
  await expect(client.experiments.deleteExperiment({ experiment_id })).rejects.toMatchObject(missing);
});

onEveryEngine('deleting leaves the runs of other experiments alone', async ({ client }) => {
  const [mine, other] = [await aRun(client), await aRun(client)];
  await client.experiments.deleteExperiment({ experiment_id: mine.experiment_id });
  expect((await client.runs.getRun({ run_id: other.run_id })).run.info.lifecycle_stage).toBe('active');
});
