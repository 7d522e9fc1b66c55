import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuthorizationManagementClient } from '@azure/arm-authorization';
import { AzureMachineLearningWorkspaces } from '@azure/arm-machinelearning';
import { ClientSecretCredential } from '@azure/identity';
import { openTokens } from '@lazuli/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingsFor } from '../server-fixture.ts';
import { anHttpsFront, type HttpsFront } from './https-front.ts';

/** Azure's own clients for Node, unmodified, with access tokens of the built-in authority. */
let dataDir: string;
let front: HttpsFront;
let ownerToken: string;

const subscriptionId = '00000000-0000-0000-0000-000000000001';
const group = `/subscriptions/${subscriptionId}/resourceGroups/lazuli`;
const workspace = `${group}/providers/Microsoft.MachineLearningServices/workspaces/default`;
const roleIds = {
  owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
  dataScientist: 'f6c7c914-8db3-469d-8ca1-694a8f32e121',
};

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lazuli-clients-'));
  const tokens = await openTokens(await settingsFor(dataDir));
  ownerToken = ((await tokens.createToken({ principal: 'olivia', role: 'Owner' })) as { secret: string }).secret;
  await tokens.close();
  front = await anHttpsFront({ 'data-dir': dataDir, auth: 'entra' });
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

/** A service principal with a role, and the clients that it uses. */
async function anApplication(role: string, scope: string) {
  const { directory } = front.server.clientFor({ token: ownerToken });
  const { object } = await directory.createServicePrincipal({ display_name: `app ${randomUUID()}` });
  const { secret } = await directory.createSecret({ object: object.object_id });
  const assignment = `${scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;
  const { status, text } = await front.server.request(
    'PUT',
    `${assignment}?api-version=2022-04-01`,
    { properties: { roleDefinitionId: role, principalId: object.object_id, principalType: 'ServicePrincipal' } },
    { authorization: `Bearer ${ownerToken}` },
  );
  expect(status, text).toBe(201);
  const tlsOptions = { ca: front.certificate };
  const credential = new ClientSecretCredential('adfs', object.app_id ?? '', secret, {
    authorityHost: front.origin,
    tlsOptions,
  });
  const options = { endpoint: front.origin, tlsOptions, retryOptions: { maxRetries: 0 } };
  return {
    objectId: object.object_id,
    assignment,
    machineLearning: new AzureMachineLearningWorkspaces(credential, subscriptionId, options),
    authorization: new AuthorizationManagementClient(credential, subscriptionId, options),
  };
}

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

test('@azure/arm-machinelearning gets, lists, creates, updates and deletes workspaces, and reads jobs and models', async () => {
  const { machineLearning: client } = await anApplication(roleIds.owner, '');
  const { workspaces } = client;
  const found = await workspaces.get('lazuli', 'default');
  expect(found.mlFlowTrackingUri).toBe(`${front.origin.replace('https', 'azureml')}/mlflow/v1.0${workspace}`);
  const made = await workspaces.beginCreateOrUpdateAndWait('team', 'vision', {
    location: 'eastus',
    tags: { owner: 'ann' },
    identity: { type: 'SystemAssigned' },
    friendlyName: 'Vision',
    description: 'Pictures',
  });
  expect(made).toMatchObject({
    name: 'vision',
    location: 'eastus',
    friendlyName: 'Vision',
    provisioningState: 'Succeeded',
  });
  const changed = await workspaces.beginUpdateAndWait('team', 'vision', { tags: { owner: 'bob' } });
  expect(changed).toMatchObject({ tags: { owner: 'bob' }, description: 'Pictures' });
  const bySubscription = await all(workspaces.listBySubscription());
  expect(bySubscription.map(({ name }) => name).toSorted()).toEqual(['default', 'vision']);
  expect((await all(workspaces.listByResourceGroup('team'))).map(({ name }) => name)).toEqual(['vision']);
  await workspaces.listKeys('team', 'vision');
  await workspaces.beginDiagnoseAndWait('team', 'vision');
  await workspaces.beginDeleteAndWait('team', 'vision');
  await expect(workspaces.get('team', 'vision')).rejects.toMatchObject({
    name: 'RestError',
    statusCode: 404,
    code: 'ResourceNotFound',
  });

  const mlflow = front.server.clientFor({ token: ownerToken });
  const { run } = await mlflow.runs.createRun({ experiment_id: '0', run_name: 'first' });
  await mlflow.registeredModels.createRegisteredModel({ name: 'net' });
  await mlflow.modelVersions.createModelVersion({ name: 'net', source: 's3://bucket/net' });
  expect(await client.jobs.get('lazuli', 'default', run.info.run_id)).toMatchObject({
    properties: { jobType: 'Command', displayName: 'first', experimentName: 'Default', status: 'Running' },
  });
  expect(await all(client.jobs.list('lazuli', 'default'))).toHaveLength(1);
  expect((await all(client.modelContainers.list('lazuli', 'default'))).map(({ name }) => name)).toEqual(['net']);
  expect(await client.modelVersions.get('lazuli', 'default', 'net', '1')).toMatchObject({
    properties: { modelUri: 's3://bucket/net' },
  });
  expect(await all(client.modelVersions.list('lazuli', 'default', 'net'))).toHaveLength(1);
  expect(await all(client.operations.list())).not.toHaveLength(0);
  expect(await all(client.computeOperations.list('lazuli', 'default'))).toEqual([]);
});

test('@azure/arm-authorization makes roles, gives them and takes them away', async () => {
  const owner = await anApplication(roleIds.owner, '');
  const { roleDefinitions, roleAssignments, permissions } = owner.authorization;
  const scientist = await anApplication(roleIds.dataScientist, group);
  const { workspaces } = scientist.machineLearning;
  expect((await workspaces.get('lazuli', 'default')).name).toBe('default');
  await expect(workspaces.listKeys('lazuli', 'default')).rejects.toMatchObject({
    statusCode: 403,
    code: 'AuthorizationFailed',
  });

  // A scope that begins with a slash makes a path that begins with two.
  const builtIn = await all(roleDefinitions.list(group, { filter: "roleName eq 'AzureML Data Scientist'" }));
  expect(builtIn).toMatchObject([{ name: roleIds.dataScientist, roleType: 'BuiltInRole' }]);
  const id = randomUUID();
  const custom = await roleDefinitions.createOrUpdate(group, id, {
    roleName: 'Keys',
    roleType: 'CustomRole',
    assignableScopes: [group],
    permissions: [{ actions: ['Microsoft.MachineLearningServices/workspaces/listKeys/action'] }],
  });
  const name = randomUUID();
  const given = await roleAssignments.create(workspace, name, {
    roleDefinitionId: custom.id ?? '',
    principalId: scientist.objectId,
    principalType: 'ServicePrincipal',
  });
  expect(given).toMatchObject({ name, scope: workspace, principalId: scientist.objectId });
  await workspaces.listKeys('lazuli', 'default');
  const held = await all(roleAssignments.listForScope(group, { filter: `principalId eq '${scientist.objectId}'` }));
  expect(held.map(({ scope }) => scope)).toEqual([group, workspace]);
  expect((await all(scientist.authorization.permissions.listForResourceGroup('lazuli'))).length).toBe(1);
  expect((await all(permissions.listForResourceGroup('lazuli')))[0]?.actions).toEqual(['*']);
  await roleAssignments.delete(workspace, name);
  await expect(workspaces.listKeys('lazuli', 'default')).rejects.toMatchObject({ statusCode: 403 });
  await roleAssignments.deleteById(scientist.assignment.slice(1));
  await expect(workspaces.get('lazuli', 'default')).rejects.toMatchObject({ statusCode: 403 });
  await roleDefinitions.delete(group, id);
});
