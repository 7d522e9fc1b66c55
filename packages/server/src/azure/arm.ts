import type { Decider } from '../access/decide.ts';
import type { RoleDirectory } from '../access/role-directory.ts';
import type { WorkspaceLifecycle } from '../workspaces/workspace-lifecycle.ts';
import { findWorkspaceAt } from '../workspaces/workspace-store.ts';
import { armAssetRoutes, type ArmAssetParts } from './arm-assets.ts';
import { armAuthorizationRoutes } from './arm-authorization.ts';
import { armDeploymentRoutes } from './arm-deployments.ts';
import type { ArmRoute } from './arm-route.ts';
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
  return createArmService({
    routes: armRoutes(room),
    decider,
    origin: () => surroundings().origin,
    findWorkspaceId: async (place) => (await findWorkspaceAt(engine.db, place))?.workspace_id,
  });
}

/** Nothing of the room is used before a route answers. */
export function armRoutes(room: ArmRoom): ArmRoute[] {
  return [
    ...cloudMetadataRoutes(() => room.surroundings().origin),
    ...armSubscriptionRoutes(room),
    ...armWorkspaceRoutes(room),
    ...armAssetRoutes(room),
    ...armDeploymentRoutes(room),
    ...armAuthorizationRoutes(room),
  ];
}
