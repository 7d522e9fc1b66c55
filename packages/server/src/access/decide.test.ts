import { contract, MlflowError, transfers, type Endpoint } from '@lazuli/contract';
import { describe, expect, test } from 'vitest';
import type { Caller, Grant, Principal, WorkspaceRef } from './caller.ts';
import { createDecider, type Actions, type DecisionScope } from './decide.ts';
import { roleState } from './role-directory.ts';
import type { AssignmentRow, CustomRole } from './role-store.ts';

const endpoints: Record<string, Pick<Endpoint, 'actions' | 'scope'>> = {
  ...Object.fromEntries(Object.values(contract).flatMap((group) => Object.entries<Endpoint>(group))),
  ...transfers,
};

const { decide, mayRead, maySee } = createDecider({ current: () => nobodyAssigned });
const nobodyAssigned = roleState([], []);

describe('deciding', () => {
  test('an Owner of all may call every endpoint', () => {
    expect(callable([{ role: 'Owner', workspaceId: 'all' }])).toEqual(Object.keys(endpoints));
  });

  test('a Contributor of all may call everything but what says who may call', () => {
    const refused = Object.keys(endpoints).filter(
      (name) => !callable([{ role: 'Contributor', workspaceId: 'all' }]).includes(name),
    );
    const deciding = Object.keys(endpoints).filter((name) =>
      endpoints[name]?.actions.some((action) => /^Microsoft\.Authorization\/.*\/(write|delete)$/.test(action)),
    );
    expect(refused).toEqual(deciding);
    expect(refused).toEqual(expect.arrayContaining(['createToken', 'revokeToken', 'createSecret', 'setPassword']));
  });

  test('a Reader of all may call exactly the endpoints that read', () => {
    const reading = Object.keys(endpoints).filter((name) =>
      endpoints[name]?.actions.some((action) => /(^|\/)read$/.test(action)),
    );
    expect(reading).toContain('searchRuns');
    expect(reading).not.toContain('logBatch');
    expect(callable([{ role: 'Reader', workspaceId: 'all' }])).toEqual(reading);
  });

  test('an Owner of one workspace may do everything in it and only look at workspaces on the server', () => {
    const names = callable([{ role: 'Owner', workspaceId: 1 }]);
    expect(names).toContain('deleteExperiment');
    expect(names).toContain('uploadArtifact');
    const onServer = names.filter((name) => endpoints[name]?.scope === 'server');
    expect(onServer.sort()).toEqual(['getServerInfo', 'getWorkspace', 'listWorkspaces']);
  });

  test('a role in another workspace gives nothing in this one', () => {
    const names = callable([{ role: 'Owner', workspaceId: 2 }]);
    expect(names.filter((name) => endpoints[name]?.scope !== 'server')).toEqual([]);
  });

  test('nothing is allowed without a grant, or by a role that does not exist', () => {
    expect(callable([])).toEqual([]);
    expect(callable([{ role: 'owner', workspaceId: 'all' }])).toEqual([]);
    expect(callable([{ role: '__proto__', workspaceId: 'all' }])).toEqual([]);
  });

  test('roles add up: what one leaves out another may give', () => {
    const names = callable([
      { role: 'Reader', workspaceId: 'all' },
      { role: 'Contributor', workspaceId: 1 },
    ]);
    expect(names).toContain('logBatch');
    expect(names).not.toContain('createWorkspace');
  });

  test('any one of the actions of an endpoint suffices', () => {
    const actions: Actions = ['experiments/runs/write', 'jobs/read'];
    expect(() => decide(aCaller([{ role: 'Reader', workspaceId: 1 }]), actions, 'workspace')).not.toThrow();
  });

  test('a refusal is 403 PERMISSION_DENIED and names the caller, the action and the place', () => {
    const caller = aCaller([{ role: 'Reader', workspaceId: 1 }]);
    const error = refusalOf(caller, ['experiments/runs/write'], 'workspace');
    expect(error).toMatchObject({ errorCode: 'PERMISSION_DENIED', status: 403 });
    expect(error?.message).toBe(
      "'ann' may not do 'Microsoft.MachineLearningServices/workspaces/experiments/runs/write' in workspace 'team-1': no role that it holds there allows it.",
    );
    expect(refusalOf(caller, ['Microsoft.Authorization/roleAssignments/write'], 'server')?.message).toContain(
      "'Microsoft.Authorization/roleAssignments/write' on this server as a whole",
    );
  });

  test('a workspace may be seen by whoever holds a role in it or in all', () => {
    const principal = ann([{ role: 'Reader', workspaceId: 3 }]);
    expect(mayRead(principal, aWorkspace(3))).toBe(true);
    expect(mayRead(principal, aWorkspace(4))).toBe(false);
    expect(mayRead(ann([{ role: 'Reader', workspaceId: 'all' }]), aWorkspace(4))).toBe(true);
    expect(mayRead(ann([]), aWorkspace(4))).toBe(false);
    expect(maySee(ann([]), aWorkspace(4))).toBe(false);
  });

  test('deciding again costs next to nothing', () => {
    const caller = aCaller([
      { role: 'Reader', workspaceId: 2 },
      { role: 'Contributor', workspaceId: 1 },
    ]);
    const { actions } = contract.runs.logBatch;
    const rounds = 200_000;
    for (let round = 0; round < rounds; round += 1) decide(caller, actions, 'workspace');
    const started = process.cpuUsage();
    for (let round = 0; round < rounds; round += 1) decide(caller, actions, 'workspace');
    const microseconds = process.cpuUsage(started).user / rounds;
    // A tenth of this is usual; without the table of decisions it is about forty.
    expect(microseconds).toBeLessThan(3);
  });
});

function callable(grants: readonly Grant[]): string[] {
  return Object.keys(endpoints).filter((name) => {
    const { actions, scope = 'workspace' } = endpoints[name] ?? { actions: ['none'] as const };
    return refusalOf(aCaller(grants), actions, scope) === undefined;
  });
}

function refusalOf(caller: Caller, actions: Actions, scope: DecisionScope): MlflowError | undefined {
  try {
    decide(caller, actions, scope);
    return undefined;
  } catch (error) {
    if (error instanceof MlflowError) return error;
    throw error;
  }
}

const subscription = '/subscriptions/8f0d2c1e-0000-4000-8000-000000000002';
const workspaceId = `${subscription}/resourceGroups/group/providers/Microsoft.MachineLearningServices/workspaces/team-1`;

describe('what is assigned', () => {
  test.each([
    ['everything', '/'],
    ['the subscription', subscription],
    ['the resource group', `${subscription}/resourceGroups/group`],
    ['the resource group in other letters', `${subscription}/RESOURCEGROUPS/Group/`],
    ['the workspace', workspaceId],
  ])('on %s holds in the workspace', (_, scope) => {
    const { decide, may } = deciderOf([{ scope, role: contributor }]);
    expect(() => decide(aCaller([]), contract.runs.logBatch.actions, 'workspace')).not.toThrow();
    expect(may(ann([]), 'Microsoft.MachineLearningServices/workspaces/write', { id: workspaceId })).toBe(true);
  });

  test.each([
    ['another subscription', '/subscriptions/other'],
    ['a resource group whose name begins alike', `${subscription}/resourceGroups/gro`],
    ['a workspace whose name begins alike', workspaceId.slice(0, -1)],
    ['another workspace', `${workspaceId}0`],
    ['something in the workspace', `${workspaceId}/jobs/1`],
  ])('on %s gives nothing in the workspace', (_, scope) => {
    const { decide, maySee } = deciderOf([{ scope, role: contributor }]);
    expect(() => decide(aCaller([]), contract.runs.logBatch.actions, 'workspace')).toThrow(/may not do/);
    expect(maySee(ann([]), aWorkspace(1))).toBe(false);
  });

  test('on a resource in the workspace holds on that resource alone', () => {
    const { may } = deciderOf([{ scope: `${workspaceId}/models/net`, role: contributor }]);
    const write = 'Microsoft.MachineLearningServices/workspaces/models/write';
    expect(may(ann([]), write, { id: `${workspaceId}/models/Net/versions/1` })).toBe(true);
    expect(may(ann([]), write, { id: `${workspaceId}/models/network` })).toBe(false);
  });

  test('to a group holds for those who are in it', () => {
    const { decide } = deciderOf([{ scope: '/', role: contributor, to: groupId }]);
    const { principal, workspace } = aCaller([]);
    const log = (who: Principal) => decide({ principal: who, workspace }, contract.runs.logBatch.actions, 'workspace');
    expect(() => log(principal)).toThrow(/may not do/);
    expect(() => log({ ...principal, groups: [groupId.toUpperCase()] })).not.toThrow();
  });

  test('is left out by a role and given by another: leaving out is no refusal', () => {
    const noDelete: CustomRole = { ...custom, actions: ['*'], notActions: ['*/experiments/*'] };
    const onlyDelete: CustomRole = { ...custom, id: 'b'.repeat(36), actions: ['*/experiments/delete'] };
    const actions = contract.experiments.deleteExperiment.actions;
    const one = deciderOf([{ scope: '/', role: noDelete.id }], [noDelete, onlyDelete]);
    expect(() => one.decide(aCaller([]), actions, 'workspace')).toThrow(/experiments\/delete/);
    const both = deciderOf(
      [
        { scope: '/', role: noDelete.id },
        { scope: workspaceId, role: onlyDelete.id },
      ],
      [noDelete, onlyDelete],
    );
    expect(() => both.decide(aCaller([]), actions, 'workspace')).not.toThrow();
  });

  test('is no longer held from the moment when it is not assigned any more, for principals that were decided on before', () => {
    let state = roleState([], [assignment({ scope: '/', role: contributor })]);
    const { decide } = createDecider({ current: () => state });
    const caller = aCaller([]);
    const log = () => decide(caller, contract.runs.logBatch.actions, 'workspace');
    expect(log).not.toThrow();
    state = roleState([], []);
    expect(log).toThrow(/may not do/);
  });

  test('as the documented minimal roles suffices for tracking and for models, and shows the workspace', () => {
    const prefix = 'Microsoft.MachineLearningServices/workspaces';
    const tracking: CustomRole = { ...custom, actions: [`${prefix}/experiments/*`, `${prefix}/jobs/*`] };
    const models: CustomRole = { ...custom, actions: [`${prefix}/models/*/*`] };
    for (const [role, groups] of [
      [tracking, ['experiments', 'runs', 'metrics', 'artifacts', 'loggedModels']],
      [models, ['registeredModels', 'modelVersions', 'registryHistory']],
    ] as const) {
      const { decide, maySee, mayRead } = deciderOf([{ scope: workspaceId, role: role.id }], [role]);
      for (const group of groups) {
        for (const { actions } of Object.values<Endpoint>(contract[group])) {
          expect(() => decide(aCaller([]), actions, 'workspace')).not.toThrow();
        }
      }
      expect(maySee(ann([]), aWorkspace(1))).toBe(true);
      expect(mayRead(ann([]), aWorkspace(1))).toBe(false);
    }
  });
});

const contributor = 'b24988ac-6180-42a0-ab88-20f7382dd24c';
const groupId = '0d6f8d5c-5b0e-4c0a-9f1e-0d1c7d5f2b22';
const custom: CustomRole = {
  id: 'a'.repeat(36),
  name: 'custom',
  description: '',
  actions: [],
  notActions: [],
  assignableScopes: ['/'],
  creationTime: 0,
  updateTime: 0,
};

interface Assigned {
  readonly scope: string;
  readonly role: string;
  readonly to?: string;
}

function assignment({ scope, role, to = annId }: Assigned): AssignmentRow {
  return {
    assignment_id: 'c'.repeat(36),
    scope,
    scope_key: scope,
    role_id: role,
    principal_id: to,
    principal_type: 'User',
    description: null,
    created_by: '',
    creation_time: 0,
  };
}

function deciderOf(assigned: readonly Assigned[], roles: readonly CustomRole[] = []) {
  const state = roleState(roles, assigned.map(assignment));
  return createDecider({ current: () => state });
}

function aCaller(grants: readonly Grant[]): Caller {
  return { principal: ann(grants), workspace: aWorkspace(1) };
}

function aWorkspace(number: number): WorkspaceRef {
  return {
    workspaceId: number,
    guid: '8f0d2c1e-0000-4000-8000-000000000001',
    name: `team-${number}`,
    subscriptionId: '8f0d2c1e-0000-4000-8000-000000000002',
    resourceGroup: 'group',
    defaultArtifactRoot: null,
    region: 'local',
    privateLink: false,
  };
}

const annId = '8c9d3b1e-5f0a-4c55-9d0f-0d1c7d5f2b11';

function ann(grants: readonly Grant[]): Principal {
  return { objectId: annId, name: 'ann', kind: 'ApiToken', groups: [], grants };
}
