import { outcomeOf, type ArmResponse } from './long-running-operation.ts';
import { createTransport, type TransportOptions } from './transport.ts';

/**
 * Azure Resource Manager of a server, as text in and JSON out: its resources are trees whose shape is Azure's. What takes it
 * longer is waited for. Rejects with an `MlflowError` that has ARM's message.
 */
export type ResourceManager = (method: string, pathAndQuery: string, body?: unknown) => Promise<unknown>;

/** The version of Azure Machine Learning's resources; a path of another provider says its own. */
export const apiVersion = '2024-10-01';

/** Calls Azure Resource Manager of a server: workspaces, roles and jobs as Azure's own clients see them. */
export function createResourceManager(options: TransportOptions): ResourceManager {
  const transport = createTransport(options);
  const ask = async (method: string, url: string, body?: unknown): Promise<ArmResponse> => {
    const given =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const response = await transport.exchange(method, url, given);
    const text = await response.text();
    const { status, headers } = response;
    return { status, headers, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
  };
  return async (method, pathAndQuery, body) => {
    const url = transport.url + withVersion(pathAndQuery);
    const first = await ask(method, url, body);
    if (method === 'GET') return first.body;
    return outcomeOf({ method, url, first, get: (address) => ask('GET', address) });
  };
}

function withVersion(pathAndQuery: string): string {
  if (/[?&]api-version=/i.test(pathAndQuery)) return pathAndQuery;
  return `${pathAndQuery}${pathAndQuery.includes('?') ? '&' : '?'}api-version=${apiVersion}`;
}
