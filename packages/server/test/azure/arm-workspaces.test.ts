import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  anArmServer,
  defaultWorkspace,
  group,
  subscription,
  workspacesIn,
  type ArmJson,
  type ArmServer,
} from './arm-fixture.ts';

let arm: ArmServer;
beforeAll(async () => {
  arm = await anArmServer();
});
afterAll(() => arm[Symbol.asyncDispose]());

const other = `/subscriptions/${randomUUID()}`;
const third = `/subscriptions/${randomUUID()}`;

describe('a workspace', () => {
  test('says where to track runs, on the public origin', async () => {
    const { status, json } = await arm.owner('GET', defaultWorkspace);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      id: defaultWorkspace,
      name: 'default',
      type: 'Microsoft.MachineLearningServices/workspaces',
      location: 'local',
      tags: {},
      properties: {
        mlFlowTrackingUri: `azureml://lazuli.test/mlflow/v1.0${defaultWorkspace}`,
        provisioningState: 'Succeeded',
        discoveryUrl: 'https://lazuli.test/discovery',
      },
    });
  });

  test('whose name others have as well is the one that the caller may see, and where both are seen neither', async () => {
    const [first, second] = ['One', 'Two'].map((name) => `${workspacesIn(`${third}/resourceGroups/${name}`)}/twice`);
    for (const id of [first, second]) await arm.owner('PUT', id ?? '', { location: 'local' });
    const use = (secret: string, method: string, path: string, body?: unknown, workspace = 'twice') =>
      arm.server.request(method, `/api/2.0/mlflow/${path}`, body, {
        authorization: `Bearer ${secret}`,
        'x-mlflow-workspace': workspace,
      });
    const create = 'experiments/create';
    const ofSecond = await arm.holder({ role: 'Contributor', scope: second ?? '' });
    expect((await use(ofSecond.secret, 'POST', create, { name: 'in the second' })).status).toBe(200);
    const { secret } = await arm.holder();
    const [hidden, absent] = [
      await use(secret, 'POST', create, { name: 'x' }),
      await use(secret, 'POST', create, { name: 'x' }, 'never'),
    ];
    expect([hidden.status, hidden.text]).toEqual([404, absent.text.replaceAll('never', 'twice')]);
    const inFull = await use(secret, 'POST', create, { name: 'x' }, first);
    const nowhere = await use(secret, 'POST', create, { name: 'x' }, `${first}-never`);
    expect([inFull.status, inFull.text]).toEqual([404, nowhere.text.replaceAll('twice-never', 'twice')]);
    const ofBoth = await arm.holder(
      { role: 'Contributor', scope: first ?? '' },
      { role: 'Reader', scope: second ?? '' },
    );
    const unclear = await use(ofBoth.secret, 'POST', create, { name: 'x' });
    expect([unclear.status, unclear.text]).toEqual([400, expect.stringContaining("'twice' is not unique")]);

    const owner = await arm.token('Owner');
    const changes: readonly (readonly [string, string, unknown])[] = [
      ['GET', '/api/3.0/mlflow/workspaces/twice', undefined],
      ['PATCH', '/api/3.0/mlflow/workspaces/twice', { description: 'which?' }],
      ['DELETE', '/api/3.0/mlflow/workspaces/twice?mode=CASCADE', undefined],
    ];
    for (const [method, path, body] of changes) {
      const refused = await arm.server.request(method, path, body, { authorization: `Bearer ${owner.secret}` });
      expect([method, refused.status, refused.text]).toEqual([method, 400, expect.stringContaining('is not unique')]);
    }
    for (const id of [first, second]) expect((await arm.owner('GET', id ?? '')).status).toBe(200);
  });

  test('that is called as the default one is takes nothing from it', async () => {
    const id = `${workspacesIn(`${third}/resourceGroups/Three`)}/default`;
    expect((await arm.owner('PUT', id, { location: 'local' })).status).toBe(201);
    const { secret } = await arm.token('Owner');
    const headers = { authorization: `Bearer ${secret}`, 'x-mlflow-workspace': 'default' };
    const made = await arm.server.request(
      'POST',
      '/api/2.0/mlflow/experiments/create',
      { name: 'by its name' },
      headers,
    );
    expect(made.status).toBe(200);
    const there = await arm.server.request(
      'GET',
      '/api/2.0/mlflow/experiments/get-by-name?experiment_name=by%20its%20name',
      undefined,
      { authorization: `Bearer ${secret}` },
    );
    expect(there.status).toBe(200);
  });

  test('is made in a subscription and group of its own, read, changed, made again and deleted', async () => {
    const id = `${workspacesIn(`${other}/resourceGroups/Team`)}/Vision_1`;
    const body = {
      location: 'East US',
      tags: { owner: 'ann' },
      identity: { type: 'SystemAssigned' },
      properties: { friendlyName: 'Vision', description: 'Pictures', storageAccount: '/subscriptions/x/storage' },
    };
    const made = await arm.owner('PUT', id, body);
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({
      id,
      name: 'Vision_1',
      location: 'eastus',
      tags: { owner: 'ann' },
      identity: { type: 'SystemAssigned' },
      systemData: { createdBy: 'olivia' },
      properties: { friendlyName: 'Vision', description: 'Pictures', storageAccount: '/subscriptions/x/storage' },
    });
    expect(await arm.owner('PUT', id, body)).toMatchObject({ status: 200, json: { tags: { owner: 'ann' } } });
    const changed = await arm.owner('PATCH', id.replace('Vision_1', 'VISION_1'), {
      tags: { stage: 'live' },
      properties: { description: 'Images' },
    });
    expect(changed).toMatchObject({
      status: 200,
      json: { tags: { stage: 'live' }, properties: { description: 'Images', friendlyName: 'Vision' } },
    });
    const read = await arm.owner('GET', id.toUpperCase());
    expect(read.json).toEqual(changed.json);
    for (const [scope, names] of [
      [other, ['Vision_1']],
      [`${other}/resourceGroups/team`, ['Vision_1']],
      [group, ['default', 'elsewhere']],
      [subscription, ['default', 'elsewhere']],
    ] as const) {
      const { json } = await arm.owner('GET', workspacesIn(scope));
      expect(json.value.map(({ name }) => name)).toEqual(names);
    }
    expect(await arm.owner('DELETE', `${other}/resourceGroups/Team`)).toMatchObject({ status: 409 });
    expect((await arm.owner('DELETE', id)).status).toBe(200);
    expect((await arm.owner('DELETE', id)).status).toBe(204);
    expect(await arm.owner('GET', id)).toMatchObject({ status: 404, json: { error: { code: 'ResourceNotFound' } } });
    expect((await arm.owner('DELETE', `${other}/resourceGroups/Team`)).status).toBe(200);
  });

  test('that something is in is deleted only by force, with everything in it', async () => {
    const id = `${workspacesIn(group)}/filled`;
    await arm.owner('PUT', id, { location: 'local' });
    const headers = { authorization: `Bearer ${(await arm.token('Owner')).secret}`, 'x-mlflow-workspace': 'filled' };
    const made = await arm.server.request('POST', '/api/2.0/mlflow/experiments/create', { name: 'one' }, headers);
    expect(made.status).toBe(200);
    const refused = await arm.owner('DELETE', id);
    expect(refused).toMatchObject({ status: 409, json: { error: { code: 'Conflict' } } });
    expect(refused.text).toContain('forceToPurge=true');
    expect((await arm.owner('DELETE', `${id}?forceToPurge=true`)).status).toBe(200);
    expect((await arm.owner('GET', id)).status).toBe(404);
  });

  test('that is the default one stays', async () => {
    expect(await arm.owner('DELETE', `${defaultWorkspace}?forceToPurge=true`)).toMatchObject({ status: 409 });
  });

  test('with a private link has its own host', async () => {
    const id = `${workspacesIn(group)}/private`;
    const { json } = await arm.owner('PUT', id, {
      location: 'eastus',
      properties: { publicNetworkAccess: 'Disabled' },
    });
    const { workspaceId, mlFlowTrackingUri } = json.properties;
    expect(mlFlowTrackingUri).toBe(`azureml://${workspaceId}.workspace.eastus.api.lazuli.test/mlflow/v1.0${id}`);
    await arm.owner('DELETE', id);
  });

  test('has no private link where the server has an address and no name', async () => {
    await using nameless = await anArmServer('https://192.0.2.7:5443');
    const id = `${workspacesIn(group)}/private`;
    const { status, json } = await nameless.owner('PUT', id, { properties: { publicNetworkAccess: 'Disabled' } });
    expect([status, json.error.code]).toEqual([400, 'PrivateLinkNotSupported']);
    expect(json.error.message).toContain("'https://192.0.2.7:5443'");
    expect((await nameless.owner('GET', id)).status).toBe(404);
    expect((await nameless.owner('PUT', id, { properties: { publicNetworkAccess: 'Enabled' } })).status).toBe(201);
  });

  test.each([
    ['a name with other characters', `${workspacesIn(group)}/a%20b`, {}, 'InvalidResourceName'],
    [
      'a subscription that is no GUID',
      `${workspacesIn('/subscriptions/s/resourceGroups/g')}/ws`,
      {},
      'InvalidSubscriptionId',
    ],
    ['a location with signs', `${workspacesIn(group)}/ws`, { location: '../x' }, 'LocationNotAvailableForResourceType'],
    ['a tag that is a number', `${workspacesIn(group)}/ws`, { tags: { a: 1 } }, 'InvalidRequestContent'],
    ['a description with a NUL', `${workspacesIn(group)}/ws`, { properties: { description: 'a\0' } }, 'BadRequest'],
    ['a body that is a list', `${workspacesIn(group)}/ws`, [], 'InvalidRequestContent'],
  ])('is not made with %s', async (_, id, body, code) => {
    expect(await arm.owner('PUT', id, body)).toMatchObject({ status: 400, json: { error: { code } } });
  });

  test('does not move to another region', async () => {
    const answer = await arm.owner('PUT', defaultWorkspace, { location: 'westeurope' });
    expect(answer).toMatchObject({ status: 409, json: { error: { code: 'InvalidResourceLocation' } } });
  });

  test.each([
    'listKeys',
    'listStorageAccountKeys',
    'listNotebookKeys',
    'listNotebookAccessToken',
    'prepareNotebook',
    'diagnose',
  ])('answers %s, without a body and a type', async (action) => {
    expect((await arm.owner('POST', `${defaultWorkspace}/${action}`)).status).toBe(200);
  });
});

describe('a path', () => {
  test.each([
    ['with doubled slashes', `/${defaultWorkspace.replace('/workspaces', '//workspaces')}`],
    ['with a slash at its end', `${defaultWorkspace}/`],
    [
      'in other letters',
      defaultWorkspace.replace('/subscriptions', '/Subscriptions').replace('resourceGroups', 'resourcegroups'),
    ],
    ['under its other root', `/mferp/managementfrontend${defaultWorkspace}`],
  ])('%s leads to the same', async (_, path) => {
    expect(await arm.owner('GET', path)).toMatchObject({
      status: 200,
      json: { id: expect.stringMatching(/default$/) as string },
    });
  });

  test('needs an api-version that is a date', async () => {
    const codeOf = async (query: string) =>
      ((await arm.owner('GET', `/subscriptions?${query}`)).json as Partial<ArmJson>).error?.code;
    expect(await codeOf('api-version=')).toBe('MissingApiVersionParameter');
    for (const version of ['latest', '2024-13-40', '2023-02-29']) {
      expect(await codeOf(`api-version=${version}`)).toBe('InvalidApiVersionParameter');
    }
    expect(await codeOf('api-version=2024-02-29')).toBeUndefined();
    expect(await codeOf('api-version=2023-04-01-preview')).toBeUndefined();
    expect(await codeOf('Api-Version=2015-07-01&api-version=')).toBeUndefined();
  });

  test('that is unknown is 404, with another method 405, and what is no JSON 400, in the shape of ARM', async () => {
    expect(await arm.owner('GET', `${defaultWorkspace}/nothing`)).toMatchObject({
      status: 404,
      json: { error: { code: 'InvalidResourceType' } },
    });
    expect(await arm.owner('DELETE', `${defaultWorkspace}/jobs`)).toMatchObject({
      status: 405,
      json: { error: { code: 'MethodNotAllowed' } },
    });
    expect(await arm.owner('PUT', `${workspacesIn(group)}/ws`, '{')).toMatchObject({
      status: 400,
      json: { error: { code: 'InvalidRequestContent' } },
    });
    expect(await arm.owner('GET', `${defaultWorkspace}%2Fjobs`)).toMatchObject({ status: 404 });
  });
});

describe('what is asked without signing in', () => {
  test('is the document of the cloud, in the form of its api-version', async () => {
    const nobody = arm.as('');
    const list = await nobody('GET', '/metadata/endpoints?api-version=2019-05-01');
    expect(list.json).toMatchObject([
      {
        name: 'LazuliCloud',
        resourceManager: 'https://lazuli.test',
        authentication: { loginEndpoint: 'https://lazuli.test' },
      },
    ]);
    const one = await nobody('GET', '/metadata/endpoints?api-version=2022-09-01');
    expect(one.json).toMatchObject({ name: 'LazuliCloud', suffixes: { storage: 'core.local' } });
    expect((await nobody('GET', '/metadata/endpoints?api-version=')).status).toBe(400);
    expect((await nobody('GET', '/discovery')).json).toMatchObject({ api: 'https://lazuli.test' });
  });

  test('is nothing else: 401 with the authority to ask', async () => {
    const none = await arm.as('')('GET', '/subscriptions');
    expect(none).toMatchObject({ status: 401, json: { error: { code: 'AuthenticationFailed' } } });
    expect(none.headers['www-authenticate']).toMatch(/^Bearer realm=/);
    const wrong = await arm.as(`lzl_${'x'.repeat(43)}`)('GET', defaultWorkspace);
    expect(wrong).toMatchObject({ status: 401, json: { error: { code: 'InvalidAuthenticationToken' } } });
  });
});

describe('lists', () => {
  test('come in pages that follow each other by a link on the public origin', async () => {
    const ids = ['page-a', 'page-b', 'page-c'].map(
      (name) => `${workspacesIn(`${other}/resourceGroups/pages`)}/${name}`,
    );
    for (const id of ids) await arm.owner('PUT', id, {});
    const names: string[] = [];
    let next: string | undefined = `${workspacesIn(`${other}/resourceGroups/pages`)}?$top=2&api-version=2024-10-01`;
    while (next !== undefined) {
      const { json } = await arm.owner('GET', next);
      names.push(...json.value.map(({ name }) => name));
      const link: string | undefined = json.nextLink;
      if (link !== undefined) expect(link.startsWith('https://lazuli.test/subscriptions/')).toBe(true);
      next = link?.slice('https://lazuli.test'.length);
    }
    expect(names).toEqual(['page-a', 'page-b', 'page-c']);
    expect((await arm.owner('GET', `${workspacesIn(other)}?$top=x`)).status).toBe(400);
    for (const id of ids) await arm.owner('DELETE', id);
  });

  test('of subscriptions, tenants and groups are what signing in needs', async () => {
    const subscriptions = await arm.owner('GET', '/subscriptions?api-version=2022-12-01');
    expect(subscriptions.json.value).toContainEqual(
      expect.objectContaining({ id: subscription, subscriptionId: subscription.split('/')[2], state: 'Enabled' }),
    );
    const tenants = await arm.owner('GET', '/tenants?api-version=2022-12-01');
    expect(tenants.json.value[0]?.tenantId).toBe(subscriptions.json.value[0]?.tenantId);
    expect((await arm.owner('GET', subscription)).json).toMatchObject({ displayName: 'Lazuli' });
    expect((await arm.owner('GET', `/subscriptions/${randomUUID()}`)).status).toBe(404);
    const groups = await arm.owner('GET', `${subscription}/resourcegroups`);
    expect(groups.json.value).toMatchObject([{ id: group, name: 'lazuli' }]);
    const provider = `${subscription}/providers/Microsoft.MachineLearningServices`;
    expect((await arm.owner('GET', provider)).json).toMatchObject({ registrationState: 'Registered' });
    expect((await arm.owner('POST', `${provider}/register`)).status).toBe(200);
    const operations = await arm.owner('GET', '/providers/Microsoft.MachineLearningServices/operations');
    expect(operations.json.value).toContainEqual(
      expect.objectContaining({ name: 'Microsoft.MachineLearningServices/workspaces/experiments/runs/write' }),
    );
  });

  test('of groups have those that were made empty', async () => {
    const id = `${other}/resourceGroups/empty`;
    expect((await arm.owner('PUT', id, { location: 'westeurope', tags: { a: 'b' } })).status).toBe(201);
    expect(await arm.owner('PUT', id, { location: 'westeurope', tags: { a: 'c' } })).toMatchObject({
      status: 200,
      json: { tags: { a: 'c' } },
    });
    expect((await arm.owner('HEAD', id)).status).toBe(200);
    expect((await arm.owner('GET', id)).json).toMatchObject({ location: 'westeurope' });
    expect((await arm.owner('DELETE', id)).status).toBe(200);
    expect(await arm.owner('GET', id)).toMatchObject({
      status: 404,
      json: { error: { code: 'ResourceGroupNotFound' } },
    });
  });
});

describe('runs as jobs and the registry as models', () => {
  test('are seen and not changed', async () => {
    const client = arm.server.clientFor({ token: (await arm.token('Owner')).secret });
    const { experiment_id } = await client.experiments.createExperiment({ name: 'mnist' });
    const runs: string[] = [];
    let source = '';
    for (const run_name of ['one', 'two', 'three']) {
      const { run } = await client.runs.createRun({ experiment_id, run_name, start_time: 1_700_000_000_000 });
      runs.push(run.info.run_id);
      source = `${run.info.artifact_uri}/model`;
    }
    const [first = ''] = runs;
    await client.runs.logParam({ run_id: first, key: 'lr', value: '0.1' });
    await client.runs.updateRun({ run_id: first, status: 'FINISHED', end_time: 1_700_000_000_001 });
    const job = await arm.owner('GET', `${defaultWorkspace}/jobs/${first}`);
    expect(job.json).toMatchObject({
      id: `${defaultWorkspace}/jobs/${first}`,
      name: first,
      properties: {
        jobType: 'Command',
        displayName: 'one',
        experimentName: 'mnist',
        status: 'Completed',
        parameters: { lr: '0.1' },
        services: { Tracking: { endpoint: `azureml://lazuli.test/mlflow/v1.0${defaultWorkspace}` } },
      },
    });
    const seen: string[] = [];
    let next: string | undefined = `${defaultWorkspace}/jobs?$top=2&api-version=2024-01-01-preview`;
    while (next !== undefined) {
      const { json } = await arm.owner('GET', next);
      seen.push(...json.value.map(({ name }) => name));
      next = json.nextLink?.slice('https://lazuli.test'.length);
    }
    expect(seen.toSorted()).toEqual(runs.toSorted());
    await client.runs.deleteRun({ run_id: first });
    const names = async (query: string) =>
      (await arm.owner('GET', `${defaultWorkspace}/jobs?${query}`)).json.value.length;
    expect([await names(''), await names('listViewType=ArchivedOnly'), await names('listViewType=All')]).toEqual([
      2, 1, 3,
    ]);
    expect((await arm.owner('GET', `${defaultWorkspace}/jobs?listViewType=Gone`)).json.error).toMatchObject({
      code: 'InvalidQueryParameterValue',
      message: expect.stringContaining("'Gone'") as string,
    });
    expect((await arm.owner('GET', `${defaultWorkspace}/jobs/absent`)).json.error.code).toBe('ResourceNotFound');

    await client.registeredModels.createRegisteredModel({ name: 'net', tags: [{ key: 'task', value: 'digits' }] });
    await client.modelVersions.createModelVersion({ name: 'net', source, run_id: runs[2] ?? '' });
    await client.modelVersions.createModelVersion({ name: 'net', source: 's3://bucket/net' });
    for (const root of [defaultWorkspace, defaultWorkspace.replace('/workspaces/', '/registries/')]) {
      expect((await arm.owner('GET', `${root}/models`)).json.value).toMatchObject([{ name: 'net' }]);
      expect((await arm.owner('GET', `${root}/models/net`)).json).toMatchObject({
        id: `${root}/models/net`,
        properties: { latestVersion: '2', nextVersion: '3', tags: { task: 'digits' } },
      });
      const versions = await arm.owner('GET', `${root}/models/net/versions?$top=1`);
      expect(versions.json).toMatchObject({
        value: [{ name: '2' }],
        nextLink: expect.stringContaining('skip') as string,
      });
      expect((await arm.owner('GET', `${root}/models/net/versions/1`)).json).toMatchObject({
        id: `${root}/models/net/versions/1`,
        properties: { modelUri: source, jobName: runs[2] },
      });
      expect((await arm.owner('GET', `${root}/models/net/versions/9`)).status).toBe(404);
      expect((await arm.owner('GET', root)).status).toBe(200);
    }
    const registry = await arm.owner('GET', defaultWorkspace.replace('/workspaces/', '/registries/'));
    expect(registry.json.properties.mlFlowRegistryUri).toBe(`azureml://lazuli.test/mlflow/v1.0${registry.json.id}`);
  });
});

describe('a template deployment', () => {
  const deployment = `${group}/providers/Microsoft.Resources/deployments/made-1`;
  const template = (type: string) => ({ resources: [{ type, name: 'x' }, { type: 'Microsoft.KeyVault/vaults' }] });
  const workspaceType = 'Microsoft.MachineLearningServices/workspaces';

  test('makes the workspace that its parameters describe, and is done at once', async () => {
    const answer = await arm.owner('PUT', deployment, {
      properties: {
        mode: 'incremental',
        template: template(workspaceType),
        parameters: {
          workspaceName: { value: 'made' },
          location: { value: 'eastus' },
          description: { value: 'by template' },
          tagValues: { value: { createdByToolkit: 'sdk' } },
        },
      },
    });
    expect(answer).toMatchObject({ status: 201, json: { properties: { provisioningState: 'Accepted' } } });
    const status = String(answer.headers['azure-asyncoperation']).slice('https://lazuli.test'.length);
    expect((await arm.owner('GET', status)).json).toEqual({ status: 'Succeeded' });
    expect((await arm.owner('GET', deployment)).json.properties.provisioningState).toBe('Succeeded');
    expect((await arm.owner('GET', `${group}/deployments/made-1/operations`)).json).toEqual({ value: [] });
    expect((await arm.owner('GET', `${workspacesIn(group)}/made`)).json).toMatchObject({
      location: 'eastus',
      tags: { createdByToolkit: 'sdk' },
      properties: { description: 'by template' },
    });
    await arm.owner('DELETE', `${workspacesIn(group)}/made`);
  });

  test.each([
    ['something that is no workspace', template('Microsoft.Compute/virtualMachines'), 'InvalidTemplate'],
    ['no workspace', { resources: [] }, 'InvalidRequestContent'],
  ])('of %s is refused', async (_, given, code) => {
    const body = { properties: { template: given, parameters: { workspaceName: { value: 'other' } } } };
    expect(await arm.owner('PUT', deployment, body)).toMatchObject({ status: 400, json: { error: { code } } });
  });

  test('needs the right to make the workspace, beside the right to deploy', async () => {
    const { arm: deployer } = await arm.holder({ role: 'AzureML Data Scientist', scope: group });
    const body = {
      properties: { template: template(workspaceType), parameters: { workspaceName: { value: 'other' } } },
    };
    expect((await deployer('PUT', deployment, body)).status).toBe(403);
  });
});
