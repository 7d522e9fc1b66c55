import { azureMlTrackingUri, getTrackingUri, setExperiment, setTrackingUri, startRun } from '@lazuli/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { app, startAuthority } from '../../../client/test/azure/test-authority.ts';
import { machine, startDatabricks } from '../databricks/databricks-fixture.ts';
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

test('a tracking URI of Azure ML sends nothing; the first operation signs in, once for all that follow', async () => {
  await using authority = await startAuthority();
  await using server = await startServer();
  const url = await server.server.app.listen({ host: '127.0.0.1', port: 0 });
  const asked: string[] = [];
  const seen = new Set<string | null>();
  // The workspace's host, as far as a name server would lead there.
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const target = new URL(input as string);
    asked.push(target.origin);
    seen.add(new Headers(init?.headers).get('authorization'));
    const headers = new Headers(init?.headers);
    headers.delete('authorization');
    const path = target.pathname.replace(/^\/mlflow\/v2\.0\/.*\/workspaces\/w/, '');
    return await globalThis.fetch(url + path + target.search, { ...init, headers });
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
