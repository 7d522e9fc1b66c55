import {
  azureMlTrackingUri,
  flush,
  getTrackingUri,
  registerModel,
  setExperiment,
  setTrackingUri,
  startRun,
} from '@lazuli/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { app, startAuthority } from '../../../client/test/azure/test-authority.ts';
import { machine, personalToken, startDatabricks } from '../databricks/databricks-fixture.ts';
import { startServer } from '../server-fixture.ts';

/** What would sign in here, if a variable of this machine were taken for one of the test. */
beforeEach(() => {
  for (const name of Object.keys(process.env))
    if (/^(AZURE|MSI|IDENTITY|MLFLOW|DATABRICKS|REQUESTS|SSL)_/.test(name)) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const workspace = azureMlTrackingUri({
  region: 'westeurope',
  subscriptionId: 's',
  resourceGroup: 'g',
  workspaceName: 'w',
});

/** The workspace's host, as far as a name server would lead there. */
function leadingTo(url: string): typeof fetch {
  return async (input, init) => {
    const target = new URL(input);
    const headers = new Headers(init?.headers);
    headers.delete('authorization');
    const path = target.pathname.replace(/^\/mlflow\/v2\.0\/.*\/workspaces\/w/, '');
    return await fetch(url + path + target.search, { ...init, headers });
  };
}

test('a tracking URI of Azure ML sends nothing; the first operation signs in, once for all that follow', async () => {
  await using authority = await startAuthority();
  await using server = await startServer();
  const url = await server.server.app.listen({ host: '127.0.0.1', port: 0 });
  const asked: string[] = [];
  const seen = new Set<string | null>();
  const there = leadingTo(url);
  const fetch: typeof globalThis.fetch = async (input, init) => {
    asked.push(new URL(input).origin);
    seen.add(new Headers(init?.headers).get('authorization'));
    return await there(input, init);
  };

  setTrackingUri(workspace, { fetch });
  expect(getTrackingUri()).toBe(workspace);
  expect(authority.requests).toEqual([]);
  expect(asked).toEqual([]);

  // Variables are read when they are needed, not when the URI is set.
  vi.stubEnv('AZURE_AUTHORITY_HOST', authority.origin);
  vi.stubEnv('AZURE_TENANT_ID', app.tenantId);
  vi.stubEnv('AZURE_CLIENT_ID', app.clientId);
  vi.stubEnv('AZURE_CLIENT_SECRET', app.clientSecret);
  await setExperiment('signed in');
  await startRun({ runName: 'one' }, async (run) => {
    await run.logMetric('loss', 0.5);
  });
  expect(authority.requests).toEqual([`POST /${app.tenantId}/oauth2/v2.0/token`]);
  expect(new Set(asked)).toEqual(new Set(['https://westeurope.api.azureml.ms']));
  expect([...seen]).toEqual([expect.stringMatching(/^Bearer token-/)]);
});

test('a workspace of Azure ML knows an experiment by the last name of its path', async () => {
  await using server = await startServer();
  const url = await server.server.app.listen({ host: '127.0.0.1', port: 0 });
  setTrackingUri(workspace, { fetch: leadingTo(url), authorization: { header: async () => undefined } });
  const { name, experiment_id } = await setExperiment('/Users/ada@example.org/iris-classifier');
  expect(name).toBe('iris-classifier');
  expect((await setExperiment('iris-classifier')).experiment_id).toBe(experiment_id);
});

test('two tracking URIs get each run with what it logs, and one of them the registered model', async () => {
  await using databricks = await startDatabricks();
  await using server = await startServer();
  const url = await server.server.app.listen({ host: '127.0.0.1', port: 0 });
  vi.stubEnv('DATABRICKS_HOST', databricks.url);
  vi.stubEnv('DATABRICKS_TOKEN', personalToken);
  const authorization = { header: async () => undefined };
  setTrackingUri({
    primary: 'databricks',
    secondary: { uri: workspace, fetch: leadingTo(url), authorization },
    onSecondaryFailure: 'queue',
  });
  expect(getTrackingUri()).toBe('databricks');
  await setExperiment('/Shared/iris');
  const runId = await startRun({ runName: 'one' }, async (run) => {
    for (let step = 0; step < 20; step++) await run.logMetric('loss', 1 / (step + 1), { step });
    await run.logParam('rate', 0.1);
    return run.runId;
  });
  await registerModel(`runs:/${runId}/model`, 'iris');
  await flush();

  for (const [{ client }, name] of [
    [databricks.server, '/Shared/iris'],
    [server, 'iris'],
  ] as const) {
    const { experiment } = await client.experiments.getExperimentByName({ experiment_name: name });
    const { runs = [] } = await client.runs.searchRuns({ experiment_ids: [experiment.experiment_id] });
    expect(runs).toMatchObject([
      { info: { run_name: 'one', status: 'FINISHED' }, data: { params: [{ key: 'rate', value: '0.1' }] } },
    ]);
    const history = await client.metrics.getMetricHistory({ run_id: runs[0]?.info.run_id ?? '', metric_key: 'loss' });
    expect(history.metrics).toHaveLength(20);
  }
  const models = async ({ client }: typeof server) =>
    (await client.registeredModels.searchRegisteredModels({})).registered_models ?? [];
  expect(await models(databricks.server)).toMatchObject([{ name: 'iris' }]);
  expect(await models(server)).toEqual([]);
});

test('databricks is signed in to with the first operation', async () => {
  await using databricks = await startDatabricks();
  setTrackingUri('databricks');
  vi.stubEnv('DATABRICKS_HOST', databricks.url);
  vi.stubEnv('DATABRICKS_CLIENT_ID', machine.id);
  vi.stubEnv('DATABRICKS_CLIENT_SECRET', machine.secret);
  expect(databricks.tokenRequests()).toBe(0);
  await setExperiment('/Shared/iris');
  const runId = await startRun({ runName: 'one' }, async (run) => {
    await run.logMetric('loss', 0.5);
    return run.runId;
  });
  expect(databricks.tokenRequests()).toBe(1);
  const { run } = await databricks.server.client.runs.getRun({ run_id: runId });
  expect(run.data.metrics).toMatchObject([{ key: 'loss', value: 0.5 }]);
  expect(run.info.status).toBe('FINISHED');
});
