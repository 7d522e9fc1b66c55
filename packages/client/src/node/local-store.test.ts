import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { storeFor } from '../artifacts/store-for.ts';
import { parseTrackingUri } from '../tracking-uri.ts';
import { createTransport } from '../transport.ts';
import { download } from './download.ts';
import { localStore } from './local-store.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazuli ü-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function storeAt(uri: string, local: typeof localStore | 'none' = localStore) {
  const url = 'http://server.test';
  const multipart = { minimumSize: Infinity, partSize: 1 };
  return storeFor(
    uri,
    parseTrackingUri(url),
    createTransport({ url }),
    multipart,
    local === 'none' ? undefined : local,
  );
}

test.each([
  ['a file: URI', (path: string) => pathToFileURL(path).href],
  ['a path', (path: string) => path],
])('files lie in the folder that %s names', async (_, uriOf) => {
  const store = storeAt(uriOf(join(folder, 'run')));
  expect(await store.list('')).toEqual([]);
  await store.upload([
    { path: 'a/b c.txt', content: new Blob(['hello']) },
    { path: 'top', content: new Blob([]) },
  ]);
  expect(await readFile(join(folder, 'run/a/b c.txt'), 'utf8')).toBe('hello');
  expect((await store.list('')).sort((one, two) => (one.path < two.path ? -1 : 1))).toEqual([
    { path: 'a', isFolder: true },
    { path: 'top', isFolder: false, size: 0 },
  ]);
  expect(await store.list('a')).toEqual([{ path: 'a/b c.txt', isFolder: false, size: 5 }]);
  expect(await store.list('top')).toEqual([]);
  const { body, ...rest } = await store.open('a/b c.txt', { offset: 2 });
  expect(await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).text()).toBe('llo');
  expect(rest).toMatchObject({ offset: 2, size: 5 });
  const files = await download({ store, folder: '' }, join(folder, 'down'));
  expect(files.sort()).toEqual([join(folder, 'down/a/b c.txt'), join(folder, 'down/top')]);
});

test('a path that leaves the folder, and a file that is not there, are refused', async () => {
  const store = storeAt(folder);
  await expect(store.upload([{ path: '../x', content: new Blob([]) }])).rejects.toThrow(/is not a relative path/);
  await expect(store.open('absent')).rejects.toMatchObject({ status: 404 });
  const { body } = new Response(new Blob(['x']));
  const broken = { size: 1, type: '', stream: () => body?.pipeThrough(failing()) } as unknown as Blob;
  await expect(store.upload([{ path: 'x', content: broken }])).rejects.toThrow('broken');
  expect(await readdir(folder)).toEqual([]);
});

function failing(): TransformStream {
  return new TransformStream({
    transform() {
      throw new Error('broken');
    },
  });
}

test('where there are no files, a place on a disk is refused, and so is the place of another service', () => {
  expect(() => storeAt('file:///tmp/x', 'none')).toThrow(/there are none here/);
  expect(() => storeAt('s3://bucket/x')).toThrow(/does not serve the artifacts at 's3:\/\/bucket\/x'/);
});
