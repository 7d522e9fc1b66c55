import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { filePath, folderPath, rootPath } from './artifact-path.ts';
import { artifactStoreSuite, failing, from, put, read } from './artifact-store-suite.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { openLocalFolder, stagingFolder } from './local-folder.ts';
import { openLocalReader } from './local-folder-reader.ts';

artifactStoreSuite('a local folder', async () => {
  const root = await mkdtemp(join(tmpdir(), 'artifacts-'));
  return {
    store: await openLocalFolder({ root, staleBefore: () => 0 }),
    close: () => rm(root, { recursive: true, force: true }),
  };
});

describe('a local folder', () => {
  let outside: string;
  let root: string;
  let store: ArtifactStore;
  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), 'artifacts-'));
    root = join(outside, 'root');
    store = await openLocalFolder({ root, staleBefore: () => 0 });
    await writeFile(join(outside, 'secret'), 'secret');
    await mkdir(join(outside, 'secrets'));
    await writeFile(join(outside, 'secrets', 'key'), 'secret');
  });
  afterEach(() => rm(outside, { recursive: true, force: true }));

  test('never shows or opens its staging folder', async () => {
    await put(store, 'file', Buffer.from('x'));
    expect((await readdir(root)).sort()).toEqual([stagingFolder, 'file']);
    expect((await store.list(rootPath)).map((entry) => entry.name)).toEqual(['file']);
    for (const name of [stagingFolder, stagingFolder.toUpperCase()]) {
      await expect(put(store, `${name}/file`, Buffer.from('x'))).rejects.toMatchObject({ status: 400 });
      await expect(store.remove(folderPath(name))).rejects.toMatchObject({ status: 400 });
      await expect(store.open(filePath(`${name}/file`))).rejects.toMatchObject({ status: 400 });
      await expect(store.list(folderPath(name))).rejects.toMatchObject({ status: 400 });
    }
    await expect(store.within(folderPath(stagingFolder)).list(rootPath)).rejects.toThrow('reserved');
  });

  test('goes on reading the version that was opened while another one is put', async () => {
    await put(store, 'file', Buffer.from('old'));
    const file = await store.open(filePath('file'));
    await put(store, 'file', Buffer.from('new!'));
    let seen = '';
    await file?.sendTo(async (piece) => void (seen += String(piece)));
    expect(seen).toBe('old');
  });

  test('refuses a page token that it has not made', async () => {
    await expect(store.listPage(rootPath, { limit: 1, token: '!' })).rejects.toMatchObject({ status: 400 });
  });

  test('leaves no temporary file behind, whatever happens to an upload', async () => {
    await put(store, 'file', Buffer.from('x'));
    await expect(store.put(filePath('a'), failing(Buffer.alloc(2_000_000), new Error('gone')))).rejects.toThrow();
    await expect(store.put(filePath('file/b'), from([Buffer.from('x')]))).rejects.toThrow();
    await store.remove(folderPath('file'));
    expect(await readdir(join(root, stagingFolder))).toEqual([]);
  });

  test('sweeps what a crash has left when it is opened, and spares what may still be written', async () => {
    const staging = join(root, stagingFolder);
    await writeFile(join(staging, 'old'), 'x');
    await mkdir(join(staging, 'old-folder', 'deep'), { recursive: true });
    for (const name of ['old', 'old-folder']) await utimes(join(staging, name), 1000, 1000);
    await writeFile(join(staging, 'young'), 'x');
    await openLocalFolder({ root, staleBefore: () => 2_000_000 });
    expect(await readdir(staging)).toEqual(['young']);
  });

  test('sweeps what it has spared when it was opened, once that is old too', async () => {
    const staging = join(root, stagingFolder);
    await writeFile(join(staging, 'left by a crash'), 'x');
    let staleBefore = 0;
    const reopened = await openLocalFolder({ root, staleBefore: () => staleBefore });
    await put(reopened, 'file', Buffer.from('x'));
    expect(await readdir(staging)).toEqual(['left by a crash']);
    staleBefore = Date.now() + 60_000;
    await put(reopened, 'file', Buffer.from('y'));
    expect(await readdir(staging)).toEqual([]);
  });

  test.each([
    ['a file', 'secret', 'link'],
    ['a folder', 'secrets', 'link/key'],
    ['a folder, with a new name', 'secrets', 'link/new'],
    ['nothing', 'absent', 'link'],
  ])('follows no symbolic link to %s', async (_, target, name) => {
    await symlink(join(outside, target), join(root, 'link'));
    const refused = { status: 400, message: expect.stringContaining('symbolic link') as string };
    await expect(store.open(filePath(name))).rejects.toMatchObject(refused);
    await expect(store.stat(filePath(name))).rejects.toMatchObject(refused);
    await expect(store.list(folderPath('link'))).rejects.toMatchObject(refused);
    await expect(store.remove(folderPath(name))).rejects.toMatchObject(refused);
    await expect(store.within(folderPath('link')).list(rootPath)).rejects.toMatchObject(refused);
    await expect(put(store, name, Buffer.from('overwritten'))).rejects.toMatchObject(refused);
    await expect(put(store.within(folderPath('link')), 'key', Buffer.from('x'))).rejects.toMatchObject(refused);
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret');
    expect(await readdir(join(outside, 'secrets'))).toEqual(['key']);
    expect(await readFile(join(outside, 'secrets', 'key'), 'utf8')).toBe('secret');
  });

  test('does not follow a link that appears while the bytes arrive', async () => {
    const content = (async function* () {
      yield Buffer.from('overwritten');
      await symlink(join(outside, 'secrets'), join(root, 'late'));
    })();
    await expect(store.put(filePath('late/key'), content)).rejects.toThrow('symbolic link');
    expect(await readFile(join(outside, 'secrets', 'key'), 'utf8')).toBe('secret');
  });

  test('removes links in a removed folder and not what they point to', async () => {
    await put(store, 'd/file', Buffer.from('x'));
    await symlink(join(outside, 'secrets'), join(root, 'd', 'link'));
    await store.remove(folderPath('d'));
    expect(await readdir(root)).toEqual([stagingFolder]);
    expect(await readFile(join(outside, 'secrets', 'key'), 'utf8')).toBe('secret');
  });

  test('lists neither links nor pipes, and does not hang on a pipe', async () => {
    await put(store, 'd/file', Buffer.from('x'));
    await symlink(join(outside, 'secret'), join(root, 'd', 'link'));
    execFileSync('mkfifo', [join(root, 'd', 'pipe')]);
    expect((await store.list(folderPath('d'))).map((entry) => entry.name)).toEqual(['file']);
    expect(await store.open(filePath('d/pipe'))).toBeUndefined();
    await expect(put(store, 'd/pipe', Buffer.from('x'))).rejects.toMatchObject({ status: 400 });
  });

  test('refuses a file where a folder is, and below a file, before taking any byte', async () => {
    await put(store, 'd/file', Buffer.from('x'));
    let taken = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      taken += 1;
      yield Buffer.from('x');
    };
    const isFolder = { status: 400, message: "Artifact path refers to a directory, not a file: 'd'" };
    await expect(store.put(filePath('d'), counted())).rejects.toMatchObject(isFolder);
    for (const name of ['d/file/below', 'd/file/far/below']) {
      await expect(store.put(filePath(name), counted())).rejects.toMatchObject({
        status: 400,
        message: `Artifact path '${name}' lies below a file; only a folder can hold files`,
      });
    }
    expect(taken).toBe(0);
    expect(String(await read(store, 'd/file'))).toBe('x');
  });

  test('answers 400 where a folder or a file has taken the place while the bytes arrived', async () => {
    const content = (rival: string): AsyncIterable<Uint8Array> =>
      (async function* () {
        yield Buffer.from('x');
        await put(store, rival, Buffer.from('rival'));
      })();
    await expect(store.put(filePath('a'), content('a/b'))).rejects.toMatchObject({ status: 400 });
    await expect(store.put(filePath('c/d'), content('c'))).rejects.toMatchObject({ status: 400 });
    expect(String(await read(store, 'a/b'))).toBe('rival');
    expect(String(await read(store, 'c'))).toBe('rival');
  });

  test.each([
    ['ENOSPC', 503, 'TEMPORARILY_UNAVAILABLE'],
    ['EDQUOT', 503, 'TEMPORARILY_UNAVAILABLE'],
    ['EIO', 500, 'INTERNAL_ERROR'],
  ])('answers %s with %i and keeps the server’s folders to itself', async (code, status, errorCode) => {
    const error = Object.assign(new Error(`${code}: write '${root}/x'`), { code });
    const failure: unknown = await store
      .put(filePath('x'), failing(Buffer.from('x'), error))
      .catch((caught: unknown) => caught);
    expect(failure).toMatchObject({ status, errorCode });
    expect(JSON.stringify(failure)).not.toContain(root);
  });

  test('reads a folder of someone else without making anything, there or not', async () => {
    const elsewhere = join(outside, 'elsewhere');
    const reader = await openLocalReader(elsewhere);
    expect(await reader.list(rootPath)).toEqual([]);
    await mkdir(join(elsewhere, 'run'), { recursive: true });
    await writeFile(join(elsewhere, 'run', 'model'), 'bytes');
    expect(await reader.list(folderPath('run'))).toEqual([{ name: 'model', isFolder: false, size: 5 }]);
    expect(await readdir(elsewhere)).toEqual(['run']);
  });
});
