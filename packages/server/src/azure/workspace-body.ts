import { workspaceScope, type WorkspacePlace } from '../access/scope.ts';
import { workspaceRef, type WorkspaceRow } from '../workspaces/workspace-store.ts';
import { originOf } from './own-host.ts';

/** Workspaces and registries as Azure's clients see them. */
export interface Surroundings {
  /** The server's public origin, with a path where it is served under one. */
  readonly origin: string;
  readonly tenantId: string;
}

/** What was said about a workspace beyond the columns of its table; clients get it back. */
export interface SaidOfWorkspace {
  readonly kind?: string;
  readonly identity?: unknown;
  readonly sku?: unknown;
  readonly createdBy?: string;
  readonly lastModifiedBy?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

export function placeOf(row: WorkspaceRow): WorkspacePlace {
  return { subscriptionId: row.subscription_id, resourceGroup: row.resource_group, name: row.name };
}

/** The one property of a workspace that no client can do without. */
export function trackingUri(row: WorkspaceRow, origin: string): string {
  return `azureml://${hostOf(row, origin)}/mlflow/v1.0${workspaceScope(placeOf(row))}`;
}

function hostOf(row: WorkspaceRow, origin: string): string {
  return originOf(workspaceRef(row), origin).replace(/^https?:\/\//, '');
}

export function workspaceBody(row: WorkspaceRow, { origin, tenantId }: Surroundings) {
  const { kind, identity, sku, createdBy, lastModifiedBy, properties = {} } = saidOf(row);
  return {
    id: workspaceScope(placeOf(row)),
    name: row.name,
    type: 'Microsoft.MachineLearningServices/workspaces',
    location: row.region,
    tags: tagsOfRow(row),
    kind: kind ?? 'Default',
    sku: sku ?? { name: 'Basic', tier: 'Basic' },
    identity: identity ?? { type: 'None' },
    systemData: systemData(row, createdBy, lastModifiedBy),
    properties: {
      friendlyName: row.name,
      publicNetworkAccess: row.private_link === 1 ? 'Disabled' : 'Enabled',
      hbiWorkspace: false,
      v1LegacyMode: false,
      ...properties,
      description: row.description ?? '',
      workspaceId: row.guid,
      tenantId,
      provisioningState: 'Succeeded',
      discoveryUrl: `${origin}/discovery`,
      mlFlowTrackingUri: trackingUri(row, origin),
      privateLinkCount: row.private_link,
      privateEndpointConnections: [],
      storageHnsEnabled: false,
    },
  };
}

/** Every workspace is the registry of its name, too. */
export function registryBody(row: WorkspaceRow, { origin }: Surroundings) {
  const { createdBy, lastModifiedBy } = saidOf(row);
  const id = registryId(placeOf(row));
  return {
    id,
    name: row.name,
    type: 'Microsoft.MachineLearningServices/registries',
    location: row.region,
    tags: tagsOfRow(row),
    kind: 'registry',
    identity: { type: 'None' },
    systemData: systemData(row, createdBy, lastModifiedBy),
    properties: {
      description: row.description ?? '',
      regionDetails: [{ location: row.region }],
      discoveryUrl: `${origin}/discovery`,
      mlFlowRegistryUri: `azureml://${hostOf(row, origin)}/mlflow/v1.0${id}`,
      publicNetworkAccess: 'Enabled',
    },
  };
}

export function registryId(place: WorkspacePlace): string {
  return workspaceScope(place).replace(/\/workspaces\/[^/]+$/, `/registries/${place.name}`);
}

export function saidOf(row: Pick<WorkspaceRow, 'properties'>): SaidOfWorkspace {
  return JSON.parse(row.properties) as SaidOfWorkspace;
}

export function tagsOfRow({ tags }: { readonly tags: string }): Record<string, string> {
  return JSON.parse(tags) as Record<string, string>;
}

export function isoTime(milliseconds: number | bigint): string {
  return new Date(Number(milliseconds)).toISOString();
}

function systemData(row: WorkspaceRow, createdBy = 'lazuli', lastModifiedBy = createdBy) {
  return {
    createdAt: isoTime(row.creation_time),
    createdBy,
    createdByType: 'User',
    lastModifiedAt: isoTime(row.last_update_time),
    lastModifiedBy,
    lastModifiedByType: 'User',
  };
}
