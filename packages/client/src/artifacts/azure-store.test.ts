import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestOf } from '../node/files.ts';
import { parseTrackingUri, type AzureMlTrackingUri } from '../tracking-uri.ts';
import { createTransport } from '../transport.ts';
import type { ArtifactStore, TransferProgress } from './artifact-store.ts';
import { storeFor } from './store-for.ts';

const scope = '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w';
const workspace = parseTrackingUri(`azureml://ws.test/mlflow/v1.0${scope}`) as AzureMlTrackingUri;
const ofRun = `azureml://ws.test/mlflow/v2.0${scope}/experiments/7/runs/r1/artifacts`;
const inHistory = `https://ws.test/history/v1.0${scope}/experiments/7/runs/r1/artifacts`;

/** The run history and artifact services with a blob store, in memory, by Azure's rules. */
function azure(uri: string, options: { overwrite?: 'refused'; pageSize?: number; nextHost?: string } = {}) {
  const blobs = new Map<string, Uint8Array>();
  const blocks = new Map<string, Uint8Array>();
  const requests: string[] = [];
  /** As named, and as it is. */
  const md5s: [string, string][] = [];
  const address = (path: string): string =>
    `https://store.test/a.blob.core.windows.net/c/${encodeURIComponent(path)}?sv=1&sig=x`;
  const fetch: typeof globalThis.fetch = async (input, { method = 'GET', headers, body } = {}) => {
    const url = new URL(new Request(input).url);
    const given = new Headers(headers);
    const bytes = async (): Promise<Uint8Array> => new Uint8Array(await new Response(body).arrayBuffer());
    requests.push(
      `${method} ${url.host}${url.pathname.split('/').slice(-2).join('/')}${url.searchParams.has('comp') ? ` ${url.searchParams.get('comp')}` : ''}`,
    );
    if (url.host === 'ws.test') {
      expect(given.get('authorization')).toBe('Bearer token');
      if (method === 'POST') {
        const { paths } = JSON.parse(body as string) as { paths: { path: string }[] };
        const known = paths.filter(({ path }) => options.overwrite === 'refused' && blobs.has(path));
        const errors = known.map(({ path }): [string, unknown] => [
          path,
          { error: { code: 'UserError', message: `${path} already exists.` } },
        ]);
        const information = paths.map(({ path }): [string, unknown] => [path, { contentUri: address(path), path }]);
        return Response.json({
          errors: Object.fromEntries(errors),
          artifactContentInformation: Object.fromEntries(information),
        });
      }
      if (url.pathname.endsWith('/contentinfo'))
        return Response.json({ contentUri: address(url.searchParams.get('path') ?? '') });
      const start = Number(url.searchParams.get('from') ?? 0);
      const names = [...blobs.keys()];
      const pageSize = options.pageSize ?? 1_000;
      const nextLink =
        start + pageSize < names.length
          ? `https://${options.nextHost ?? 'ws.test'}${url.pathname}?from=${start + pageSize}`
          : null;
      return Response.json({ value: names.slice(start, start + pageSize).map((path) => ({ path })), nextLink });
    }
    expect(given.has('authorization')).toBe(false);
    const path = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
    if (method === 'PUT') {
      const md5 = given.get('content-md5');
      if (md5 !== null)
        md5s.push([
          md5,
          createHash('md5')
            .update(await bytes())
            .digest('base64'),
        ]);
      const comp = url.searchParams.get('comp');
      if (comp === 'block') blocks.set(url.searchParams.get('blockid') ?? '', await bytes());
      else if (blobs.has(path))
        return new Response('', { status: 409, headers: { 'x-ms-error-code': 'BlobAlreadyExists' } });
      else if (comp === 'blocklist') {
        const ids = [...(body as string).matchAll(/<Latest>(.*?)<\/Latest>/g)].map(([, id = '']) => id);
        blobs.set(path, Buffer.concat(ids.map((id) => blocks.get(id) ?? new Uint8Array())));
      } else {
        expect(given.get('x-ms-blob-type')).toBe('BlockBlob');
        expect(given.get('if-none-match')).toBe('*');
        blobs.set(path, await bytes());
      }
      return new Response('', { status: 201 });
    }
    const content = blobs.get(path) ?? new Uint8Array();
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(given.get('x-ms-range') ?? '') ?? [];
    if (Number(from) >= content.length)
      return new Response('', { status: 416, headers: { 'x-ms-error-code': 'InvalidRange' } });
    const part = Uint8Array.from(content.subarray(Number(from), Number(to) + 1));
    const range = `bytes ${from ?? ''}-${Number(from) + part.length - 1}/${content.length}`;
    return new Response(part, {
      status: 206,
      headers: { 'content-range': range, etag: '"1"' },
    });
  };
  const transport = createTransport({ url: workspace.url, token: 'token', fetch, retries: { maxRetries: 0 } });
  return {
    store: storeFor(uri, workspace, transport, { minimumSize: 1, partSize: 1, digestOf }),
    blobs,
    requests,
    md5s,
  };
}

async function read(store: ArtifactStore, path: string, offset = 0): Promise<Uint8Array> {
  const { body } = await store.open(path, { offset });
  return new Uint8Array(await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

test('a file goes to the address that the run history service gives, and comes back', async () => {
  const { store, blobs, requests } = azure(ofRun);
  await store.upload([
    { path: 'd/a b#+.txt', content: new Blob(['hello']) },
    { path: 'empty', content: new Blob([]) },
  ]);
  expect([...blobs.keys()].sort()).toEqual(['d/a b#+.txt', 'empty']);
  expect(Buffer.from(await read(store, 'd/a b#+.txt')).toString()).toBe('hello');
  expect(await read(store, 'empty')).toHaveLength(0);
  expect(requests[0]).toBe('POST ws.testbatch/metadata');
});

test('paths are reserved fifty at a time', async () => {
  const { store, blobs, requests } = azure(ofRun);
  await store.upload(Array.from({ length: 120 }, (_, index) => ({ path: `f${index}`, content: new Blob(['x']) })));
  expect(blobs.size).toBe(120);
  expect(requests.filter((request) => request.startsWith('POST'))).toHaveLength(3);
});

test('64 MiB go at once, one byte more in blocks of 4 MiB, and downloads in ranges', async () => {
  const { store, blobs, requests, md5s } = azure(ofRun);
  const edge = 64 * 1024 ** 2;
  const progress: TransferProgress[] = [];
  await store.upload([{ path: 'edge', content: new Blob([new Uint8Array(edge)]) }]);
  expect(requests.filter((request) => request.includes(' block'))).toEqual([]);
  const large = new Uint8Array(edge + 1).fill(7);
  large[edge] = 9;
  await store.upload([{ path: 'large', content: new Blob([large]) }], { onProgress: (now) => progress.push(now) });
  expect(requests.filter((request) => request.endsWith(' block'))).toHaveLength(17);
  expect(requests.filter((request) => request.endsWith(' blocklist'))).toHaveLength(1);
  expect(Buffer.compare(blobs.get('large') ?? new Uint8Array(), large)).toBe(0);
  expect(progress.at(-1)).toEqual({ path: 'large', bytes: edge + 1, total: edge + 1 });
  expect(md5s, 'each piece goes with its MD5').toHaveLength(1 + 17);
  for (const [named, found] of md5s) expect(named).toBe(found);

  requests.length = 0;
  expect(Buffer.compare(await read(store, 'large'), large)).toBe(0);
  expect(requests.filter((request) => request.startsWith('GET store.test'))).toHaveLength(3);
  expect(await read(store, 'large', edge)).toEqual(Uint8Array.of(9));
});

test('a list is read over all pages, and folders end at a slash', async () => {
  const { store, blobs } = azure(ofRun, { pageSize: 2 });
  for (const path of ['m/MLmodel', 'm/data/x', 'm2/z', 'top']) blobs.set(path, new Uint8Array(1));
  expect(await store.list('')).toEqual([
    { path: 'm', isFolder: true },
    { path: 'm2', isFolder: true },
    { path: 'top', isFolder: false },
  ]);
  expect(await store.list('m')).toEqual([
    { path: 'm/MLmodel', isFolder: false },
    { path: 'm/data', isFolder: true },
  ]);
});

test('a next page at another host gets no token', async () => {
  const { store, blobs } = azure(ofRun, { pageSize: 1, nextHost: 'evil.test' });
  for (const path of ['a', 'b']) blobs.set(path, new Uint8Array(1));
  await expect(store.list('')).rejects.toThrow(/goes on at another host, evil.test/);
});

test('a folder in the location stands before every path', async () => {
  for (const uri of [`${ofRun}/model`, 'azureml://artifacts/LocalUpload/c1/model']) {
    const { store, blobs } = azure(uri);
    await store.upload([{ path: 'MLmodel', content: new Blob(['x']) }]);
    expect([...blobs.keys()]).toEqual(['model/MLmodel']);
    expect(await store.list('')).toEqual([{ path: 'MLmodel', isFolder: false }]);
    expect(await read(store, 'MLmodel')).toHaveLength(1);
  }
  expect(inHistory).toContain('/runs/r1/artifacts');
});

test('what is refused because it is there is said with its path', async () => {
  const { store } = azure(ofRun, { overwrite: 'refused' });
  await store.upload([{ path: 'a', content: new Blob(['1']) }]);
  await expect(store.upload([{ path: 'a', content: new Blob(['2']) }])).rejects.toThrow(
    /'a' was refused: UserError: a already exists/,
  );
  const kinder = azure(ofRun);
  await kinder.store.upload([{ path: 'a', content: new Blob(['1']) }]);
  await expect(kinder.store.upload([{ path: 'a', content: new Blob(['2']) }])).rejects.toMatchObject({ status: 409 });
});

test('locations of other services and hosts are refused', () => {
  const server = parseTrackingUri('http://server.test');
  const transport = createTransport({ url: 'http://server.test' });
  const at = (uri: string) => () => storeFor(uri, server, transport, { minimumSize: 1, partSize: 1 });
  expect(at(ofRun)).toThrow(/belong to an Azure ML workspace/);
  expect(at('mlflow-artifacts://other.test/1')).toThrow(/another host/);
  expect(at('s3://bucket/1')).toThrow(/--serve-artifacts/);
  expect(at('mlflow-artifacts:/1/r/artifacts')).not.toThrow();
  expect(at('mlflow-artifacts://server.test/1')).not.toThrow();
  expect(at('http://server.test/api/2.0/mlflow-artifacts/artifacts/1')).not.toThrow();
});
