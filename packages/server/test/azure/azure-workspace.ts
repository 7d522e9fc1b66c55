import type { TestServer, TestResponse } from '../server-fixture.ts';

/** What a client of `azureml://` sends, to a server without a socket. */
export const defaultScope =
  '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/lazuli/providers/Microsoft.MachineLearningServices/workspaces/default';

export const mlflowAt = (scope: string, version = 'v2.0'): string => `/mlflow/${version}${scope}`;

/** Sends bytes to a signed URL, or asks for them, as a storage client does: without any `Authorization`. */
export async function storage(
  { server }: TestServer,
  method: string,
  contentUri: string,
  { body, headers = {} }: { readonly body?: Buffer | string; readonly headers?: Record<string, string> } = {},
): Promise<TestResponse & { readonly bytes: Buffer }> {
  const { pathname, search } = new URL(contentUri);
  const response = await server.app.inject({
    method: method as 'GET',
    url: pathname + search,
    headers: { host: '127.0.0.1', ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    bytes: response.rawPayload,
    get json(): unknown {
      return JSON.parse(response.body) as unknown;
    },
  };
}

/** An URL with more in front of its query, as the storage client puts it. */
export function withQuery(contentUri: string, query: string): string {
  return contentUri.replace('?', `?${query}&`);
}
