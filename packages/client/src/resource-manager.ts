import { createTransport, type TransportOptions } from './transport.ts';

/**
 * Azure Resource Manager of a server, as text in and JSON out: its resources are trees whose shape is Azure's. Rejects with
 * an `MlflowError` that has ARM's message.
 */
export type ResourceManager = (method: string, pathAndQuery: string, body?: unknown) => Promise<unknown>;

export const apiVersion = '2024-10-01';

/** Calls Azure Resource Manager of a server: workspaces, roles and jobs as Azure's own clients see them. */
export function createResourceManager(options: TransportOptions): ResourceManager {
  const transport = createTransport(options);
  return async (method, pathAndQuery, body) => {
    const path = `${pathAndQuery}${pathAndQuery.includes('?') ? '&' : '?'}api-version=${apiVersion}`;
    const text = await transport.send(method, path, body === undefined ? undefined : JSON.stringify(body));
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  };
}
