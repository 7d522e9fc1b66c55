import { contract, type Endpoint } from '@lazuli/contract';
import type { Principal } from '../access/caller.ts';
import type { Decider } from '../access/decide.ts';
import { fullAction } from '../access/roles.ts';
import { groupScope } from '../access/scope.ts';
import type { Engine } from '../database/engine.ts';
import {
  findGroup,
  insertGroup,
  listGroups,
  removeGroup,
  updateGroup,
  type GroupRow,
} from '../workspaces/group-store.ts';
import { defaultPlace } from '../workspaces/workspace-directory.ts';
import { listWorkspaces, workspaceRef } from '../workspaces/workspace-store.ts';
import { ArmError } from './arm-error.ts';
import { pageOf } from './arm-page.ts';
import { fieldsOf, route, tagsOf, type ArmCall, type ArmRoute } from './arm-route.ts';
import { forbidden } from './arm-service.ts';
import { checkGroup, locationOf } from './arm-workspaces.ts';
import { tagsOfRow, type Surroundings } from './workspace-body.ts';

/** Tenants, subscriptions and resource groups: where resources lie. A subscription is there when it has a group. */
export interface ArmSubscriptionParts {
  readonly engine: Engine;
  readonly decider: Pick<Decider, 'may' | 'maySee'>;
  readonly surroundings: () => Surroundings;
}

const subscriptionRead = 'Microsoft.Resources/subscriptions/read';
const groupRead = 'Microsoft.Resources/subscriptions/resourceGroups/read';
const groupWrite = 'Microsoft.Resources/subscriptions/resourceGroups/write';
const groupDelete = 'Microsoft.Resources/subscriptions/resourceGroups/delete';
const group = '/subscriptions/{s}/resourceGroups/{g}';
const provider = 'Microsoft.MachineLearningServices';

export function armSubscriptionRoutes({ engine, decider, surroundings }: ArmSubscriptionParts): ArmRoute[] {
  /** *Azure: one sees the groups and subscriptions that one has a role in, be it on something deep inside.* */
  async function visibleGroups(principal: Principal): Promise<GroupRow[]> {
    const [groups, workspaces] = await engine.snapshot(
      async (db) => [await listGroups(db), await listWorkspaces(db)] as const,
    );
    const withVisible = new Set(
      workspaces
        .map(workspaceRef)
        .filter((workspace) => decider.maySee(principal, workspace))
        .map((workspace) => groupScope(workspace).toLowerCase()),
    );
    return groups.filter((row) => {
      const id = idOfGroup(row);
      return withVisible.has(id.toLowerCase()) || decider.may(principal, groupRead, { id });
    });
  }

  async function visibleSubscriptions(principal: Principal): Promise<string[]> {
    const rows = await visibleGroups(principal);
    return [...new Set(rows.map(({ subscription_id }) => subscription_id))];
  }

  const subscription = (id: string) => ({
    id: `/subscriptions/${id}`,
    subscriptionId: id,
    tenantId: surroundings().tenantId,
    displayName: id === defaultPlace.subscription_id ? 'Lazuli' : id,
    state: 'Enabled',
    authorizationSource: 'RoleBased',
    managedByTenants: [],
    subscriptionPolicies: { locationPlacementId: 'Internal', quotaId: 'Internal', spendingLimit: 'Off' },
  });

  async function groupAt(call: ArmCall): Promise<GroupRow> {
    const { s = '', g = '' } = call.params;
    const row = await findGroup(engine.db, s, g);
    if (row === undefined)
      throw new ArmError(404, 'ResourceGroupNotFound', `Resource group '${g}' could not be found.`);
    return row;
  }

  return [
    route('GET', '/subscriptions', 'signed-in', async (call) =>
      pageOf(call, (await visibleSubscriptions(call.principal)).map(subscription)),
    ),
    route('GET', '/tenants', 'signed-in', (call) => {
      const { tenantId, origin } = surroundings();
      const { hostname } = new URL(origin);
      const tenant = { id: `/tenants/${tenantId}`, tenantId, displayName: 'Lazuli', defaultDomain: hostname };
      return pageOf(call, [{ ...tenant, domains: [hostname], tenantType: 'AAD', countryCode: '' }]);
    }),
    route('GET', '/subscriptions/{s}', 'signed-in', async (call) => {
      const wanted = call.params['s'] ?? '';
      const found = (await visibleSubscriptions(call.principal)).find(
        (id) => id.toLowerCase() === wanted.toLowerCase(),
      );
      if (found !== undefined) return { body: subscription(found) };
      if (!decider.may(call.principal, subscriptionRead, { id: call.scope })) {
        throw forbidden(call.principal, subscriptionRead, call.scope);
      }
      throw new ArmError(404, 'SubscriptionNotFound', `The subscription '${wanted}' could not be found.`);
    }),
    route('GET', '/subscriptions/{s}/locations', 'signed-in', async (call) => {
      const mine = (await visibleGroups(call.principal)).filter((row) => isOf(row, call));
      const locations = [...new Set(mine.map(({ location }) => location))];
      return {
        body: { value: locations.map((name) => ({ id: `${call.scope}/locations/${name}`, name, displayName: name })) },
      };
    }),
    route('GET', '/subscriptions/{s}/resourceGroups', 'signed-in', async (call) => {
      const rows = (await visibleGroups(call.principal)).filter((row) => isOf(row, call));
      return pageOf(call, rows.map(groupBody));
    }),
    route('GET', group, groupRead, async (call) => ({ body: groupBody(await groupAt(call)) })),
    route('PUT', group, groupWrite, async (call) => {
      const { s = '', g = '' } = call.params;
      const body = fieldsOf(call.body, 'body');
      const location = locationOf(body['location']) ?? defaultPlace.region;
      const tags = JSON.stringify(tagsOf(body['tags']));
      checkGroup(s, g);
      const isNew = await engine.transaction(async ({ db }) => {
        const present = await findGroup(db, s, g);
        if (present !== undefined) await updateGroup(db, present, { location: present.location, tags });
        else await insertGroup(db, { subscription_id: s.toLowerCase(), name: g, location, tags });
        return present === undefined;
      });
      return { status: isNew ? 201 : 200, body: groupBody(await groupAt(call)) };
    }),
    route('DELETE', group, groupDelete, async (call) => {
      const { s = '', g = '' } = call.params;
      await engine.transaction(async ({ db }) => {
        const row = await findGroup(db, s, g);
        if (row === undefined) return;
        const inside = (await listWorkspaces(db)).filter(
          ({ subscription_id, resource_group }) =>
            subscription_id === row.subscription_id && resource_group.toLowerCase() === row.name.toLowerCase(),
        );
        if (inside.length > 0) {
          throw new ArmError(
            409,
            'ResourceGroupDeletionBlocked',
            `The resource group '${row.name}' has ${inside.length} workspace(s); delete them first.`,
          );
        }
        await removeGroup(db, row);
      });
      return { status: 200 };
    }),
    route('GET', `/subscriptions/{s}/providers/${provider}`, 'signed-in', ({ params: { s = '' } }) => ({
      body: providerBody(s),
    })),
    route('POST', `/subscriptions/{s}/providers/${provider}/register`, 'signed-in', ({ params: { s = '' } }) => ({
      body: providerBody(s),
    })),
    route('GET', `/providers/${provider}/operations`, 'signed-in', () => ({ body: { value: operations } })),
  ];
}

function isOf({ subscription_id }: GroupRow, { params: { s = '' } }: ArmCall): boolean {
  return subscription_id.toLowerCase() === s.toLowerCase();
}

function idOfGroup({ subscription_id, name }: GroupRow): string {
  return groupScope({ subscriptionId: subscription_id, resourceGroup: name });
}

function groupBody(row: GroupRow) {
  return {
    id: idOfGroup(row),
    name: row.name,
    type: 'Microsoft.Resources/resourceGroups',
    location: row.location,
    tags: tagsOfRow(row),
    properties: { provisioningState: 'Succeeded' },
  };
}

/** *`az resource show` chooses its api-version from this.* */
function providerBody(subscriptionId: string) {
  const kinds = ['workspaces', 'registries', 'workspaces/jobs', 'workspaces/models', 'operations'];
  return {
    id: `/subscriptions/${subscriptionId}/providers/${provider}`,
    namespace: provider,
    registrationState: 'Registered',
    registrationPolicy: 'RegistrationRequired',
    resourceTypes: kinds.map((resourceType) => ({
      resourceType,
      locations: [],
      apiVersions: ['2024-10-01', '2024-04-01', '2023-10-01', '2022-10-01'],
      capabilities: 'SupportsTags, SupportsLocation',
    })),
  };
}

/** Every action that an endpoint of the contract asks for. */
const operations = [
  ...new Map(
    Object.values(contract)
      .flatMap((nouns) => Object.values<Endpoint>(nouns))
      .flatMap(({ actions, summary }) => actions.map((action) => [fullAction(action), summary] as const))
      .filter(([action]) => action.startsWith(`${provider}/`))
      .reverse(),
  ),
].map(([name, description]) => ({
  name,
  isDataAction: false,
  display: { provider: 'Lazuli', resource: name.split('/').slice(1, -1).join('/'), operation: name, description },
}));
