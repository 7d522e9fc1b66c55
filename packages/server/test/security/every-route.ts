import {
  contract,
  routesOf,
  scrapeMetrics,
  transferRoutes,
  transfers,
  type Endpoint,
  type Transfer,
} from '@lazuli/contract';

/** Every method and path that the server answers with data, from the contract: what is added there is attacked here. */
export interface Served {
  readonly method: string;
  /** With something in the place of each parameter. */
  readonly path: string;
  readonly actions: readonly string[];
  readonly scope: 'workspace' | 'server';
  readonly endpoint: Endpoint | undefined;
}

export const everyRoute: readonly Served[] = [
  ...Object.values(contract).flatMap((group) => Object.values<Endpoint>(group).flatMap(servedBy)),
  ...Object.values(transfers).flatMap((transfer: Transfer) =>
    transferRoutes(transfer).flatMap(({ method, path }) =>
      withHead({ method, path: filled(path), actions: transfer.actions, scope: 'workspace', endpoint: undefined }),
    ),
  ),
  ...withHead({ ...scrapeMetrics, endpoint: undefined }),
];

/** Whether looking is all that the route allows. */
export function isRead({ actions }: Served): boolean {
  return actions.every((action) => /(^|\/)read$/i.test(action));
}

/** Whether a browser would need the server's word before it sends this for a page of somebody else. */
export function changesSomething({ method }: Served): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/** As many tests as routes would say the same thing a hundred times: one test names those that fail. */
export async function failuresOf(
  routes: readonly Served[],
  check: (route: Served) => Promise<string | undefined>,
): Promise<string[]> {
  const failures: string[] = [];
  for (const route of routes) {
    const failure = await check(route);
    if (failure !== undefined) failures.push(`${route.method} ${route.path}: ${failure}`);
  }
  return failures;
}

function servedBy(endpoint: Endpoint): Served[] {
  return routesOf(endpoint).flatMap(({ method, path }) =>
    withHead({ method, path: filled(path), actions: endpoint.actions, scope: endpoint.scope ?? 'workspace', endpoint }),
  );
}

function withHead(served: Served): Served[] {
  return served.method === 'GET' ? [served, { ...served, method: 'HEAD' }] : [served];
}

function filled(path: string): string {
  return path.replaceAll(/\{\*?\w+\}/g, 'default');
}
