import { expect } from 'vitest';
import { onEveryEngine } from './server-fixture.ts';

onEveryEngine('a renamed experiment is found by its new name alone', async ({ client }) => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'old' });
  await client.experiments.updateExperiment({ experiment_id, new_name: 'new' });
  const { experiment } = await client.experiments.getExperimentByName({ experiment_name: 'new' });
  expect(experiment.experiment_id).toBe(experiment_id);
  expect(experiment.last_update_time).toBeGreaterThanOrEqual(Number(experiment.creation_time));
  await expect(client.experiments.getExperimentByName({ experiment_name: 'old' })).rejects.toMatchObject({
    status: 404,
  });
  await client.experiments.createExperiment({ name: 'old' });
});

onEveryEngine('an experiment may be renamed to the name that it has', async ({ client }) => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'same' });
  await client.experiments.updateExperiment({ experiment_id, new_name: 'same' });
});

onEveryEngine('a taken name is refused and changes nothing', async ({ client }) => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'mine' });
  await expect(client.experiments.updateExperiment({ experiment_id, new_name: 'Default' })).rejects.toMatchObject({
    status: 400,
    errorCode: 'RESOURCE_ALREADY_EXISTS',
  });
  const { experiment } = await client.experiments.getExperiment({ experiment_id });
  expect(experiment.name).toBe('mine');
});

onEveryEngine('a deleted experiment cannot be renamed', async ({ client }) => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'gone' });
  await client.experiments.deleteExperiment({ experiment_id });
  await expect(client.experiments.updateExperiment({ experiment_id, new_name: 'x' })).rejects.toMatchObject({
    status: 400,
    errorCode: 'INVALID_STATE',
    message: 'Cannot rename a non-active experiment.',
  });
});

onEveryEngine('a new name is required, of at most 500 characters', async ({ client, request }) => {
  const rename = (new_name: unknown) =>
    request('POST', '/api/2.0/mlflow/experiments/update', { experiment_id: '0', new_name });
  for (const name of [undefined, null, '']) {
    expect((await rename(name)).json).toMatchObject({
      error_code: 'INVALID_PARAMETER_VALUE',
      message:
        "Missing value for required parameter 'new_name'. See the API docs for more information about request parameters.",
    });
  }
  await client.experiments.updateExperiment({ experiment_id: '0', new_name: 'n'.repeat(500) });
  expect((await rename('n'.repeat(501))).json).toMatchObject({
    message: "'name' exceeds the maximum length of 500 characters",
  });
});

onEveryEngine('what is unknown cannot be renamed', async ({ client }) => {
  await expect(client.experiments.updateExperiment({ experiment_id: '99', new_name: 'x' })).rejects.toMatchObject({
    status: 404,
    message: 'No Experiment with id=99 exists',
  });
});
