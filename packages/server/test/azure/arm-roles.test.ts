import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startServer } from '../server-fixture.ts';
import {
  anArmServer,
  assignmentsOn,
  defaultWorkspace,
  definitionsOn,
  group,
  subscription,
  workspacesIn,
  type ArmServer,
} from './arm-fixture.ts';

let arm: ArmServer;
beforeAll(async () => {
  arm = await anArmServer();
});
afterAll(() => arm[Symbol.asyncDispose]());

const W = 'Microsoft.MachineLearningServices/workspaces';
const dataScientist = 'f6c7c914-8db3-469d-8ca1-694a8f32e121';
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';
const owner = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635';
const createExperiment = (secret: string, name: string, workspace = 'default') =>
  arm.server.request('POST', '/api/2.0/mlflow/experiments/create', { name }, headersOf(secret, workspace));
const headersOf = (secret: string, workspace: string) => ({
  authorization: `Bearer ${secret}`,
  'x-mlflow-workspace': workspace,
});

function roleBody(roleName: string, actions: readonly string[], assignableScopes: readonly string[] = ['/']) {
  return { properties: { roleName, type: 'CustomRole', assignableScopes, permissions: [{ actions, notActions: [] }] } };
}

test('a workspace that a caller may not see is not told from none, however its name is spelled', async () => {
  const { secret } = await arm.holder();
  const answerTo = async (name: string) => {
    const path = `/mlflow/v2.0${workspacesIn(group)}/${name}/api/2.0/mlflow/experiments/get?experiment_id=0`;
    const { status, text } = await arm.server.request('GET', path, undefined, { authorization: `Bearer ${secret}` });
    return [status, text.replaceAll(name, 'NAME')];
  };
  const absent = await answerTo('nowhere');
  expect(absent[0]).toBe(404);
  for (const name of ['default', 'DEFAULT', 'dEfAuLt']) expect(await answerTo(name)).toEqual(absent);
});

test('a role is held on a workspace that is there, on any group and on any subscription', async () => {
  const { objectId } = await arm.holder();
  const properties = { roleDefinitionId: reader, principalId: objectId };
  const put = (scope: string) => arm.owner('PUT', `${assignmentsOn(scope)}/${randomUUID()}`, { properties });
  for (const inside of ['', '/models/net']) {
    expect(await put(`${workspacesIn(group)}/misspelled${inside}`)).toMatchObject({
      status: 404,
      json: { error: { code: 'ResourceNotFound', message: expect.stringContaining('misspelled') as string } },
    });
    expect((await put(defaultWorkspace.replace('default', 'DEFAULT') + inside)).status).toBe(201);
  }
  for (const scope of [`${subscription}/resourceGroups/new`, `/subscriptions/${randomUUID()}`]) {
    expect((await put(scope)).status).toBe(201);
  }
});

describe('role definitions', () => {
  test('are those of Azure, found by name, by type and by id', async () => {
    const { json } = await arm.owner('GET', `${definitionsOn(subscription)}?$filter=type eq 'BuiltInRole'`);
    expect(json.value).toHaveLength(7);
    const named = await arm.owner('GET', `${definitionsOn(subscription)}?$filter=roleName eq 'azureml data scientist'`);
    expect(named.json.value).toMatchObject([
      {
        id: `${definitionsOn(subscription)}/${dataScientist}`,
        name: dataScientist,
        properties: { roleName: 'AzureML Data Scientist', type: 'BuiltInRole', assignableScopes: ['/'] },
      },
    ]);
    expect((await arm.owner('GET', `${definitionsOn('/')}/${dataScientist}`)).json.name).toBe(dataScientist);
    expect((await arm.owner('GET', `${definitionsOn('/')}/${randomUUID()}`)).status).toBe(404);
  });

  test('are made, changed and, once nobody holds them, deleted', async () => {
    const id = `${definitionsOn(defaultWorkspace)}/${randomUUID()}`;
    const made = await arm.owner('PUT', id, roleBody('Tracker', [`${W}/experiments/*`], [group]));
    expect(made).toMatchObject({ status: 201, json: { properties: { roleName: 'Tracker', type: 'CustomRole' } } });
    const twice = await arm.owner('PUT', `${definitionsOn('/')}/${randomUUID()}`, roleBody('tracker', ['*']));
    expect(twice).toMatchObject({ status: 409, json: { error: { code: 'RoleDefinitionWithSameNameExists' } } });

    const { arm: somebody, objectId, secret } = await arm.holder();
    expect((await createExperiment(secret, 'by a tracker')).status).toBe(404);
    const assignment = `${assignmentsOn(defaultWorkspace)}/${randomUUID()}`;
    await arm.owner('PUT', assignment, { properties: { roleDefinitionId: made.json.id, principalId: objectId } });
    expect((await createExperiment(secret, 'by a tracker')).status).toBe(200);
    expect((await somebody('GET', defaultWorkspace)).status).toBe(403);

    await arm.owner('PUT', id, roleBody('Tracker', [`${W}/experiments/read`], [group]));
    expect((await createExperiment(secret, 'by a tracker, again')).status).toBe(403);
    const held = await arm.owner('DELETE', id);
    expect(held).toMatchObject({ status: 400, json: { error: { code: 'RoleDefinitionHasAssignments' } } });
    expect((await arm.owner('DELETE', assignment)).status).toBe(200);
    expect((await createExperiment(secret, 'by nobody')).status).toBe(404);
    expect((await arm.owner('DELETE', id)).status).toBe(200);
    expect((await arm.owner('DELETE', id)).status).toBe(204);
  });

  test('that are built in stay, and what is no role is refused', async () => {
    const codeOf = async (id: string, body: unknown) =>
      (await arm.owner('PUT', `${definitionsOn('/')}/${id}`, body)).json.error.code;
    expect(await codeOf(reader, roleBody('Reader', ['*']))).toBe('RoleDefinitionIsBuiltIn');
    for (const body of [
      roleBody('', ['*']),
      roleBody('x', []),
      roleBody('x', ['*'], ['nowhere']),
      roleBody('x', ['*'], []),
      { properties: { roleName: 'x', assignableScopes: ['/'], permissions: [{ actions: ['*'], dataActions: ['*'] }] } },
    ]) {
      expect(await codeOf(randomUUID(), body)).toBe('InvalidRequestContent');
    }
  });

  test('are made only by who may do so wherever the role can be assigned', async () => {
    const { arm: ofWorkspace } = await arm.holder({ role: 'Owner', scope: defaultWorkspace });
    const id = `${definitionsOn(defaultWorkspace)}/${randomUUID()}`;
    expect((await ofWorkspace('PUT', id, roleBody('Everything', ['*'], ['/']))).status).toBe(403);
    expect((await ofWorkspace('PUT', id, roleBody('Everything', ['*'], [defaultWorkspace]))).status).toBe(201);
    const elsewhere = await arm.owner('PUT', `${assignmentsOn(subscription)}/${randomUUID()}`, {
      properties: { roleDefinitionId: id, principalId: randomUUID() },
    });
    expect(elsewhere.json.error.code).toBe('RoleDefinitionNotAssignableAtScope');
    const wide = `${definitionsOn('/')}/${randomUUID()}`;
    await arm.owner('PUT', wide, roleBody('Wide', ['*/read'], [subscription]));
    const narrowed = wide.replace('/providers', `${defaultWorkspace}/providers`);
    expect((await ofWorkspace('PUT', narrowed, roleBody('Wide', ['*'], [defaultWorkspace]))).status).toBe(403);
    expect((await ofWorkspace('DELETE', narrowed)).status).toBe(403);
  });
});

describe('role assignments', () => {
  test('are made once for a principal, role and scope, and keep what they say', async () => {
    const principalId = randomUUID();
    const id = `${assignmentsOn(group)}/${randomUUID()}`;
    const body = { properties: { roleDefinitionId: reader, principalId, principalType: 'ServicePrincipal' } };
    const made = await arm.owner('PUT', id, body);
    expect(made).toMatchObject({
      status: 201,
      json: {
        id,
        properties: {
          principalId,
          principalType: 'ServicePrincipal',
          scope: group,
          roleDefinitionId: `${definitionsOn(subscription)}/${reader}`,
        },
      },
    });
    expect((await arm.owner('PUT', id, body)).status).toBe(200);
    expect((await arm.owner('PUT', `${assignmentsOn(group)}/${randomUUID()}`, body)).json.error.code).toBe(
      'RoleAssignmentExists',
    );
    const changed = { properties: { ...body.properties, roleDefinitionId: owner } };
    expect((await arm.owner('PUT', id, changed)).json.error.code).toBe('RoleAssignmentUpdateNotPermitted');
    expect((await arm.owner('GET', id)).json).toEqual(made.json);
    const unknown = { properties: { ...body.properties, roleDefinitionId: randomUUID() } };
    expect((await arm.owner('PUT', `${assignmentsOn(group)}/${randomUUID()}`, unknown)).json.error.code).toBe(
      'RoleDefinitionDoesNotExist',
    );

    const listed = async (scope: string, filter: string) => {
      const { json } = await arm.owner('GET', `${assignmentsOn(scope)}?$filter=${encodeURIComponent(filter)}`);
      return json.value.length;
    };
    expect(await listed(group, `principalId eq '${principalId}'`)).toBe(1);
    expect(await listed(defaultWorkspace, `assignedTo('${principalId}')`)).toBe(1);
    expect(await listed(subscription, `principalId eq '${principalId}'`)).toBe(1);
    expect(await listed(subscription, 'atScope()')).toBe(0);
    expect(await listed('/subscriptions/other', `principalId eq '${principalId}'`)).toBe(0);

    expect((await arm.owner('DELETE', id.replace(group, subscription))).status).toBe(204);
    expect((await arm.owner('DELETE', id)).status).toBe(200);
    expect((await arm.owner('DELETE', id)).status).toBe(204);
  });

  test('are given by who may on that scope and beneath, and nowhere else', async () => {
    const { arm: ofGroup } = await arm.holder({ role: 'Owner', scope: group });
    const give = (scope: string) =>
      ofGroup('PUT', `${assignmentsOn(scope)}/${randomUUID()}`, {
        properties: { roleDefinitionId: owner, principalId: randomUUID() },
      });
    expect((await give(defaultWorkspace)).status).toBe(201);
    expect((await give(group)).status).toBe(201);
    expect((await give(subscription)).status).toBe(403);
    const everywhere = await give('/');
    expect(everywhere.status).toBe(403);
    expect(everywhere.json.error.message).toMatch(
      /^The client 'somebody' with object id '[0-9a-f-]{36}' does not have authorization to perform action 'Microsoft\.Authorization\/roleAssignments\/write' over scope '\/' or the scope is invalid\. If access was recently granted, please refresh your credentials\.$/,
    );
    const { arm: contributor } = await arm.holder({ role: 'Contributor', scope: '/' });
    const refused = await contributor('PUT', `${assignmentsOn(group)}/${randomUUID()}`, {
      properties: { roleDefinitionId: owner, principalId: randomUUID() },
    });
    expect(refused.status).toBe(403);
  });

  test("go with their workspace: one that is made anew under its name is nobody else's", async () => {
    const id = `${workspacesIn(group)}/passing`;
    await arm.owner('PUT', id, {});
    const { secret, objectId } = await arm.holder({ role: 'Contributor', scope: id });
    expect((await createExperiment(secret, 'x', 'passing')).status).toBe(200);
    await arm.owner('DELETE', `${id}?forceToPurge=true`);
    await arm.owner('PUT', id, {});
    expect((await createExperiment(secret, 'x', 'passing')).status).toBe(404);
    const { json } = await arm.owner('GET', `${assignmentsOn(id)}?$filter=principalId eq '${objectId}'`);
    expect(json.value).toEqual([]);
    await arm.owner('DELETE', id);
  });

  test('that are taken away give nothing from the next request on, on every server of the database', async () => {
    const { secret, objectId } = await arm.holder({ role: 'Contributor', scope: defaultWorkspace });
    const { json } = await arm.owner('GET', `${assignmentsOn(defaultWorkspace)}?$filter=principalId eq '${objectId}'`);
    expect((await createExperiment(secret, 'before')).status).toBe(200);
    if (inject('engine') === 'postgres') {
      const { dataDir } = arm.server;
      await using second = await startServer({ 'data-dir': dataDir, auth: 'token' });
      const onSecond = (name: string) =>
        second.request('POST', '/api/2.0/mlflow/experiments/create', { name }, headersOf(secret, 'default'));
      expect((await onSecond('on the second')).status).toBe(200);
      await arm.owner('DELETE', json.value[0]?.id ?? '');
      expect((await onSecond('on the second, after')).status).toBe(404);
    } else {
      await arm.owner('DELETE', json.value[0]?.id ?? '');
    }
    expect((await createExperiment(secret, 'after')).status).toBe(404);
  });

  test('say what one may do on a scope', async () => {
    const { arm: scientist } = await arm.holder({ role: 'AzureML Data Scientist', scope: group });
    const permissions = (scope: string) => scientist('GET', `${scope}/providers/Microsoft.Authorization/permissions`);
    expect((await permissions(defaultWorkspace)).json.value).toMatchObject([
      { actions: [`${W}/*/read`, `${W}/*/action`, `${W}/*/delete`, `${W}/*/write`] },
    ]);
    expect((await permissions(subscription)).json.value).toEqual([]);
  });
});

describe('who may not', () => {
  test('is told the action and the scope, whether or not the resource is there', async () => {
    const { arm: scientist, objectId } = await arm.holder({ role: 'AzureML Data Scientist', scope: group });
    for (const name of ['default', 'absent']) {
      const id = `${workspacesIn(group)}/${name}`;
      const { status, json } = await scientist('DELETE', id);
      expect(status).toBe(403);
      expect(json.error).toEqual({
        code: 'AuthorizationFailed',
        message: `The client 'somebody' with object id '${objectId}' does not have authorization to perform action '${W}/delete' over scope '${id}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
      });
    }
  });

  test('sees in lists what it may read, and of other subscriptions not even that they are there', async () => {
    const hidden = `/subscriptions/${randomUUID()}`;
    await arm.owner('PUT', `${workspacesIn(`${hidden}/resourceGroups/g`)}/secret`, {});
    const { arm: somebody } = await arm.holder({ role: 'Reader', scope: defaultWorkspace });
    const namesAt = async (path: string) => (await somebody('GET', path)).json.value.map(({ id }) => id);
    expect(await namesAt('/subscriptions')).toEqual([subscription]);
    expect(await namesAt(`${subscription}/resourceGroups`)).toEqual([group]);
    expect(await namesAt(workspacesIn(subscription))).toEqual([defaultWorkspace]);
    expect(await namesAt(workspacesIn(group))).toEqual([defaultWorkspace]);
    expect(await namesAt(workspacesIn(hidden))).toEqual([]);
    expect(await namesAt(`${hidden}/resourceGroups`)).toEqual([]);
    const [there, absent] = await Promise.all(
      [hidden, `/subscriptions/${randomUUID()}`].map((id) => somebody('GET', id)),
    );
    expect(there?.status).toBe(403);
    expect(there?.text.replaceAll(/[0-9a-f-]{36}/g, '')).toBe(absent?.text.replaceAll(/[0-9a-f-]{36}/g, ''));
    expect(await arm.owner('DELETE', `${workspacesIn(`${hidden}/resourceGroups/g`)}/secret`)).toMatchObject({
      status: 200,
    });
  });

  test('by a token that is bound to one workspace reaches that one by its id alone', async () => {
    const { secret } = await arm.token('Owner', 'elsewhere');
    const bound = arm.as(secret);
    expect((await bound('GET', `${workspacesIn(group)}/elsewhere`)).status).toBe(200);
    expect((await bound('GET', defaultWorkspace)).status).toBe(403);
    expect((await bound('GET', `${workspacesIn(group)}/absent`)).status).toBe(403);
    expect((await bound('GET', workspacesIn(group))).json.value).toMatchObject([{ name: 'elsewhere' }]);
  });
});
