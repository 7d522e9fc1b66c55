import { parseTrackingUri } from '@lazuli/client';
import { cloudEnvironment, findCloud, lazuliCloud } from './clouds.ts';
import {
  connectionOver,
  isAzureMl,
  trackingUrl,
  workspacePlaceOf,
  type ConnectionOptions,
  resourceManagerOf,
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
 * The workspace that is meant, where it is Azure's: by an `azureml://` address of another cloud than a server of Lazuli has, or
 * by the resource manager's own address with subscription, group and name.
 */
export async function findAzureWorkspace(
  options: ConnectionOptions,
  surroundings: Surroundings,
): Promise<AzureWorkspace | undefined> {
  const url = trackingUrl(options, surroundings);
  if (!isAzureMl(url) && !/^https:\/\/management\./.test(url)) return undefined;
  if (cloudEnvironment(surroundings)['AZUREML_CURRENT_CLOUD'] === lazuliCloud) return undefined;
  const cloud = await findCloud(surroundings);
  const { azureAuthorization } = await import('@lazuli/client/azure');
  // The workspace is part of each path.
  const {
    workspace: _,
    authorization = azureAuthorization({ environment: cloudEnvironment(surroundings) }),
    ...manager
  } = connectionOver(cloud.resourceManager, options, surroundings);
  const send = await resourceManagerOf({ ...manager, authorization }, surroundings);
  if (isAzureMl(url)) {
    const uri = parseTrackingUri(url);
    if (uri.kind !== 'azureml' || uri.target !== 'workspace') throw new CommandError(2, `${url} names no workspace.`);
    return { send, scope: uri.scope, trackingUri: async () => url };
  }
  const { name, group, subscription } = workspacePlaceOf(options, surroundings);
  if (name === undefined || group === undefined || subscription === undefined) {
    throw new CommandError(
      2,
      'A workspace of Azure is named by --workspace-name, --resource-group and --subscription.',
    );
  }
  const scope = `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.MachineLearningServices/workspaces/${name}`;
  return {
    send,
    scope,
    trackingUri: async () => {
      const body = (await send('GET', scope)) as { readonly properties: { readonly mlFlowTrackingUri: string } };
      return body.properties.mlFlowTrackingUri;
    },
  };
}
