import { expect, test } from 'vitest';
import type { Client } from '@lazuli/client';
import { aRun, onEveryEngine, startServer } from '../server-fixture.ts';

const model = { run_id: 'r', artifact_path: 'p', utc_time_created: '2020-01-01 00:00:00', flavors: { x: { k: 1 } } };

async function historyOf(client: Client, run_id: string): Promise<unknown> {
  const { tags = [] } = (await client.runs.getRun({ run_id })).run.data;
  return JSON.parse(tags.find(({ key }) => key === 'mlflow.log-model.history')?.value ?? 'null') as unknown;
}

onEveryEngine('models of older clients are noted in a tag of their run', async ({ client }) => {
  const { run_id } = await aRun(client);
  const log = (given: object) => client.runs.logModel({ run_id, model_json: JSON.stringify(given) });
  expect(await log({ ...model, model_uuid: 'u', signature: null })).toEqual({});
  await log({ ...model, artifact_path: 'é', utc_time_created: 1 });
  await log({ ...model, artifact_path: 'x'.repeat(9_000) });
  expect(await historyOf(client, run_id)).toEqual([
    { ...model, model_uuid: 'u' },
    { ...model, artifact_path: 'é', utc_time_created: '1', model_uuid: null },
    { ...model, artifact_path: 'x'.repeat(9_000), model_uuid: null },
  ]);
});

onEveryEngine('of models that are noted at the same time none is lost', async ({ client }) => {
  const { run_id } = await aRun(client);
  const paths = Array.from({ length: 8 }, (_, index) => String(index));
  await Promise.all(
    paths.map((artifact_path) =>
      client.runs.logModel({ run_id, model_json: JSON.stringify({ ...model, artifact_path }) }),
    ),
  );
  const history = (await historyOf(client, run_id)) as { artifact_path: string }[];
  expect(history.map(({ artifact_path }) => artifact_path).sort()).toEqual(paths);
});

test('what is no model is refused, and so is a run that takes nothing', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const log = (body: object) => server.request('POST', '/api/2.0/mlflow/runs/log-model', { run_id, ...body });
  for (const [body, status, message] of [
    [{}, 400, "Missing value for required parameter 'model_json'."],
    [{ model_json: {} }, 400, "Invalid value {} for parameter 'model_json' supplied:  Hint: Value was of type 'dict'."],
    [{ model_json: '{x' }, 400, 'Malformed model info. \n {x \n is not a valid JSON.'],
    [{ model_json: '[1]' }, 400, 'Malformed model info. \n [1] \n is not a JSON object.'],
    [
      { model_json: '{"run_id":"a"}' },
      400,
      "Model json is missing mandatory fields: {'artifact_path', 'flavors', 'utc_time_created'}",
    ],
    [{ run_id: 'nope', model_json: JSON.stringify(model) }, 404, 'Run with id=nope not found'],
    [
      { model_json: JSON.stringify({ ...model, flavors: 'x'.repeat(1_000_000) }) },
      400,
      'more than the 1000000 allowed',
    ],
  ] as const) {
    const answer = await log(body);
    expect([answer.status, answer.json]).toEqual([
      status,
      expect.objectContaining({ message: expect.stringContaining(message) as string }),
    ]);
  }
  await server.client.runs.setTag({ run_id, key: 'mlflow.log-model.history', value: 'mine' });
  expect((await log({ model_json: JSON.stringify(model) })).json).toMatchObject({
    message: `The tag mlflow.log-model.history of the run ${run_id} is not a JSON list, so nothing can be added.`,
  });
  await server.client.runs.deleteRun({ run_id });
  expect((await log({ model_json: JSON.stringify(model) })).json).toMatchObject({
    message: `The run ${run_id} must be in the 'active' state. Current state is deleted.`,
  });
});
