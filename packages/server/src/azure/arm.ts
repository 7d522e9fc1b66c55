import type { Decider } from '../access/decide.ts';
import type { RoleDirectory } from '../access/role-directory.ts';
import type { WorkspaceLifecycle } from '../workspaces/workspace-lifecycle.ts';
import { findWorkspaceAt } from '../workspaces/workspace-store.ts';
import { armAssetRoutes, type ArmAssetParts } from './arm-assets.ts';
import { armAuthorizationRoutes } from './arm-authorization.ts';
import { armDeploymentRoutes } from './arm-deployments.ts';
import { createArmService, type ArmService } from './arm-service.ts';
import { armSubscriptionRoutes } from './arm-subscriptions.ts';
import { armWorkspaceRoutes } from './arm-workspaces.ts';
import { cloudMetadataRoutes } from './cloud-metadata.ts';

/** All of Azure Resource Manager that this server has. */
export interface ArmRoom extends ArmAssetParts {
  readonly now: () => number;
  readonly roles: RoleDirectory;
  readonly decider: Decider;
  readonly lifecycle: WorkspaceLifecycle;
}

export function openArm(room: ArmRoom): ArmService {
  const { engine, decider, surroundings } = room;
  const origin = () => surroundings().origin;
  return createArmService({
    routes: [
      ...cloudMetadataRoutes(origin),
      ...armSubscriptionRoutes(room),
      ...armWorkspaceRoutes(room),
      ...armAssetRoutes(room),
      ...armDeploymentRoutes(room),
      ...armAuthorizationRoutes(room),
    ],
    decider,
    origin,
    findWorkspaceId: async (place) => (await findWorkspaceAt(engine.db, place))?.workspace_id,
  });
}
