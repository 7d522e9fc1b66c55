import type { Decider } from '../access/decide.ts';
import { workspaceScope } from '../access/scope.ts';

import { ArmError, invalidContent, resourceNotFound } from './arm-error.ts';
import { fieldsOf, route, textOf, type ArmCall, type ArmRoute, type Fields } from './arm-route.ts';
import { forbidden } from './arm-service.ts';
import { putWorkspace, type ArmWorkspaceParts } from './arm-workspaces.ts';
import { findDeployment, putDeployment } from './deployment-store.ts';
import type { Surroundings } from './workspace-body.ts';

/**
 * Template deployments, as far as `MLClient.workspaces.begin_create` needs them: it wraps a workspace and what Azure puts
 * beside one into a template. The template is not evaluated; its parameters say what the workspace shall be, and it is
 * there when the deployment is answered.
 */
export interface ArmDeploymentParts extends ArmWorkspaceParts {
  readonly decider: Pick<Decider, 'may' | 'mayRead'>;
  readonly surroundings: () => Surroundings;
}

const deployment = '/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Resources/deployments/{d}';
const write = 'Microsoft.Resources/deployments/write';
const read = 'Microsoft.Resources/deployments/read';
const workspaceWrite = 'Microsoft.MachineLearningServices/workspaces/write';

export function armDeploymentRoutes(parts: ArmDeploymentParts): ArmRoute[] {
  const { engine } = parts;
  const known = async (id: string): Promise<unknown> => {
    const body = await findDeployment(engine.db, id);
    if (body === undefined) throw resourceNotFound(id);
    return JSON.parse(body) as unknown;
  };
  return [
    route('PUT', deployment, write, (call) => deploy(parts, call)),
    route('GET', deployment, read, async ({ scope }) => ({ body: await known(scope) })),
    route('GET', `${deployment}/operationStatuses/{o}`, read, async ({ scope }) => {
      await known(scope.slice(0, scope.lastIndexOf('/operationStatuses/')));
      return { body: { status: 'Succeeded' } };
    }),
    // *azure-ai-ml leaves the provider out here.*
    route('GET', '/subscriptions/{s}/resourceGroups/{g}/deployments/{d}/operations', read, () => ({
      body: { value: [] },
    })),
  ];
}

async function deploy(parts: ArmDeploymentParts, call: ArmCall) {
  const { s = '', g = '' } = call.params;
  const properties = fieldsOf(fieldsOf(call.body, 'body')['properties'], 'properties');
  checkTemplate(fieldsOf(properties['template'], 'properties.template'));
  const parameters = fieldsOf(properties['parameters'], 'properties.parameters');
  const value = (name: string): unknown => fieldsOf(parameters[name], `parameters.${name}`)['value'];
  const name = textOf(value('workspaceName'), 'parameters.workspaceName') ?? '';
  const place = { subscriptionId: s, resourceGroup: g, name };
  const id = workspaceScope(place);
  if (!parts.decider.may(call.principal, workspaceWrite, { id })) throw forbidden(call.principal, workspaceWrite, id);
  await putWorkspace(parts, place, workspaceOf(value, s), call.principal);
  const body = JSON.stringify({
    id: call.scope,
    name: call.params['d'],
    type: 'Microsoft.Resources/deployments',
    properties: {
      provisioningState: 'Succeeded',
      mode: 'Incremental',
      timestamp: new Date(parts.now()).toISOString(),
      outputResources: [{ id }],
      parameters: Object.fromEntries(
        Object.entries(parameters).filter(([, given]) => (given as Fields | null)?.['value'] !== undefined),
      ),
    },
  });
  await parts.engine.transaction(({ db }) => putDeployment(db, call.scope, body));
  const { origin } = parts.surroundings();
  const status = `${origin}${call.scope}/operationStatuses/1?api-version=${encodeURIComponent(call.query.get('api-version') ?? '')}`;
  return {
    status: 201,
    headers: { 'azure-asyncoperation': status, 'retry-after': '0' },
    body: { ...(JSON.parse(body) as Fields), properties: { provisioningState: 'Accepted' } },
  };
}

/** The workspace that the parameters describe, as a PUT of it would. */
function workspaceOf(value: (name: string) => unknown, subscriptionId: string): Fields {
  const named = (names: readonly string[]): Fields =>
    Object.fromEntries(names.flatMap((name) => (value(name) === undefined ? [] : [[name, value(name)]])));
  const identity = value('identity') ?? value('identityType');
  return {
    ...named(['location', 'kind']),
    ...(typeof identity === 'object' ? { identity } : {}),
    tags: value('tagValues') ?? {},
    properties: {
      ...named([
        'friendlyName',
        'description',
        'publicNetworkAccess',
        'imageBuildCompute',
        'primaryUserAssignedIdentity',
      ]),
      ...resourceIds(value, subscriptionId),
      ...(value('confidential_data') === 'true' ? { hbiWorkspace: true } : {}),
    },
  };
}

/** The ids of resources that the client names as its own: clients want to see them again. New ones are not made here. */
function resourceIds(value: (name: string) => unknown, subscriptionId: string): Fields {
  const besides = [
    ['storageAccount', 'Microsoft.Storage/storageAccounts'],
    ['keyVault', 'Microsoft.KeyVault/vaults'],
    ['applicationInsights', 'Microsoft.Insights/components'],
    ['containerRegistry', 'Microsoft.ContainerRegistry/registries'],
  ] as const;
  return Object.fromEntries(
    besides.flatMap(([property, type]) => {
      const text = (what: string) => textOf(value(`${property}${what}`), `parameters.${property}${what}`);
      const [option, name, group] = [text('Option'), text('Name'), text('ResourceGroupName')];
      if (option !== 'existing' || name === undefined || group === undefined) return [];
      return [[property, `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/${type}/${name}`]];
    }),
  );
}

/** What a template of a workspace may have beside it. */
const companions: readonly string[] = [
  'microsoft.machinelearningservices/workspaces',
  'microsoft.storage/storageaccounts',
  'microsoft.storage/storageaccounts/blobservices',
  'microsoft.storage/storageaccounts/blobservices/containers',
  'microsoft.keyvault/vaults',
  'microsoft.insights/components',
  'microsoft.operationalinsights/workspaces',
  'microsoft.containerregistry/registries',
  'microsoft.network/virtualnetworks',
  'microsoft.network/privateendpoints',
  'microsoft.managedidentity/userassignedidentities',
  'microsoft.resources/deployments',
  'microsoft.authorization/roleassignments',
];

function checkTemplate({ resources }: Fields): void {
  const list = Array.isArray(resources) ? (resources as unknown[]) : Object.values(fieldsOf(resources, 'resources'));
  const types = list.map((resource) =>
    (textOf(fieldsOf(resource, 'resources')['type'], 'resources.type') ?? '').toLowerCase(),
  );
  const other = types.find((type) => !companions.some((known) => type.startsWith(known)));
  if (other !== undefined) {
    throw new ArmError(
      400,
      'InvalidTemplate',
      `This server deploys workspaces and what Azure puts beside one; the template has '${other}'.`,
    );
  }
  if (!types.includes('microsoft.machinelearningservices/workspaces')) {
    throw invalidContent('The template has no workspace among its resources.');
  }
}
