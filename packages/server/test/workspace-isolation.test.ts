import { expect } from 'vitest';
import { aRun, onEveryEngine, type TestServer } from './server-fixture.ts';

async function twoTeams({ client, clientFor }: TestServer) {
  for (const name of ['team-a', 'team-b']) await client.workspaces.createWorkspace({ name });
  return [clientFor({ workspace: 'team-a' }), clientFor({ workspace: 'team-b' })] as const;
}

onEveryEngine('experiment names and ids are each workspace’s own', async (server) => {
  const [a, b] = await twoTeams(server);
  const inA = await a.experiments.createExperiment({ name: 'same', tags: [{ key: 'team', value: 'a' }] });
  const inB = await b.experiments.createExperiment({ name: 'same' });
  expect(inB.experiment_id).toBe(inA.experiment_id);
  const found = await a.experiments.getExperimentByName({ experiment_name: 'same' });
  expect(found.experiment).toMatchObject({ workspace: 'team-a', tags: [{ key: 'team', value: 'a' }] });
  expect((await b.experiments.getExperimentByName({ experiment_name: 'same' })).experiment).not.toHaveProperty('tags');
  await b.experiments.deleteExperiment({ experiment_id: inB.experiment_id });
  expect((await a.experiments.getExperiment({ experiment_id: inA.experiment_id })).experiment.lifecycle_stage).toBe(
    'active',
  );
});

onEveryEngine('experiments of another workspace are neither found nor changed', async (server) => {
  const [a, b] = await twoTeams(server);
  await b.experiments.createExperiment({ name: 'first' });
  await a.experiments.createExperiment({ name: 'first' });
  const { experiment_id } = await a.experiments.createExperiment({ name: 'hidden' });
  for (const call of [
    () => b.experiments.getExperiment({ experiment_id }),
    () => b.experiments.updateExperiment({ experiment_id, new_name: 'stolen' }),
    () => b.experiments.deleteExperiment({ experiment_id }),
    () => b.experiments.setExperimentTag({ experiment_id, key: 'k', value: 'v' }),
    () => b.runs.createRun({ experiment_id }),
  ]) {
    await expect(call()).rejects.toMatchObject({
      status: 404,
      message: `No Experiment with id=${experiment_id} exists`,
    });
  }
  const names = async (client: typeof a) =>
    ((await client.experiments.searchExperiments({ max_results: 100, view_type: 'ALL' })).experiments ?? []).map(
      ({ name }) => name,
    );
  expect((await names(b)).filter((name) => name !== 'Default')).toEqual(['first']);
  expect(await names(server.client)).toEqual(['Default']);
});

onEveryEngine('runs of another workspace are neither found nor changed', async (server) => {
  const [a, b] = await twoTeams(server);
  const { run_id } = await aRun(a);
  await a.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1 });
  const before = await a.runs.getRun({ run_id });
  for (const call of [
    () => b.runs.getRun({ run_id }),
    () => b.runs.updateRun({ run_id, status: 'FAILED' }),
    () => b.runs.deleteRun({ run_id }),
    () => b.runs.restoreRun({ run_id }),
    () => b.runs.logMetric({ run_id, key: 'm', value: 2, timestamp: 2 }),
    () => b.runs.logParam({ run_id, key: 'p', value: '1' }),
    () => b.runs.setTag({ run_id, key: 't', value: '1' }),
    () => b.runs.deleteTag({ run_id, key: 'mlflow.runName' }),
    () => b.runs.logBatch({ run_id, tags: [{ key: 't', value: '1' }] }),
    () => b.runs.logInputs({ run_id }),
    () => b.runs.logOutputs({ run_id, models: [] }),
    () => b.artifacts.listArtifacts({ run_id }),
  ]) {
    await expect(call()).rejects.toMatchObject({
      status: 404,
      errorCode: 'RESOURCE_DOES_NOT_EXIST',
      message: `Run with id=${run_id} not found`,
    });
  }
  expect(await a.runs.getRun({ run_id })).toEqual(before);
});

onEveryEngine('searches, datasets and histories see nothing of another workspace', async (server) => {
  const [a, b] = await twoTeams(server);
  const inA = await aRun(a);
  const { experiment_id } = await b.experiments.createExperiment({ name: 'b' });
  // Ids count within a workspace, so the same id is another experiment here.
  expect(experiment_id).toBe(inA.experiment_id);
  await a.runs.logMetric({ run_id: inA.run_id, key: 'm', value: 1, timestamp: 1 });
  const dataset = { name: 'd', digest: 'x', source_type: '', source: '' };
  await a.runs.logInputs({ run_id: inA.run_id, datasets: [{ dataset }] });
  expect(await b.runs.searchRuns({ experiment_ids: [experiment_id], run_view_type: 'ALL' })).toEqual({});
  expect(
    await b.runs.searchRuns({ experiment_ids: [experiment_id], filter: 'metrics.m = 1', order_by: ['metrics.m'] }),
  ).toEqual({});
  expect(await b.runs.searchDatasets({ experiment_ids: [experiment_id] })).toEqual({});
  expect(await b.metrics.getMetricHistory({ run_id: inA.run_id, metric_key: 'm' })).toEqual({});
  expect(await b.metrics.getMetricHistoryBulk({ run_id: [inA.run_id], metric_key: 'm' })).toEqual({ metrics: [] });
  expect(await b.metrics.getMetricHistoryBulkInterval({ run_ids: [inA.run_id], metric_key: 'm' })).toEqual({});
  expect((await a.runs.searchRuns({ experiment_ids: [inA.experiment_id] })).runs).toHaveLength(1);
});

onEveryEngine('metrics of the same key keep apart, also where they share a commit', async (server) => {
  const [a, b] = await twoTeams(server);
  const runs = [
    { client: a, run_id: (await aRun(a)).run_id },
    { client: b, run_id: (await aRun(b)).run_id },
  ];
  await Promise.all(
    runs.map(({ client, run_id }, index) => client.runs.logMetric({ run_id, key: 'm', value: index, timestamp: 1 })),
  );
  for (const [index, { client, run_id }] of runs.entries()) {
    const { metrics } = (await client.runs.getRun({ run_id })).run.data;
    expect(metrics).toEqual([{ key: 'm', value: index, timestamp: 1, step: 0 }]);
  }
});

onEveryEngine(
  'a file of one workspace is none of another, though their experiments have the same ids',
  async (server) => {
    const [a, b] = await twoTeams(server);
    const path = '/api/2.0/mlflow-artifacts/artifacts/0/file.txt';
    const ask = (method: string, workspace: string, body?: string) =>
      server.request(method, path, body, {
        'x-mlflow-workspace': workspace,
        ...(body === undefined ? {} : { 'content-type': 'text/plain' }),
      });
    expect((await ask('PUT', 'team-a', 'of a')).status).toBe(200);
    expect((await ask('GET', 'team-a')).text).toBe('of a');
    for (const other of ['team-b', 'default']) expect((await ask('GET', other)).status).toBe(404);
    expect((await ask('PUT', 'team-b', 'of b')).status).toBe(200);
    expect((await ask('DELETE', 'team-b')).status).toBe(200);
    expect((await ask('GET', 'team-a')).text).toBe('of a');
    expect((await b.artifacts.listProxiedArtifacts({ path: '0' })).files).toBeUndefined();
    expect((await a.artifacts.listProxiedArtifacts({ path: '0' })).files).toMatchObject([{ path: 'file.txt' }]);
    const { files = [] } = await server.client.artifacts.listProxiedArtifacts({});
    expect(files).toEqual([]);
  },
);

onEveryEngine(
  'a blank header addresses the default workspace, and blanks around a name do not count',
  async (server) => {
    await twoTeams(server);
    const workspaceOf = async (header: string) => {
      const { json } = await server.request('GET', '/api/2.0/mlflow/experiments/get?experiment_id=0', undefined, {
        'x-mlflow-workspace': header,
      });
      return (json as { experiment: { workspace: string } }).experiment.workspace;
    };
    expect(await workspaceOf('')).toBe('default');
    expect(await workspaceOf('  ')).toBe('default');
    expect(await workspaceOf('default')).toBe('default');
    expect(await workspaceOf(' team-a ')).toBe('team-a');
  },
);
