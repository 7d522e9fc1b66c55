import { matchesAction } from './action-pattern.ts';

/**
 * Roles as Azure defines them: what a role allows (`actions`) less what it leaves out (`notActions`). Leaving out is no
 * refusal: another role of the same principal may allow it.
 */
export interface RoleDefinition {
  readonly id: string;
  readonly name: string;
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
}

/** *Azure: built-in roles have the same ids in every cloud.* */
export const builtInRoles: readonly RoleDefinition[] = [
  { id: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635', name: 'Owner', actions: ['*'], notActions: [] },
  {
    id: 'b24988ac-6180-42a0-ab88-20f7382dd24c',
    name: 'Contributor',
    actions: ['*'],
    notActions: [
      'Microsoft.Authorization/*/Delete',
      'Microsoft.Authorization/*/Write',
      'Microsoft.Authorization/elevateAccess/Action',
      'Microsoft.Blueprint/blueprintAssignments/write',
      'Microsoft.Blueprint/blueprintAssignments/delete',
      'Microsoft.Compute/galleries/share/action',
    ],
  },
  { id: 'acdd72a7-3385-48ef-bd42-f606fba81ae7', name: 'Reader', actions: ['*/read'], notActions: [] },
];

const workspaceActions = 'Microsoft.MachineLearningServices/workspaces/';

/** Endpoints name the actions of a workspace without its provider and type. */
export function fullAction(action: string): string {
  return /^microsoft\./i.test(action) ? action : workspaceActions + action;
}

export function findRole(name: string): RoleDefinition | undefined {
  return builtInRoles.find((role) => role.name === name);
}

export function roleAllows(role: RoleDefinition, action: string): boolean {
  const full = fullAction(action);
  const covers = (pattern: string) => matchesAction(pattern, full);
  return role.actions.some(covers) && !role.notActions.some(covers);
}
