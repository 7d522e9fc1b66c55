import { describe, expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer } from '../server-fixture.ts';
import { contentUri, defaultScope, mlflowAt, runPath, storage, upload } from './azure-workspace.ts';

const foreign = defaultScope.replace('workspaces/default', 'workspaces/nowhere');

describe("Azure's address", () => {
  onEveryEngine('stands before every endpoint, in both versions and however it is spelled', async ({ request }) => {
    const spellings = [
      mlflowAt(defaultScope),
      mlflowAt(defaultScope, 'v1.0'),
      mlflowAt(defaultScope.toLowerCase()),
      mlflowAt(defaultScope.toUpperCase().replace('/SUBSCRIPTIONS', '/subscriptions')),
      mlflowAt(defaultScope.replace('/workspaces', '//workspaces')),
      mlflowAt(defaultScope.replace('workspaces/', 'registries/')),
    ];
    for (const base of spellings) {
      const { status, json } = await request('GET', `${base}/api/2.0/mlflow/experiments/get?experiment_id=0`);
      expect([base, status]).toEqual([base, 200]);
      expect(json).toMatchObject({ experiment: { name: 'Default' } });
    }
    expect((await request('GET', `${mlflowAt(defaultScope)}/version`)).text).toMatch(/^3\./);
    expect((await request('GET', `${mlflowAt(defaultScope)}/`)).headers['content-type']).toMatch(/^text\/html/);
    expect((await request('GET', mlflowAt(defaultScope))).headers['content-type']).toMatch(/^text\/html/);
  });

  onEveryEngine('names the workspace, which has experiments and runs of its own', async (server) => {
    await server.client.workspaces.createWorkspace({ name: 'team-a' });
    const teamA = mlflowAt(defaultScope.replace('workspaces/default', 'workspaces/TEAM-A'));
    const created = await server.request('POST', `${teamA}/api/2.0/mlflow/experiments/create`, { name: 'only here' });
    expect(created.status).toBe(200);
    const inA = await server
      .clientFor({ workspace: 'team-a' })
      .experiments.getExperimentByName({ experiment_name: 'only here' });
    expect(inA.experiment.name).toBe('only here');
    await expect(server.client.experiments.getExperimentByName({ experiment_name: 'only here' })).rejects.toThrow();
    const header = await server.request(
      'GET',
      `${teamA}/api/2.0/mlflow/experiments/get-by-name?experiment_name=only%20here`,
      undefined,
      {
        'x-mlflow-workspace': 'default',
      },
    );
    expect(header.status).toBe(200);
  });

  onEveryEngine('is taken from the header, too, where names are not unique', async (server) => {
    await server.client.workspaces.createWorkspace({ name: 'team-a' });
    const scope = (group: string) =>
      defaultScope.replace('/resourceGroups/lazuli/', `/resourceGroups/${group}/`).replace(/default$/, 'team-a');
    const made = await server.request('PUT', `${scope('other')}?api-version=2024-10-01`, {});
    expect(made.status).toBe(201);
    const inOther = server.clientFor({ workspace: scope('OTHER') });
    await inOther.experiments.createExperiment({ name: 'only here' });
    await expect(
      server.clientFor({ workspace: 'team-a' }).experiments.searchExperiments({ max_results: 1 }),
    ).rejects.toThrow('not unique');
    const found = (workspace: string) =>
      server.clientFor({ workspace }).experiments.getExperimentByName({ experiment_name: 'only here' });
    expect((await found(scope('other'))).experiment.workspace).toBe('team-a');
    await expect(found(scope('lazuli'))).rejects.toThrow("'only here'");
    await expect(found(scope('nowhere'))).rejects.toMatchObject({ status: 404 });
  });

  onEveryEngine('takes the logging verbs in, the asynchronous one too', async (server) => {
    const { run_id } = await aRun(server.client);
    const base = `${mlflowAt(defaultScope)}/api/2.0`;
    const metrics = [{ key: 'loss', value: 0.5, timestamp: 1, step: 3 }];
    const logged = await server.request('POST', `${base}/preview/mlflow/runs/log-batch-async`, { run_id, metrics });
    expect([logged.status, logged.json]).toEqual([200, {}]);
    const status = `${base}/preview/mlflow/runs/get-run-data-status?batch_tracking_id=x&run_id=`;
    expect((await server.request('GET', status + run_id)).json).toEqual({ is_complete: true });
    expect((await server.request('GET', `${status}nope`)).status).toBe(404);
    const { run } = await server.client.runs.getRun({ run_id });
    expect(run.data.metrics).toMatchObject([{ key: 'loss', value: 0.5, step: 3 }]);
  });

  onEveryEngine('finds an experiment with slashes in its name again', async ({ request }) => {
    const base = `${mlflowAt(defaultScope)}/api/2.0/mlflow/experiments`;
    const name = '/Users/ann@example.org/a b/c';
    await request('POST', `${base}/create`, { name });
    const found = await request('GET', `${base}/get-by-name?experiment_name=${encodeURIComponent(name)}`);
    expect(found.json).toMatchObject({ experiment: { name } });
  });

  onEveryEngine('of no workspace here is answered in the shapes of both protocols', async ({ request }) => {
    for (const path of [
      `${mlflowAt(foreign)}/api/2.0/mlflow/experiments/get?experiment_id=0`,
      `/history/v1.0${foreign}/experiments/0/runs/r/artifacts`,
    ]) {
      const { status, json } = await request('GET', path);
      expect([path, status]).toEqual([path, 404]);
      expect(json).toMatchObject({
        error_code: 'RESOURCE_DOES_NOT_EXIST',
        message: "Workspace 'nowhere' not found",
        error: {
          code: 'UserError',
          message: "Workspace 'nowhere' not found",
          innerError: { code: 'RESOURCE_DOES_NOT_EXIST' },
        },
      });
    }
    const plain = await request('GET', '/api/2.0/mlflow/experiments/get?experiment_id=99');
    expect(plain.json).not.toHaveProperty('error');
  });

  test('tells strangers nothing but that they must sign in, in both shapes', async () => {
    await using server = await startServer({ auth: 'token' });
    for (const scope of [defaultScope, foreign]) {
      const path = `${mlflowAt(scope)}/api/2.0/mlflow/runs/create`;
      const { status, json } = await server.request('POST', path, { experiment_id: '0' });
      expect(status).toBe(401);
      expect(json).toMatchObject({ error_code: 'UNAUTHENTICATED', error: { innerError: { code: 'UNAUTHENTICATED' } } });
    }
  });

  test('is beside a static prefix', async () => {
    await using server = await startServer({ 'static-prefix': '/ml' });
    const { status } = await server.request(
      'GET',
      `${mlflowAt(defaultScope)}/api/2.0/mlflow/experiments/get?experiment_id=0`,
    );
    expect(status).toBe(200);
  });

  test('is found, with all that Azure’s clients are led to, beside a static prefix', async () => {
    await using server = await startServer({ 'static-prefix': '/ml', auth: 'entra' });
    const metadata = await server.request('GET', '/metadata/endpoints?api-version=2022-09-01');
    const { authentication, resourceManager } = metadata.json as {
      authentication: { loginEndpoint: string };
      resourceManager: string;
    };
    const at = (url: string, path: string): string => new URL(url + path).pathname + new URL(url + path).search;
    const discovery = await server.request(
      'GET',
      at(authentication.loginEndpoint, '/common/v2.0/.well-known/openid-configuration'),
    );
    expect(discovery.status).toBe(200);
    const { issuer, jwks_uri } = discovery.json as { issuer: string; jwks_uri: string };
    expect((await server.request('GET', at(jwks_uri, ''))).status).toBe(200);
    expect(issuer).toMatch(/^https?:/);
    const subscriptions = await server.request('GET', at(resourceManager, '/subscriptions?api-version=2022-12-01'));
    expect(subscriptions.json).toMatchObject({ error: { code: 'AuthenticationFailed' } });
  });

  test('leads to files beside a static prefix', async () => {
    await using server = await startServer({ 'static-prefix': '/ml' });
    const created = await server.request('POST', `${mlflowAt(defaultScope)}/api/2.0/mlflow/runs/create`, {
      experiment_id: '0',
    });
    const { run_id } = (created.json as { run: { info: { run_id: string } } }).run.info;
    await upload(server, runPath(run_id), 'a.txt', 'content');
    const read = await contentUri(server, runPath(run_id), 'a.txt');
    expect((await storage(server, 'GET', read)).text).toBe('content');
  });
});

describe('artifact locations', () => {
  onEveryEngine('are shown in the form of runs, and stay what they are for plain clients', async (server) => {
    const { run_id, experiment_id } = await aRun(server.client);
    const base = `${mlflowAt(defaultScope)}/api/2.0/mlflow`;
    const shown = `azureml://127.0.0.1:0/mlflow/v2.0${defaultScope}/experiments/${experiment_id}/runs/${run_id}/artifacts`;
    const got = await server.request('GET', `${base}/runs/get?run_id=${run_id}`);
    expect(got.json).toMatchObject({ run: { info: { artifact_uri: shown } } });
    const searched = await server.request('POST', `${base}/runs/search`, { experiment_ids: [experiment_id] });
    expect(searched.json).toMatchObject({ runs: [{ info: { artifact_uri: shown } }] });
    const created = await server.request('POST', `${base}/runs/create`, { experiment_id });
    expect(JSON.stringify(created.json)).toMatch(
      /"artifact_uri":"azureml:\/\/.*\/experiments\/\d+\/runs\/[0-9a-f]{32}\/artifacts"/,
    );
    const { run } = await server.client.runs.getRun({ run_id });
    expect(run.info.artifact_uri).toBe(`mlflow-artifacts:/${experiment_id}/${run_id}/artifacts`);
    const model = await server.request('POST', `${base}/logged-models`, { experiment_id, name: 'm' });
    expect(JSON.stringify(model.json)).toMatch(/"artifact_uri":"azureml:\/\/.*\/runs\/m-[0-9a-f]{32}\/artifacts"/);
  });

  onEveryEngine('do not touch what users have written', async (server) => {
    const { run_id } = await aRun(server.client);
    const value = '"artifact_uri":"mlflow-artifacts:/0/x/artifacts"';
    await server.client.runs.setTag({ run_id, key: 'artifact_uri', value });
    const { json } = await server.request('GET', `${mlflowAt(defaultScope)}/api/2.0/mlflow/runs/get?run_id=${run_id}`);
    expect((json as { run: { data: { tags: unknown[] } } }).run.data.tags).toContainEqual({
      key: 'artifact_uri',
      value,
    });
  });
});
