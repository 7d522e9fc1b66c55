import { expect } from 'vitest';
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

interface Content {
  readonly contentUri: string;
}

export const runPath = (run: string, experiment = '0') =>
  `/history/v1.0${defaultScope}/experiments/${experiment}/runs/${run}/artifacts`;
export const uploads = (container: string) => `/artifact/v2.0${defaultScope}/artifacts/LocalUpload/${container}`;

export async function reserve(
  { request }: TestServer,
  place: string,
  paths: readonly string[],
  headers: Record<string, string> = {},
): Promise<Map<string, string>> {
  const body = { paths: paths.map((path) => ({ path })) };
  const { status, json, text } = await request('POST', `${place}/batch/metadata`, body, headers);
  expect(status, text).toBe(200);
  const { artifactContentInformation, errors } = json as {
    artifactContentInformation: Record<string, Content>;
    errors: object;
  };
  expect(errors).toEqual({});
  return new Map(Object.entries(artifactContentInformation).map(([path, { contentUri }]) => [path, contentUri]));
}

export async function upload(server: TestServer, place: string, path: string, body: Buffer | string): Promise<string> {
  const url = (await reserve(server, place, [path])).get(path) ?? '';
  const { status } = await storage(server, 'PUT', url, {
    body,
    headers: { 'x-ms-blob-type': 'BlockBlob', 'if-none-match': '*', 'content-type': 'application/octet-stream' },
  });
  expect(status).toBe(201);
  return url;
}

export async function contentUri(
  { request }: TestServer,
  place: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const url = `${place}/contentinfo?path=${encodeURIComponent(path)}`;
  const { status, json, text } = await request('GET', url, undefined, headers);
  expect(status, text).toBe(200);
  return (json as Content).contentUri;
}
