import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { MlflowError } from '@lazuli/contract';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { filePath, folderPath, rootPath } from './artifact-path.ts';
import type { ArtifactStore, ByteRange, OpenArtifact } from './artifact-store.ts';

/** What every artifact store has to do, whatever it keeps its bytes in. */
export interface StoreUnderTest {
  readonly store: ArtifactStore;
  close(): Promise<void>;
}

export function artifactStoreSuite(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} as an artifact store`, () => {
    let opened: StoreUnderTest;
    let store: ArtifactStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    test('gives back the bytes that were put, in folders that did not exist', async () => {
      const bytes = randomBytes(3_000_000);
      await put(store, 'a/b/model.bin', bytes);
      expect(digest(await read(store, 'a/b/model.bin'))).toBe(digest(bytes));
      expect(await store.stat(filePath('a/b/model.bin'))).toMatchObject({ kind: 'file', size: bytes.length });
      expect(await store.stat(folderPath('a/b'))).toMatchObject({ kind: 'folder' });
    });

    test('keeps an empty file', async () => {
      await put(store, 'empty', Buffer.alloc(0));
      expect(await read(store, 'empty')).toEqual(Buffer.alloc(0));
      expect(await store.list(rootPath)).toEqual([{ name: 'empty', isFolder: false, size: 0 }]);
    });

    test('takes content in chunks of any size', async () => {
      const chunks = [0, 1, 65_536, 1_048_576, 3, 2_500_000, 0, 7].map((size) => randomBytes(size));
      await store.put(filePath('chunks'), from(chunks));
      expect(digest(await read(store, 'chunks'))).toBe(digest(Buffer.concat(chunks)));
    });

    test('reads a range of bytes, both ends included', async () => {
      await put(store, 'digits', Buffer.from('0123456789'));
      expect(String(await read(store, 'digits', { start: 2, end: 4 }))).toBe('234');
      expect(String(await read(store, 'digits', { start: 9, end: 9 }))).toBe('9');
      expect(String(await read(store, 'digits', { start: 0, end: 9 }))).toBe('0123456789');
    });

    test('has nothing under a name that was not put, nor under a folder or below a file', async () => {
      await put(store, 'folder/file', Buffer.from('x'));
      for (const name of ['nothing', 'folder', 'folder/file/below', 'nothing/below']) {
        expect(await store.open(filePath(name)), name).toBeUndefined();
      }
      expect(await store.stat(folderPath('nothing'))).toBeUndefined();
    });

    test('lists what lies directly in a folder, by code point', async () => {
      for (const name of ['d/z', 'd/a', 'd/sub/deep', 'd/B', 'd/\u{1F600}', 'd/\uFFEE', 'other']) {
        await put(store, name, Buffer.from(name));
      }
      expect(await store.list(folderPath('d'))).toEqual([
        { name: 'B', isFolder: false, size: 3 },
        { name: 'a', isFolder: false, size: 3 },
        { name: 'sub', isFolder: true, size: 0 },
        { name: 'z', isFolder: false, size: 3 },
        { name: '\uFFEE', isFolder: false, size: 5 },
        { name: '\u{1F600}', isFolder: false, size: 6 },
      ]);
      expect((await store.list(rootPath)).map((entry) => entry.name)).toEqual(['d', 'other']);
    });

    test('lists nothing for a folder that is not there and for a file', async () => {
      await put(store, 'file', Buffer.from('x'));
      expect(await store.list(folderPath('nothing/here'))).toEqual([]);
      expect(await store.list(folderPath('file'))).toEqual([]);
    });

    test.each([
      '50% off.txt',
      'a#b',
      'what?',
      'two words',
      '%41',
      'a+b&c=d',
      'naïve-日本-\u{1F600}',
      'semi;colon',
      '...',
      '~x',
      "it's",
    ])('keeps the name %j as it stands', async (name) => {
      await put(store, name, Buffer.from(name));
      await put(store, `${name}/`.replace('/', '-folder/x'), Buffer.from('x'));
      expect(String(await read(store, name))).toBe(name);
      expect((await store.list(rootPath)).map((entry) => entry.name)).toContain(name);
      expect((await store.list(rootPath)).map((entry) => entry.name)).toContain(`${name}-folder`);
    });

    test('replaces a file, and tells its versions apart', async () => {
      const versions = new Set<string>();
      for (const content of ['one', 'two', 'six', '']) {
        await put(store, 'file', Buffer.from(content));
        const file = await store.open(filePath('file'));
        versions.add(file?.version ?? '');
        await file?.close();
        expect(String(await read(store, 'file'))).toBe(content);
      }
      expect(versions.size).toBe(4);
      expect(await store.list(rootPath)).toHaveLength(1);
    });

    test('never mixes versions: a file that was replaced after it was opened is read as it was, or not at all', async () => {
      await put(store, 'file', Buffer.from('old'));
      const file = await store.open(filePath('file'));
      await put(store, 'file', Buffer.from('new!'));
      expect(file?.size).toBe(3);
      const outcome = await bytesOf(file as OpenArtifact).then(String, (error: unknown) => error);
      if (outcome !== 'old') expect(outcome).toMatchObject({ status: 503, errorCode: 'TEMPORARILY_UNAVAILABLE' });
      expect(String(await read(store, 'file'))).toBe('new!');
    });

    test('lists a folder in pages that hold every entry once', async () => {
      const names = Array.from({ length: 23 }, (_, index) => `d/${String(index).padStart(2, '0')}`);
      await Promise.all(
        [...names, 'd/05.x', 'd/sub/one', 'd/sub/two', 'd/sub.y', 'e'].map((name) => putName(store, name)),
      );
      const seen: string[] = [];
      let pages = 0;
      let token: string | undefined;
      do {
        const page = await store.listPage(folderPath('d'), { limit: 5, token });
        // Not every store counts the folders of a page.
        expect(page.entries.filter(({ isFolder }) => !isFolder).length).toBeLessThanOrEqual(5);
        seen.push(...page.entries.map(({ name, isFolder }) => (isFolder ? `${name}/` : name)));
        token = page.next;
        pages += 1;
      } while (token !== undefined);
      expect(pages).toBeGreaterThanOrEqual(5);
      const wanted = [...names.map((name) => name.slice(2)), '05.x', 'sub/', 'sub.y'];
      expect(seen.toSorted()).toEqual(wanted.toSorted());
      expect(await store.listPage(folderPath('nothing'), { limit: 5 })).toEqual({ entries: [], next: undefined });
    });

    test('reads ranges of a file of many pieces, at its start, across its middle and at its end', async () => {
      const bytes = randomBytes(20_000_001);
      await store.put(filePath('long'), from([bytes]), bytes.length);
      for (const [start, end] of [
        [0, 0],
        [8_388_600, 8_388_620],
        [5_000_000, 17_000_000],
        [20_000_000, 20_000_000],
      ] as const) {
        expect(digest(await read(store, 'long', { start, end }))).toBe(digest(bytes.subarray(start, end + 1)));
      }
      expect(digest(await read(store, 'long'))).toBe(digest(bytes));
    });

    test('stops sending where the receiver fails, and sends many files at once unmixed', async () => {
      const contents = Array.from({ length: 12 }, (_, index) => Buffer.alloc(1_700_000, index + 1));
      await Promise.all(contents.map((content, index) => put(store, `many/${index}`, content)));
      const broken = await store.open(filePath('many/0'));
      await expect(broken?.sendTo(() => Promise.reject(new Error('the client went away')))).rejects.toThrow(
        'went away',
      );
      const all = await Promise.all(contents.map((_, index) => read(store, `many/${index}`)));
      expect(all.map(digest)).toEqual(contents.map(digest));
    });

    test('shows nothing of an upload before it has ended', async () => {
      let finish = (): void => undefined;
      const gate = new Promise<void>((resolve) => (finish = resolve));
      const uploading = store.put(filePath('slow/file'), gated(randomBytes(2_000_000), gate));
      await pause(50);
      expect(await store.list(rootPath)).toEqual([]);
      expect(await store.stat(filePath('slow/file'))).toBeUndefined();
      finish();
      await uploading;
      expect(await store.stat(filePath('slow/file'))).toMatchObject({ size: 2_000_000 });
    });

    test('keeps nothing of an upload that fails, and the old file under its name', async () => {
      await put(store, 'kept', Buffer.from('old'));
      const broken = (): AsyncIterable<Uint8Array> =>
        failing(randomBytes(1_500_000), new Error('the client went away'));
      await expect(store.put(filePath('kept'), broken())).rejects.toThrow();
      await expect(store.put(filePath('fresh/file'), broken())).rejects.toThrow();
      expect(String(await read(store, 'kept'))).toBe('old');
      expect((await store.list(rootPath)).map((entry) => entry.name)).toEqual(['kept']);
    });

    test.each([
      ['short', 1_300_000],
      ['long', 9_000_000],
    ])('ends with one whole file when many %s uploads of one name race', async (_, size) => {
      const contents = Array.from({ length: 8 }, (_, index) => Buffer.alloc(size + index, index));
      await Promise.all(contents.map((content) => store.put(filePath('d/raced'), from([content]))));
      const winner = await read(store, 'd/raced');
      expect(contents.map(digest)).toContain(digest(winner));
      expect(await store.list(folderPath('d'))).toHaveLength(1);
    });

    test('removes a file, and a folder with all that is in it; removing twice is fine', async () => {
      for (const name of ['d/one', 'd/e/two', 'd2/three']) await put(store, name, Buffer.from(name));
      await store.remove(folderPath('d/one'));
      expect((await store.list(folderPath('d'))).map((entry) => entry.name)).toEqual(['e']);
      await store.remove(folderPath('d'));
      await store.remove(folderPath('d'));
      await store.remove(folderPath('never/there'));
      expect(await store.stat(folderPath('d'))).toBeUndefined();
      expect(await store.open(filePath('d/e/two'))).toBeUndefined();
      expect((await store.list(rootPath)).map((entry) => entry.name)).toEqual(['d2']);
    });

    test('survives uploads into a folder that is removed again and again', async () => {
      const state = { done: false };
      const removing = (async () => {
        while (!state.done) await store.remove(folderPath('busy'));
      })();
      const names = Array.from({ length: 40 }, (_, index) => `busy/deep/${index}`);
      for (const name of names) await put(store, name, Buffer.from(name));
      state.done = true;
      await removing;
      await put(store, 'busy/deep/last', Buffer.from('last'));
      expect(String(await read(store, 'busy/deep/last'))).toBe('last');
    });

    test('confines a store to its folder', async () => {
      const [one, other] = [store.within(folderPath('one')), store.within(folderPath('other'))];
      await put(one, 'x/file', Buffer.from('of one'));
      await put(other, 'x/file', Buffer.from('of the other'));
      expect(String(await read(one, 'x/file'))).toBe('of one');
      expect(String(await read(store, 'other/x/file'))).toBe('of the other');
      expect(await one.list(rootPath)).toEqual([{ name: 'x', isFolder: true, size: 0 }]);
      await one.remove(folderPath('x'));
      expect(String(await read(other, 'x/file'))).toBe('of the other');
      expect(await store.within(folderPath('not/yet')).list(rootPath)).toEqual([]);
    });

    test('takes a long name, and refuses one that is too long with a clear error', async () => {
      const long = Array.from({ length: 10 }, (_, index) => String(index).repeat(90)).join('/');
      await put(store, long, Buffer.from('x'));
      expect(String(await read(store, long))).toBe('x');
      await store.remove(folderPath('0'.repeat(90)));
      await expect(put(store, 'x'.repeat(1_500), Buffer.from('x'))).rejects.toMatchObject({
        name: MlflowError.prototype.constructor.name,
        status: 400,
      });
      expect(await store.list(rootPath)).toEqual([]);
    });
  });
}

export async function put(store: ArtifactStore, name: string, content: Uint8Array): Promise<void> {
  await store.put(filePath(name), from([content]));
}

export async function read(store: ArtifactStore, name: string, range?: ByteRange): Promise<Buffer> {
  const file = await store.open(filePath(name));
  if (file === undefined) throw new Error(`There is no '${name}'`);
  return await bytesOf(file, range);
}

function putName(store: ArtifactStore, name: string): Promise<void> {
  return put(store, name, Buffer.from(name));
}

async function bytesOf(file: OpenArtifact, range?: ByteRange): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  await file.sendTo(async (piece) => {
    await pause(0);
    pieces.push(Uint8Array.from(piece));
  }, range);
  return Buffer.concat(pieces);
}

export async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

export async function* failing(first: Uint8Array, error: Error): AsyncGenerator<Uint8Array> {
  yield first;
  throw error;
}

async function* gated(content: Uint8Array, gate: Promise<void>): AsyncGenerator<Uint8Array> {
  yield content.subarray(0, 1_200_000);
  await gate;
  yield content.subarray(1_200_000);
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
