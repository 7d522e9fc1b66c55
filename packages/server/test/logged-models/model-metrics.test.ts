import { expect } from 'vitest';
import { onEveryEngine } from '../server-fixture.ts';
import { aModel } from './a-model.ts';

onEveryEngine('a point that names a model is in the run and with the model', async ({ client }) => {
  const { model_id, run_id } = await aModel(client);
  const dataset = { dataset_name: 'd', dataset_digest: 'x' };
  const point = { key: 'acc', value: 0.5, timestamp: 2 ** 53 - 1, step: -(2n ** 63n) };
  await client.runs.logMetric({ run_id, ...point, model_id, ...dataset });
  await client.runs.logMetric({ run_id, ...point, model_id, ...dataset });
  await client.runs.logMetric({ run_id, key: 'plain', value: 1, timestamp: 1 });
  await client.runs.logMetric({ run_id, key: 'plain', value: 2, timestamp: 2, model_id: '', ...dataset });
  const { model } = await client.loggedModels.getLoggedModel({ model_id });
  expect(model.data.metrics).toEqual([{ ...point, model_id, ...dataset, run_id }]);
  const { run } = await client.runs.getRun({ run_id });
  // *MLflow tells of the model with the model alone.*
  expect(run.data.metrics).toContainEqual(point);
  expect(await client.metrics.getMetricHistory({ run_id, metric_key: 'acc' })).toEqual({ metrics: [point] });
});

onEveryEngine('a batch has points with and without models', async ({ client }) => {
  const one = await aModel(client);
  const two = await aModel(client);
  const { run_id } = one;
  const at = (step: number) => ({ key: 'b', value: step, timestamp: 7, step });
  await client.runs.logBatch({
    run_id,
    metrics: [
      at(0),
      { ...at(1), model_id: one.model_id },
      { ...at(2), value: NaN, model_id: two.model_id, dataset_name: 'd', dataset_digest: 'x' },
      { ...at(3), value: Infinity, model_id: one.model_id },
      { ...at(1), model_id: one.model_id },
    ],
  });
  const metricsOf = async (model_id: string) =>
    (await client.loggedModels.getLoggedModel({ model_id })).model.data.metrics;
  expect(await metricsOf(one.model_id)).toEqual([
    { ...at(1), model_id: one.model_id, run_id },
    { ...at(3), value: Number.MAX_VALUE, model_id: one.model_id, run_id },
  ]);
  expect(await metricsOf(two.model_id)).toEqual([
    { ...at(2), value: NaN, model_id: two.model_id, dataset_name: 'd', dataset_digest: 'x', run_id },
  ]);
  expect((await client.metrics.getMetricHistory({ run_id, metric_key: 'b' })).metrics).toHaveLength(4);
});

onEveryEngine('one model may be measured by several runs, and on several datasets at one time', async ({ client }) => {
  const { model_id, run_id, experiment_id } = await aModel(client);
  const { run } = await client.runs.createRun({ experiment_id });
  const point = { key: 'acc', value: 1, timestamp: 1, step: 0, model_id };
  const on = (name: string) => ({ dataset_name: name, dataset_digest: 'x' });
  for (const id of [run_id, run.info.run_id]) {
    for (const name of ['a', 'b']) await client.runs.logMetric({ run_id: id, ...point, ...on(name) });
  }
  const { model } = await client.loggedModels.getLoggedModel({ model_id });
  expect(model.data.metrics).toEqual(
    [run_id, run.info.run_id].flatMap((id) => ['a', 'b'].map((name) => ({ ...point, ...on(name), run_id: id }))),
  );
});

onEveryEngine('a batch that names an unknown model leaves nothing behind', async ({ client }) => {
  const { model_id, run_id } = await aModel(client);
  const point = { key: 'm', value: 1, timestamp: 1 };
  await expect(
    client.runs.logBatch({
      run_id,
      metrics: [point, { ...point, model_id }, { ...point, model_id: 'm-x' }],
      params: [{ key: 'p', value: '1' }],
    }),
  ).rejects.toMatchObject({ status: 404, message: "Logged model with ID 'm-x' not found." });
  const { run } = await client.runs.getRun({ run_id });
  expect([run.data.metrics, run.data.params]).toEqual([undefined, undefined]);
  expect((await client.loggedModels.getLoggedModel({ model_id })).model.data).toEqual({});
  await expect(client.runs.logMetric({ run_id: 'nope', ...point, model_id: 'm-x' })).rejects.toThrow(
    'Run with id=nope not found',
  );
});

onEveryEngine('a dataset is named by both its name and its digest', async ({ client }) => {
  const { model_id, run_id } = await aModel(client);
  const point = { key: 'm', value: 1, timestamp: 1 };
  for (const half of [{ dataset_name: 'd' }, { dataset_digest: 'x' }, { dataset_name: 'd', model_id }]) {
    for (const call of [
      () => client.runs.logMetric({ run_id, ...point, ...half }),
      () => client.runs.logBatch({ run_id, metrics: [{ ...point, ...half }] }),
    ]) {
      await expect(call()).rejects.toMatchObject({
        errorCode: 'INVALID_PARAMETER_VALUE',
        message: 'Both dataset_name and dataset_digest must be provided if one is provided',
      });
    }
  }
  const on = (name: string, digest: string) =>
    client.runs.logMetric({ run_id, ...point, model_id, dataset_name: name, dataset_digest: digest });
  await on('😀'.repeat(500), 'x'.repeat(36));
  await expect(on('n'.repeat(501), 'x')).rejects.toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE' });
  await expect(on('n', 'x'.repeat(37))).rejects.toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE' });
});
