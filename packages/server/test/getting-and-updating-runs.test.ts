import { expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer } from './server-fixture.ts';

onEveryEngine('a run is got by run_id or run_uuid, and run_id counts where both are given', async ({ client }) => {
  const { run_id } = await aRun(client);
  for (const name of [{ run_id }, { run_uuid: run_id }, { run_id, run_uuid: 'other' }]) {
    expect((await client.runs.getRun(name)).run.info.run_id).toBe(run_id);
  }
});

onEveryEngine('an unknown run is not found; ids have their case', async ({ client }) => {
  const { run_id } = await aRun(client);
  for (const id of ['abc', run_id.toUpperCase()]) {
    if (id === run_id) continue;
    await expect(client.runs.getRun({ run_id: id })).rejects.toMatchObject({
      status: 404,
      errorCode: 'RESOURCE_DOES_NOT_EXIST',
      message: `Run with id=${id} not found`,
    });
  }
});

onEveryEngine('a run may go from any status to any other', async ({ client }) => {
  const { run_id } = await aRun(client);
  for (const status of ['FINISHED', 'RUNNING', 'FAILED', 'SCHEDULED', 'KILLED', 'RUNNING'] as const) {
    expect((await client.runs.updateRun({ run_id, status })).run_info.status).toBe(status);
  }
  expect((await client.runs.getRun({ run_id })).run.info.status).toBe('RUNNING');
});

onEveryEngine('an end is set by the caller alone, and stays when the run goes on', async ({ client }) => {
  const { run_id } = await aRun(client);
  expect((await client.runs.updateRun({ run_id, status: 'FINISHED' })).run_info).not.toHaveProperty('end_time');
  expect((await client.runs.updateRun({ run_id, end_time: 2n ** 53n + 1n })).run_info.end_time).toBe(2n ** 53n + 1n);
  expect((await client.runs.updateRun({ run_id, status: 'RUNNING' })).run_info.end_time).toBe(2n ** 53n + 1n);
  expect((await client.runs.updateRun({ run_id, end_time: -1 })).run_info).toMatchObject({
    end_time: -1,
    status: 'RUNNING',
  });
});

onEveryEngine('a new name changes the tag, too; an empty one changes nothing', async ({ client }) => {
  const { run_id } = await aRun(client);
  await client.runs.updateRun({ run_id, run_name: 'new' });
  await client.runs.updateRun({ run_id, run_name: '' });
  const named = async () => {
    const { run } = await client.runs.getRun({ run_id });
    return [run.info.run_name, run.data.tags?.find(({ key }) => key === 'mlflow.runName')?.value];
  };
  expect(await named()).toEqual(['new', 'new']);
  await client.runs.deleteTag({ run_id, key: 'mlflow.runName' });
  expect(await named()).toEqual(['new', undefined]);
  await client.runs.updateRun({ run_id, run_name: 'again' });
  expect(await named()).toEqual(['again', 'again']);
});

onEveryEngine('a status is a name, a number or a number as text', async ({ client, request }) => {
  const { run_id } = await aRun(client);
  const update = async (status: unknown) =>
    (await request('POST', '/api/2.0/mlflow/runs/update', { run_id, status })).json as {
      run_info?: { status: string };
      message?: string;
    };
  for (const [given, name] of [
    [1, 'RUNNING'],
    [2, 'SCHEDULED'],
    ['3', 'FINISHED'],
    [4, 'FAILED'],
    ['KILLED', 'KILLED'],
    [null, 'KILLED'],
  ]) {
    expect((await update(given)).run_info?.status).toBe(name);
  }
  expect((await update(9)).message).toBe(
    "Invalid value 9 for parameter 'status' supplied:  Hint: Value was of type 'int'. See the API docs for more information about request parameters.",
  );
  // MLflow takes no notice of a name that it does not know, and the run stays in its status.
  for (const unknown of ['finished', 'BOGUS', '', '__proto__']) {
    expect((await update(unknown)).message).toMatch(
      /^Invalid value .* It must be one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED/,
    );
  }
});

test('an update needs a run', async () => {
  await using server = await startServer();
  await expect(server.client.runs.updateRun({ status: 'FAILED' })).rejects.toMatchObject({
    message:
      "Missing value for required parameter 'run_id'. See the API docs for more information about request parameters.",
  });
  await expect(server.client.runs.updateRun({ run_id: 'nope', status: 'FAILED' })).rejects.toMatchObject({
    status: 404,
  });
  await expect(server.client.runs.deleteRun({ run_id: 'nope' })).rejects.toMatchObject({
    message: 'Run with id=nope not found',
  });
  await expect(server.client.runs.restoreRun({ run_id: 'nope' })).rejects.toMatchObject({
    message: 'Run with id=nope not found',
  });
});

onEveryEngine('a run without data is answered with an empty one', async ({ client, request }) => {
  const { run_id } = await aRun(client);
  await client.runs.deleteTag({ run_id, key: 'mlflow.runName' });
  const { text } = await request('GET', `/api/2.0/mlflow/runs/get?run_id=${run_id}`);
  expect(text).toMatch(/"data":\{\},"inputs":\{\},"outputs":\{\}\}\}$/);
});
