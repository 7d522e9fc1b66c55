import { randomUUID } from 'node:crypto';
import { MlflowError } from '@lazuli/contract';
import type { Principal, WorkspaceRef } from '../access/caller.ts';
import type { Decider } from '../access/decide.ts';
import { workspaceScope, type WorkspacePlace } from '../access/scope.ts';
import type { Engine } from '../database/engine.ts';
import { defaultWorkspaceName, isAzureName, newWorkspace, defaultPlace } from '../workspaces/workspace-directory.ts';
import type { WorkspaceLifecycle } from '../workspaces/workspace-lifecycle.ts';
import {
  findWorkspaceAt,
  listWorkspaces,
  workspaceRef,
  type WorkspaceChange,
  type WorkspaceRow,
} from '../workspaces/workspace-store.ts';
import { ArmError, invalidContent, resourceNotFound } from './arm-error.ts';
import { pageOf } from './arm-page.ts';
import { resourceFilter, resourceInList } from './arm-resources.ts';
import { fieldsOf, route, tagsOf, textOf, type ArmCall, type ArmRoute, type Fields } from './arm-route.ts';
import { mayHaveHostsBelow } from './own-host.ts';
import {
  registryBody,
  registryId,
  saidOf,
  workspaceBody,
  type SaidOfWorkspace,
  type Surroundings,
} from './workspace-body.ts';

/** Workspaces, and the registries that they are, to Azure's clients. */
export interface ArmWorkspaceParts {
  readonly engine: Engine;
  readonly now: () => number;
  readonly lifecycle: WorkspaceLifecycle;
  readonly decider: Pick<Decider, 'mayRead' | 'may'>;
  readonly surroundings: () => Surroundings;
}

const provider = 'Microsoft.MachineLearningServices';
const groupPath = '/subscriptions/{s}/resourceGroups/{g}';
export const workspacesPath = `${groupPath}/providers/${provider}/workspaces`;
export const registriesPath = `${groupPath}/providers/${provider}/registries`;
const one = `${workspacesPath}/{w}`;

export function armWorkspaceRoutes(parts: ArmWorkspaceParts): ArmRoute[] {
  const { engine, lifecycle, decider, surroundings } = parts;
  const show = (row: WorkspaceRow) => workspaceBody(row, surroundings());

  async function found(call: ArmCall): Promise<WorkspaceRow> {
    return workspaceAt(engine, placeIn(call));
  }

  async function placedIn(call: ArmCall): Promise<WorkspaceRow[]> {
    const { s = '', g } = call.params;
    const rows = await listWorkspaces(engine.db);
    return rows.filter(
      (row) =>
        row.subscription_id.toLowerCase() === s.toLowerCase() &&
        (g === undefined || row.resource_group.toLowerCase() === g.toLowerCase()),
    );
  }

  async function readableWorkspaces(call: ArmCall) {
    const rows = await placedIn(call);
    return rows.filter((row) => decider.mayRead(call.principal, workspaceRef(row))).map(show);
  }

  async function readableRegistries(call: ArmCall) {
    const rows = await placedIn(call);
    const mayRead = (row: WorkspaceRow) => {
      const { workspaceId, ...place } = workspaceRef(row);
      return decider.may(call.principal, `${provider}/registries/read`, { id: registryId(place), workspaceId });
    };
    return rows.filter(mayRead).map((row) => registryBody(row, surroundings()));
  }

  const listedWorkspaces = async (call: ArmCall) => pageOf(call, await readableWorkspaces(call));
  const listedRegistries = async (call: ArmCall) => pageOf(call, await readableRegistries(call));

  async function listedResources(call: ArmCall) {
    const isWanted = resourceFilter(call.query.get('$filter'));
    const resources = [...(await readableWorkspaces(call)), ...(await readableRegistries(call))];
    const expand = call.query.get('$expand');
    return pageOf(
      call,
      resources.filter(isWanted).map((resource) => resourceInList(resource, expand)),
    );
  }

  return [
    route('GET', '/subscriptions/{s}/resources', 'signed-in', listedResources),
    route('GET', `${groupPath}/resources`, 'signed-in', listedResources),
    route('GET', `/subscriptions/{s}/providers/${provider}/workspaces`, 'signed-in', listedWorkspaces),
    route('GET', workspacesPath, 'signed-in', listedWorkspaces),
    route('GET', one, 'read', async (call) => ({ body: show(await found(call)) })),
    route('PUT', one, 'write', async (call) => {
      const { row, isNew } = await putWorkspace(parts, placeIn(call), call.body, call.principal);
      return { status: isNew ? 201 : 200, body: show(row) };
    }),
    route('PATCH', one, 'write', async (call) => {
      const change = changeOf(fieldsOf(call.body, 'body'), call.principal, parts);
      return { body: show(await lifecycle.update((db) => workspaceAt({ db }, placeIn(call)), change)) };
    }),
    route('DELETE', one, 'delete', (call) => removeAt(parts, call)),
    route('POST', `${one}/listKeys`, 'listKeys/action', async (call) => {
      await found(call);
      // There is no storage account of one's own behind a workspace here, so there are no keys of one.
      return { body: { notebookAccessKeys: {} } };
    }),
    route('POST', `${one}/listStorageAccountKeys`, 'listStorageAccountKeys/action', async (call) => {
      await found(call);
      return { body: {} };
    }),
    route('POST', `${one}/listNotebookKeys`, 'listNotebookKeys/action', async (call) => {
      await found(call);
      return { body: {} };
    }),
    route('POST', `${one}/listNotebookAccessToken`, 'listNotebookAccessToken/action', async (call) => {
      await found(call);
      return { body: {} };
    }),
    route('POST', `${one}/prepareNotebook`, 'write', async (call) => {
      await found(call);
      return { body: {} };
    }),
    route('POST', `${one}/resyncKeys`, 'resyncKeys/action', async (call) => {
      await found(call);
      return {};
    }),
    route('POST', `${one}/diagnose`, 'diagnose/action', async (call) => {
      await found(call);
      return { body: { value: {} } };
    }),
    route(
      'GET',
      `${one}/outboundNetworkDependenciesEndpoints`,
      'outboundNetworkDependenciesEndpoints/read',
      async (call) => {
        await found(call);
        return { body: { value: [] } };
      },
    ),
    route('GET', `/subscriptions/{s}/providers/${provider}/registries`, 'signed-in', listedRegistries),
    route('GET', registriesPath, 'signed-in', listedRegistries),
    route('GET', `${registriesPath}/{w}`, `${provider}/registries/read`, async (call) => ({
      body: registryBody(await found(call), surroundings()),
    })),
  ];
}

export function placeIn({ params: { s = '', g = '', w = '' } }: Pick<ArmCall, 'params'>): WorkspacePlace {
  return { subscriptionId: s, resourceGroup: g, name: w };
}

export async function workspaceAt({ db }: Pick<Engine, 'db'>, place: WorkspacePlace): Promise<WorkspaceRow> {
  const row = await findWorkspaceAt(db, place);
  if (row === undefined) throw resourceNotFound(workspaceScope(place));
  return row;
}

/** Makes a workspace, or makes the one that is there say this; twice is as good as once. */
export async function putWorkspace(
  parts: Omit<ArmWorkspaceParts, 'decider'>,
  place: WorkspacePlace,
  body: unknown,
  principal: Principal,
): Promise<{ row: WorkspaceRow; isNew: boolean }> {
  const { engine, now, lifecycle } = parts;
  const change = changeOf(fieldsOf(body, 'body'), principal, parts);
  if ((await findWorkspaceAt(engine.db, place)) === undefined) {
    checkPlace(place);
    const fresh = newWorkspace(place.name, now());
    const bare = { ...fresh, region: defaultPlace.region, tags: '{}', properties: '{}', private_link: 0 };
    const created = await lifecycle.create({
      ...bare,
      ...change({ ...bare, workspace_id: 0, next_model_key: 0, last_update_time: fresh.creation_time }),
      subscription_id: place.subscriptionId.toLowerCase(),
      resource_group: place.resourceGroup,
      guid: randomUUID(),
    });
    if (created !== undefined) return { row: created, isNew: true };
  }
  const row = await lifecycle.update((db) => workspaceAt({ db }, place), change);
  return { row, isNew: false };
}

/** *Azure: a subscription is a GUID; names of groups have up to 90 characters.* */
export function checkPlace({ subscriptionId, resourceGroup, name }: WorkspacePlace): void {
  checkGroup(subscriptionId, resourceGroup);
  if (!isAzureName(name)) {
    throw new ArmError(
      400,
      'InvalidResourceName',
      `The workspace name '${name}' must have 2 to 63 letters, digits, '-' and '_', and begin with a letter or a digit.`,
    );
  }
}

export function checkGroup(subscriptionId: string, resourceGroup: string): void {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(subscriptionId)) {
    throw new ArmError(
      400,
      'InvalidSubscriptionId',
      `The provided subscription identifier '${subscriptionId}' is malformed or invalid: it is a GUID.`,
    );
  }
  if (!/^[\p{L}\p{N}_.()-]{1,90}$/u.test(resourceGroup) || resourceGroup.endsWith('.')) {
    throw new ArmError(
      400,
      'InvalidResourceGroup',
      `The resource group '${resourceGroup}' must have 1 to 90 letters, digits, '_', '-', '.', '(' and ')', and end with no '.'.`,
    );
  }
}

/** *Azure: `East US` is `eastus`.* */
export function locationOf(value: unknown): string | undefined {
  const location = textOf(value, 'location')?.replaceAll(' ', '').toLowerCase();
  if (location === undefined || /^[a-z0-9]{1,60}$/.test(location)) return location;
  throw new ArmError(
    400,
    'LocationNotAvailableForResourceType',
    `The provided location '${location.slice(0, 100)}' must have letters and digits only.`,
  );
}

/** What Azure calls properties and this server keeps elsewhere, or says itself. */
const ownProperties: readonly string[] = [
  'description',
  'workspaceId',
  'tenantId',
  'provisioningState',
  'discoveryUrl',
  'mlFlowTrackingUri',
  'privateLinkCount',
  'privateEndpointConnections',
  'storageHnsEnabled',
];
const longestProperties = 100_000;

function changeOf(
  body: Fields,
  principal: Principal,
  { now, surroundings }: Pick<ArmWorkspaceParts, 'now' | 'surroundings'>,
): (row: WorkspaceRow) => WorkspaceChange {
  const properties = fieldsOf(body['properties'], 'properties');
  const description = textOf(properties['description'], 'properties.description', 20_000);
  const location = locationOf(body['location']);
  const tags = body['tags'] === undefined ? undefined : tagsOf(body['tags']);
  const kind = textOf(body['kind'], 'kind', 100);
  const network = textOf(properties['publicNetworkAccess'], 'properties.publicNetworkAccess', 100);
  // *Azure: a workspace that is not open to the public network is reached through its private link.*
  const isLinked = network === undefined ? undefined : network.toLowerCase() === 'disabled';
  if (isLinked === true) requireHostsBelow(surroundings().origin);
  const time = now();
  const given = Object.fromEntries(
    Object.entries(properties).filter(([name, value]) => value !== null && !ownProperties.includes(name)),
  );
  return (row) => {
    const before = saidOf(row);
    // A region is part of a workspace's address, so it is said once.
    if (row.workspace_id !== 0 && location !== undefined && location !== row.region) {
      throw new ArmError(
        409,
        'InvalidResourceLocation',
        `The workspace '${row.name}' already exists in location '${row.region}'; it cannot move to '${location}'.`,
      );
    }
    const said: SaidOfWorkspace = {
      ...before,
      ...(kind === undefined ? {} : { kind }),
      ...(body['identity'] === undefined ? {} : { identity: fieldsOf(body['identity'], 'identity') }),
      ...(body['sku'] === undefined ? {} : { sku: fieldsOf(body['sku'], 'sku') }),
      ...(row.workspace_id === 0 ? { createdBy: principal.name } : { lastModifiedBy: principal.name }),
      properties: { ...before.properties, ...given },
    };
    const text = JSON.stringify(said);
    if (text.length > longestProperties) throw invalidContent('The properties of the workspace are too long.');
    return {
      last_update_time: time,
      properties: text,
      ...(description === undefined ? {} : { description }),
      ...(location === undefined ? {} : { region: location }),
      ...(tags === undefined ? {} : { tags: JSON.stringify(tags) }),
      ...(isLinked === undefined ? {} : { private_link: isLinked ? 1 : 0 }),
    };
  };
}

function requireHostsBelow(origin: string): void {
  if (mayHaveHostsBelow(origin)) return;
  throw new ArmError(
    400,
    'PrivateLinkNotSupported',
    `A workspace behind a private link has a host of its own below that of the server, and there is none below the address ` +
      `in its public URL, '${origin}'. Give the server a name: \`lazuli serve --public-url\`.`,
  );
}

async function removeAt({ engine, lifecycle }: ArmWorkspaceParts, call: ArmCall) {
  const place = placeIn(call);
  const row = await findWorkspaceAt(engine.db, place);
  if (row === undefined) return { status: 204 };
  if (isDefault(workspaceRef(row))) {
    throw new ArmError(409, 'Conflict', `The workspace '${row.name}' is the server's default one and stays.`);
  }
  const isForced = call.query.get('forceToPurge')?.toLowerCase() === 'true';
  try {
    await lifecycle.remove((db) => workspaceAt({ db }, place), isForced ? 'whatever is in it' : 'empty');
  } catch (error) {
    if (!(error instanceof MlflowError) || error.errorCode !== 'INVALID_STATE') throw error;
    throw new ArmError(409, 'Conflict', `${error.message} Remove them first, or delete with forceToPurge=true.`);
  }
  return { status: 200 };
}

function isDefault({ name, subscriptionId, resourceGroup }: WorkspaceRef): boolean {
  const { subscription_id, resource_group } = defaultPlace;
  return name === defaultWorkspaceName && subscriptionId === subscription_id && resourceGroup === resource_group;
}
