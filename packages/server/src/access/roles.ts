import type { RoleName } from '@lazuli/contract';
import { matchesAction } from './action-pattern.ts';

/**
 * Roles as Azure defines them: what a role allows (`actions`) less what it leaves out (`notActions`). Leaving out is no
 * refusal: another role of the same principal may allow it.
 */
export interface RoleDefinition {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
}

const workspace = 'Microsoft.MachineLearningServices/workspaces';
const registry = 'Microsoft.MachineLearningServices/registries';

/** *Azure: built-in roles have the same ids in every cloud.* */
export const builtInRoles: readonly (RoleDefinition & { readonly name: RoleName })[] = [
  {
    id: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
    name: 'Owner',
    description: 'Everything, and giving roles to others.',
    actions: ['*'],
    notActions: [],
  },
  {
    id: 'b24988ac-6180-42a0-ab88-20f7382dd24c',
    name: 'Contributor',
    description: 'Everything but giving roles to others.',
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
  {
    id: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
    name: 'Reader',
    description: 'Looking at everything, changing nothing.',
    actions: ['*/read'],
    notActions: [],
  },
  {
    id: 'f6c7c914-8db3-469d-8ca1-694a8f32e121',
    name: 'AzureML Data Scientist',
    description: 'Everything in a workspace but making and deleting computes, and changing the workspace itself.',
    actions: [`${workspace}/*/read`, `${workspace}/*/action`, `${workspace}/*/delete`, `${workspace}/*/write`],
    notActions: [
      `${workspace}/delete`,
      `${workspace}/write`,
      `${workspace}/computes/*/write`,
      `${workspace}/computes/*/delete`,
      `${workspace}/computes/listKeys/action`,
      `${workspace}/listKeys/action`,
      `${workspace}/hubs/write`,
      `${workspace}/hubs/delete`,
      `${workspace}/featurestores/write`,
      `${workspace}/featurestores/delete`,
    ],
  },
  {
    id: 'e503ece1-11d0-4e8e-8e2c-7a6c3bf38815',
    name: 'AzureML Compute Operator',
    description: 'Managing computes and notebooks.',
    actions: [`${workspace}/computes/*`, `${workspace}/notebooks/vm/*`],
    notActions: [],
  },
  {
    id: '1823dd4f-9b8c-4ab6-ab4e-7397a3684615',
    name: 'AzureML Registry User',
    description: 'Reading registries, and everything with the assets in them.',
    actions: [`${registry}/read`, `${registry}/assets/*`],
    notActions: [],
  },
  {
    id: '635dd51f-9968-44d3-b7fb-6d9a6bd613ae',
    name: 'AzureML Metrics Writer',
    description: 'Writing metrics of a workspace.',
    actions: [`${workspace}/metrics/*/write`],
    notActions: [],
  },
];

/** Endpoints name the actions of a workspace without its provider and type. */
export function fullAction(action: string): string {
  return /^microsoft\./i.test(action) ? action : `${workspace}/${action}`;
}

export function findRole(name: string): (typeof builtInRoles)[number] | undefined {
  return builtInRoles.find((role) => role.name === name);
}

export function roleAllows(role: Pick<RoleDefinition, 'actions' | 'notActions'>, action: string): boolean {
  const full = fullAction(action);
  const covers = (pattern: string) => matchesAction(pattern, full);
  return role.actions.some(covers) && !role.notActions.some(covers);
}
