import { expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer } from './server-fixture.ts';

onEveryEngine('a new server has the workspace default', async ({ client }) => {
  const { workspaces = [] } = await client.workspaces.listWorkspaces({});
  expect(workspaces.map(({ name }) => name)).toEqual(['default']);
});

onEveryEngine('workspaces are created, listed by name, read and updated', async ({ client, request }) => {
  const created = await request('POST', '/api/3.0/mlflow/workspaces', { name: 'team-b', description: 'B' });
  expect([created.status, created.json]).toEqual([201, { workspace: { name: 'team-b', description: 'B' } }]);
  await client.workspaces.createWorkspace({ name: 'team-a' });
  const { workspaces = [] } = await client.workspaces.listWorkspaces({});
  expect(workspaces.map(({ name }) => name)).toEqual(['default', 'team-a', 'team-b']);
  await client.workspaces.updateWorkspace({
    workspace_name: 'team-a',
    description: 'A',
    default_artifact_root: 's3://bucket/a',
  });
  expect(await client.workspaces.getWorkspace({ workspace_name: 'team-a' })).toEqual({
    workspace: { name: 'team-a', description: 'A', default_artifact_root: 's3://bucket/a' },
  });
  await client.workspaces.updateWorkspace({ workspace_name: 'team-a', default_artifact_root: '' });
  expect((await client.workspaces.getWorkspace({ workspace_name: 'team-a' })).workspace).toEqual({
    name: 'team-a',
    description: 'A',
  });
  await client.workspaces.updateWorkspace({ workspace_name: 'default', description: 'ours' });
});

onEveryEngine('a new artifact root holds for the next experiment of its workspace', async ({ client, clientFor }) => {
  await client.workspaces.createWorkspace({ name: 'team-a' });
  const team = clientFor({ workspace: 'team-a' });
  const locationOf = async (name: string) => {
    const { experiment_id } = await team.experiments.createExperiment({ name });
    return {
      experiment_id,
      location: (await team.experiments.getExperiment({ experiment_id })).experiment.artifact_location,
    };
  };
  expect((await locationOf('before')).location).toMatch(/^mlflow-artifacts:/);
  await client.workspaces.updateWorkspace({ workspace_name: 'team-a', default_artifact_root: 's3://bucket/a' });
  const { experiment_id, location } = await locationOf('after');
  expect(location).toMatch(/^s3:\/\/bucket\/a\//);
  expect(location.endsWith(`/${experiment_id}`)).toBe(true);
});

test('names are labels of 2 to 63 small letters, digits and inner hyphens, and some are reserved', async () => {
  await using server = await startServer();
  const create = (name: string) => server.client.workspaces.createWorkspace({ name });
  await create('a1');
  await create(`a${'-'.repeat(61)}z`);
  for (const name of ['a', 'a'.repeat(64)]) {
    await expect(create(name)).rejects.toThrow(`Workspace name '${name}' must be between 2 and 63 characters.`);
  }
  for (const name of ['Ab', 'a_b', '-ab', 'ab-', 'a.b', 'a b', 'äb', 'ab\n']) {
    await expect(create(name)).rejects.toMatchObject({
      errorCode: 'INVALID_PARAMETER_VALUE',
      message: `Workspace name '${name}' must match the pattern ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ (lowercase alphanumeric with optional internal hyphens).`,
    });
  }
  for (const name of ['api', 'ajax-api', 'workspaces', 'static-files']) {
    await expect(create(name)).rejects.toThrow(`Workspace name '${name}' is reserved and cannot be used.`);
  }
  await expect(create('default')).rejects.toThrow(`The 'default' workspace is reserved and cannot be created`);
  await expect(create('a1')).rejects.toMatchObject({
    status: 400,
    errorCode: 'RESOURCE_ALREADY_EXISTS',
    message: expect.stringMatching(/^Workspace 'a1' already exists\./) as string,
  });
});

test('an unknown workspace is not found, a wrong name refused, wherever it is named', async () => {
  await using server = await startServer();
  const { workspaces } = server.client;
  for (const call of [
    () => workspaces.getWorkspace({ workspace_name: 'nope' }),
    () => workspaces.updateWorkspace({ workspace_name: 'nope', description: '' }),
    () => workspaces.deleteWorkspace({ workspace_name: 'nope' }),
    () => server.clientFor({ workspace: 'nope' }).experiments.getExperiment({ experiment_id: '0' }),
  ]) {
    await expect(call()).rejects.toMatchObject({ status: 404, message: "Workspace 'nope' not found" });
  }
  for (const call of [
    () => workspaces.getWorkspace({ workspace_name: 'No_pe' }),
    () => server.clientFor({ workspace: '../x' }).experiments.getExperiment({ experiment_id: '0' }),
  ]) {
    await expect(call()).rejects.toMatchObject({ status: 400, errorCode: 'INVALID_PARAMETER_VALUE' });
  }
});

test('an update changes something, and only what it may', async () => {
  await using server = await startServer();
  const update = (body: object) => server.request('PATCH', '/api/3.0/mlflow/workspaces/default', body);
  for (const body of [{}, { name: 'other' }]) {
    expect((await update(body)).json).toMatchObject({ message: 'Workspace update must have at least one key' });
  }
  expect((await update({ name: 'other', description: 'd' })).json).toEqual({
    workspace: { name: 'default', description: 'd' },
  });
  expect((await update({ default_artifact_root: 'http://internal/x' })).status).toBe(400);
});

onEveryEngine(
  'an empty workspace is deleted, another only with everything in it',
  async ({ client, clientFor, request }) => {
    await client.workspaces.createWorkspace({ name: 'empty' });
    const { status, text } = await request('DELETE', '/api/3.0/mlflow/workspaces/empty');
    expect([status, text]).toEqual([204, '']);

    await client.workspaces.createWorkspace({ name: 'full' });
    const full = clientFor({ workspace: 'full' });
    const { run_id } = await aRun(full);
    await full.runs.logBatch({
      run_id,
      metrics: [{ key: 'm', value: 1, timestamp: 1 }],
      params: [{ key: 'p', value: '1' }],
      tags: [{ key: 't', value: '1' }],
    });
    await full.runs.logInputs({
      run_id,
      datasets: [
        { dataset: { name: 'd', digest: 'x', source_type: '', source: '' }, tags: [{ key: 'k', value: 'v' }] },
      ],
      models: [{ model_id: 'm-1' }],
    });
    await expect(client.workspaces.deleteWorkspace({ workspace_name: 'full' })).rejects.toMatchObject({
      status: 400,
      errorCode: 'INVALID_STATE',
      message: expect.stringContaining("Cannot delete workspace 'full'") as string,
    });
    await full.runs.getRun({ run_id });
    await client.workspaces.deleteWorkspace({ workspace_name: 'full', mode: 'CASCADE' });
    await expect(full.runs.getRun({ run_id })).rejects.toThrow("Workspace 'full' not found");

    await client.workspaces.createWorkspace({ name: 'full' });
    await expect(full.runs.getRun({ run_id })).rejects.toThrow(`Run with id=${run_id} not found`);
    await expect(full.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1 })).rejects.toThrow(
      `Run with id=${run_id} not found`,
    );
  },
);

test('the workspace default stays; a deletion has a mode that exists', async () => {
  await using server = await startServer();
  await server.client.workspaces.createWorkspace({ name: 'team-a' });
  const remove = (workspace_name: string, mode: string) =>
    server.client.workspaces.deleteWorkspace({ workspace_name, mode });
  await expect(remove('default', 'CASCADE')).rejects.toThrow(
    `The 'default' workspace is reserved and cannot be deleted`,
  );
  for (const mode of ['xx', 'cascade', ''])
    await expect(remove('team-a', mode)).rejects.toThrow(`Invalid deletion mode '${mode}'`);
  await expect(remove('team-a', 'SET_DEFAULT')).rejects.toMatchObject({ status: 400 });
  await server.client.workspaces.getWorkspace({ workspace_name: 'team-a' });
});
