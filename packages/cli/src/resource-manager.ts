import type { ResourceManager } from '@lazuli/client';
import type { Place } from './server-place.ts';

/** What the commands about roles and workspaces speak with, of a running server or of a database. */
export interface Resources {
  send: ResourceManager;
}

export function resourcesOf(database: 'make' | 'read'): Place<Resources> {
  return {
    database,
    ofServer: ({ send }) => ({ send }),
    ofDatabase: async (settings) => (await import('@lazuli/server')).openResourceManager(settings),
  };
}

/** Whether a resource is there. */
export async function isThere({ send }: Resources, id: string): Promise<boolean> {
  try {
    await send('GET', id);
    return true;
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 404) return false;
    throw error;
  }
}

/** The elements of a list, page after page. */
export async function listAll<Item>({ send }: Resources, path: string): Promise<Item[]> {
  const items: Item[] = [];
  let next: string | undefined = path;
  while (next !== undefined) {
    const page = (await send('GET', next)) as { readonly value: readonly Item[]; readonly nextLink?: string };
    items.push(...page.value);
    next = page.nextLink === undefined ? undefined : nextPath(path, page.nextLink);
  }
  return items;
}

/**
 * The link is on the public origin, which may be another than the one that was asked. What it asks for is another thing at
 * every service: *`$skip` here, `$skipToken` or `skiptoken` at Azure's*.
 */
function nextPath(path: string, nextLink: string): string {
  const [resource = ''] = path.split('?');
  return resource + new URL(nextLink).search;
}
