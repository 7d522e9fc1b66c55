import type { WorkspacePlace } from '../access/scope.ts';

/**
 * Paths of Azure Resource Manager. Real clients double slashes, end with one, and write `resourceGroups` in two ways, so a
 * path is cut into segments first, and the words of Azure among them are compared without regard to case.
 *
 * A path alternates kinds and names below a provider: `workspaces/w/models/m`. One that ends with a kind is a collection,
 * or, with POST, something done to the resource before it.
 */
export type Segments = readonly string[];

/** The segments of a path without query; undefined where an escape in it is broken or hides a slash. */
export function segmentsOf(path: string): Segments | undefined {
  try {
    const segments = path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent);
    return segments.some((segment) => /[/\\\p{Cc}]/u.test(segment)) ? undefined : segments;
  } catch {
    return undefined;
  }
}

/** A route's template as segments: `{name}` stands for any one. */
export interface Template {
  readonly segments: Segments;
}

export function template(path: string): Template {
  return { segments: path.split('/').filter((segment) => segment !== '') };
}

/** What the names in a template stand for in a path; undefined where the path is another one. */
export function matchTemplate({ segments: wanted }: Template, given: Segments): Record<string, string> | undefined {
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const found = given[index] ?? '';
    if (segment.startsWith('{')) params[segment.slice(1, -1)] = found;
    else if (segment.toLowerCase() !== found.toLowerCase()) return undefined;
  }
  return params;
}

/** Cuts a path before the last `providers/{provider}`: what comes before is the scope of what comes after. */
export function splitAtProvider(segments: Segments, provider: string): { scope: Segments; rest: Segments } | undefined {
  for (let index = segments.length - 2; index >= 0; index -= 1) {
    const isProviders = segments[index]?.toLowerCase() === 'providers';
    if (isProviders && segments[index + 1]?.toLowerCase() === provider.toLowerCase()) {
      return { scope: segments.slice(0, index), rest: segments.slice(index) };
    }
  }
  return undefined;
}

/** The id of the resource that a path is about: the path itself, or what its last word is a collection or action of. */
export function resourceOf(segments: Segments): string {
  const provider = segments.findIndex((segment) => segment.toLowerCase() === 'providers');
  const start = provider < 0 ? 0 : provider + 2;
  const below = segments.length - start;
  const length = below % 2 === 0 ? segments.length : segments.length - 1;
  return idOf(segments.slice(0, provider >= 0 && length === start ? provider : length));
}

export function idOf(segments: Segments): string {
  return `/${segments.join('/')}`;
}

const inWorkspace =
  /^\/subscriptions\/([^/]+)\/resourcegroups\/([^/]+)\/providers\/[^/]+\/(?:workspaces|registries)\/([^/]+)/i;

/** The workspace that a resource is, or lies in. */
export function workspacePlaceOf(id: string): WorkspacePlace | undefined {
  const [, subscriptionId, resourceGroup, name] = inWorkspace.exec(id) ?? [];
  if (subscriptionId === undefined || resourceGroup === undefined || name === undefined) return undefined;
  return { subscriptionId, resourceGroup, name };
}
