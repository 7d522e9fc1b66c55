import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anArmServer, workspacesIn, type ArmServer } from './arm-fixture.ts';

let arm: ArmServer;
beforeAll(async () => {
  arm = await anArmServer();
});
afterAll(() => arm[Symbol.asyncDispose]());

describe('resources', () => {
  const inside = `/subscriptions/${randomUUID()}`;
  const lists = (path: string, filter = '') =>
    arm.owner('GET', `${path}/resources${filter === '' ? '' : `?$filter=${encodeURIComponent(filter)}`}`);
  const names = async (path: string, filter?: string) =>
    (await lists(path, filter)).json.value.map(({ id }) => id.split('/').slice(-2).join('/'));

  beforeAll(async () => {
    for (const [name, where, tags] of [
      ['one', 'First', { team: 'Red', "it's": 'a and b' }],
      ['two', 'First', { team: 'blue' }],
      ['three', 'Second', {}],
    ] as const) {
      await arm.owner('PUT', `${workspacesIn(`${inside}/resourceGroups/${where}`)}/${name}`, {
        location: 'eastus',
        tags,
      });
    }
  });

  test('of a subscription and of a group are listed, as workspaces and as the registries that they are', async () => {
    expect((await names(inside)).toSorted()).toEqual(
      ['one', 'two', 'three'].flatMap((name) => [`registries/${name}`, `workspaces/${name}`]).toSorted(),
    );
    expect((await names(`${inside}/resourceGroups/second`)).toSorted()).toEqual([
      'registries/three',
      'workspaces/three',
    ]);
    const [resource] = (await lists(inside, "name eq 'three' and resourceType ne 'x/y'")).json.value;
    expect(resource).toMatchObject({ name: 'three', location: 'eastus', tags: {} });
    expect(resource).not.toHaveProperty('properties');
    const expanded = await arm.owner('GET', `${inside}/resources?$expand=createdTime,provisioningState`);
    expect(expanded.json.value[0]).toMatchObject({
      createdTime: expect.stringMatching(/^\d{4}-/) as string,
      provisioningState: 'Succeeded',
    });
    expect(expanded.json.value[0]).not.toHaveProperty('changedTime');
  });

  test.each([
    ["name eq 'ONE'", ['one']],
    ["resourceGroup eq 'first' and location eq 'eastus'", ['one', 'two']],
    ["(resourcegroup eq 'FIRST' and tagname eq 'team' and tagvalue eq 'red')", ['one']],
    ["tagName eq 'it''s' and tagValue eq 'a and b'", ['one']],
    ["tagName eq 'team'", ['one', 'two']],
    ["substringof('t', name)", ['three', 'two']],
    ["resourceGroup ne 'first'", ['three']],
    ["tagValue eq 'red'", []],
  ])('that meet %s', async (filter, expected) => {
    const ofWorkspaces = `${filter.replace(/^\((.*)\)$/, '$1')} and resourceType eq 'microsoft.machinelearningservices/workspaces'`;
    const isGrouped = filter.startsWith('(');
    const found = await names(inside, isGrouped ? `(${ofWorkspaces})` : ofWorkspaces);
    expect(found.toSorted()).toEqual(expected.map((name) => `workspaces/${name}`));
  });

  test.each(["color eq 'red'", 'name eq one', "name eq 'a' or name eq 'b'", "name gt 'a'", "name eq 'a' and"])(
    'by %s are refused',
    async (filter) => {
      const { status, json } = await lists(inside, filter);
      expect([status, json.error.code]).toEqual([400, 'InvalidFilterInQueryString']);
    },
  );

  test('are those that the caller may read', async () => {
    const only = `${workspacesIn(`${inside}/resourceGroups/First`)}/two`;
    const { arm: reader } = await arm.holder({ role: 'Reader', scope: only });
    const { json } = await reader('GET', `${inside}/resources`);
    expect(json.value.map(({ name }) => name)).toEqual(['two']);
  });
});
