/**
 * Scopes are what roles are held on: `/` is everything, then a subscription, a resource group, a workspace, and what lies
 * in it. A role holds on its scope and on all beneath. *Azure: ids of resources are compared without regard to case.*
 */
const provider = 'Microsoft.MachineLearningServices';

export interface WorkspacePlace {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
}

export function groupScope({ subscriptionId, resourceGroup }: Omit<WorkspacePlace, 'name'>): string {
  return `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
}

export function workspaceScope(place: WorkspacePlace): string {
  return `${groupScope(place)}/providers/${provider}/workspaces/${place.name}`;
}

/** The place that a workspace's scope tells; undefined for any other text. */
export function placeOfScope(scope: string): WorkspacePlace | undefined {
  const [, subscriptionId, resourceGroup, name] =
    /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.MachineLearningServices\/workspaces\/([^/]+)$/i.exec(
      scope,
    ) ?? [];
  if (subscriptionId === undefined || resourceGroup === undefined || name === undefined) return undefined;
  return { subscriptionId, resourceGroup, name };
}

/** A scope as it is compared: in small letters, without a slash at its end, so that everything is the empty text. */
export function scopeKey(scope: string): string {
  return scope.toLowerCase().replace(/\/+$/, '');
}

/** Whether what is held on one scope holds on another; both are keys. */
export function covers(held: string, wanted: string): boolean {
  return wanted === held || wanted.startsWith(`${held}/`);
}

const segment = '[^/?#\\s]+';
const wellFormed = new RegExp(
  `^/?$|^/subscriptions/${segment}(/resourcegroups/${segment}(/providers/${segment}(/${segment}/${segment})+)?)?/?$`,
  'i',
);

/** Whether a text is a scope that a role can be assigned on. */
export function isScope(text: string): boolean {
  return text.length <= 1_000 && wellFormed.test(text);
}
