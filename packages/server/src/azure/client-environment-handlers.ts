import type { clientEnvironment } from '@lazuli/contract';
import type { Handlers } from '../access/caller.ts';
import type { Engine } from '../database/engine.ts';
import { getWorkspace } from '../workspaces/workspace-store.ts';
import { cloudName } from './cloud-metadata.ts';
import { trackingUri } from './workspace-body.ts';

export interface ClientEnvironmentRoom {
  readonly engine: Pick<Engine, 'db'>;
  /** Where clients reach this server by https, and where by http if they can. */
  readonly origin: () => string;
  readonly plainUrl: () => string;
  /** Whether the built-in authority is the only one whose tokens are taken. */
  readonly isOnlyAuthority: boolean;
  /** What they have to trust, in PEM. */
  readonly authority: () => string | undefined;
}

export function clientEnvironmentHandlers(room: ClientEnvironmentRoom): Handlers<typeof clientEnvironment> {
  return {
    async getClientEnvironment(_input, { workspace }) {
      const row = await getWorkspace(room.engine.db, workspace.workspaceId);
      const authority = room.authority();
      const origin = room.origin();
      // *Every credential of azure-identity refuses a variable that is not https, also those that need none.*
      const signsIn = room.isOnlyAuthority && origin.startsWith('https:');
      return {
        tracking_uri: trackingUri(row, origin),
        subscription_id: workspace.subscriptionId,
        resource_group: workspace.resourceGroup,
        workspace_name: workspace.name,
        cloud: cloudName,
        ...(signsIn ? { authority_host: origin } : {}),
        cloud_metadata_url: `${origin}/metadata/endpoints?api-version=2019-05-01`,
        identity_endpoint: `${room.plainUrl()}/msi/token`,
        ...(authority === undefined ? {} : { ca_certificate: authority }),
      };
    },
  };
}
