import { parseTrackingUri, type Server } from '@lazuli/client';
import { cloudEnvironment, findCloud, lazuliCloud } from './clouds.ts';
import {
  accountOfCloud,
  connectionOver,
  connectTracking,
  isAddressGiven,
  isAzureMl,
  proofForCloud,
  resourceManagerOf,
  trackingUrl,
  workspaceId,
  workspacePlaceOf,
  type ConnectionOptions,
} from './connection.ts';
import { CommandError } from './output.ts';
import type { Resources } from './resource-manager.ts';
import type { Surroundings } from './surroundings.ts';

/** A workspace of Azure Machine Learning itself: its resource, and what speaks with it. */
export interface AzureWorkspace extends Resources {
  /** `/subscriptions/…/workspaces/{name}` */
  readonly scope: string;
  readonly trackingUri: () => Promise<string>;
}

/**
 * The resource manager of the cloud, where Azure is meant and no server of Lazuli: by an `azureml://` address of another cloud
 * than a server of Lazuli has, by the resource manager's own address, or, without any address, because somebody has signed in
 * to the cloud.
 */
export async function findAzure(
  options: ConnectionOptions,
  surroundings: Surroundings,
): Promise<Resources | undefined> {
  if (!isAzureMeant(options, surroundings)) return undefined;
  const { resourceManager } = await findCloud(surroundings);
  const { azureAuthorization } = await import('@lazuli/client/azure');
  // The workspace is part of each path.
  const { workspace: _, authorization: _other, ...manager } = connectionOver(resourceManager, options, surroundings);
  const { authorization = azureAuthorization({ environment: cloudEnvironment(surroundings) }) } = proofForCloud(
    resourceManager,
    surroundings,
  );
  return { send: await resourceManagerOf({ ...manager, authorization }, surroundings) };
}

function isAzureMeant(options: ConnectionOptions, surroundings: Surroundings): boolean {
  if (cloudEnvironment(surroundings)['AZUREML_CURRENT_CLOUD'] === lazuliCloud) return false;
  if (!isAddressGiven(options, surroundings)) return accountOfCloud(options, surroundings) !== undefined;
  const url = trackingUrl(options, surroundings);
  return isAzureMl(url) || /^https:\/\/management\./.test(url);
}

/** The workspace that is meant, where it is Azure's. */
export async function findAzureWorkspace(
  options: ConnectionOptions,
  surroundings: Surroundings,
): Promise<AzureWorkspace | undefined> {
  const azure = await findAzure(options, surroundings);
  if (azure === undefined) return undefined;
  const { send } = azure;
  const url = trackingUrl(options, surroundings);
  if (namesWorkspace(url, options)) {
    const uri = parseTrackingUri(url);
    if (uri.kind !== 'azureml' || uri.target !== 'workspace') throw new CommandError(2, `${url} names no workspace.`);
    return { send, scope: uri.scope, trackingUri: async () => url };
  }
  const scope = azureWorkspaceId(options, surroundings);
  return {
    send,
    scope,
    trackingUri: async () => {
      const body = (await send('GET', scope)) as { readonly properties: { readonly mlFlowTrackingUri: string } };
      return body.properties.mlFlowTrackingUri;
    },
  };
}

/** An address of a workspace, of which the line says nothing else. */
function namesWorkspace(url: string, { workspaceName, resourceGroup, subscription }: ConnectionOptions): boolean {
  return isAzureMl(url) && (workspaceName ?? resourceGroup ?? subscription) === undefined;
}

/** In Azure nothing but the three names says which workspace is meant. */
export function azureWorkspaceId(options: ConnectionOptions, surroundings: Surroundings): string {
  const place = workspacePlaceOf(options, surroundings);
  if (place.name !== undefined && place.group !== undefined && place.subscription !== undefined) {
    return workspaceId(place);
  }
  throw new CommandError(
    2,
    'A workspace of Azure is named by --workspace-name, --resource-group and --subscription; a server of Lazuli by --url.',
  );
}

/** What speaks with the workspace that is meant, at Azure by the address that its resource tells. */
export async function connectWorkspace(options: ConnectionOptions, surroundings: Surroundings): Promise<Server> {
  const isKnown = namesWorkspace(trackingUrl(options, surroundings), options);
  const azure = isKnown ? undefined : await findAzureWorkspace(options, surroundings);
  if (azure === undefined) return connectTracking(options, surroundings);
  return connectTracking({ ...options, url: await azure.trackingUri() }, surroundings);
}
