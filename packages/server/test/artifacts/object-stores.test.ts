import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ArtifactStore } from '../../src/artifact-store/artifact-store.ts';
import { objectStores } from './stores.ts';
import { anArtifactServer, send, type ArtifactServer } from './fixture.ts';

const root = '/api/2.0/mlflow-artifacts/artifacts';

describe.each(objectStores)('the proxy over $name', ({ open }) => {
  const undo = new AsyncDisposableStack();
  let server: ArtifactServer;
  /** What happens between a file's being found and its being read. */
  let afterOpening: (() => Promise<unknown>) | undefined;
  beforeAll(async () => {
    const store = await open(undo);
    server = undo.use(await anArtifactServer({ store: interrupted(store, async () => await afterOpening?.()) }));
  });
  afterAll(() => undo.disposeAsync());

  test('uploads, lists, serves and deletes a file whose name has every kind of character', async () => {
    const path = `${root}/0/run/artifacts/50%25%20of%20%23a%3Fb%E6%97%A5.txt`;
    expect(await send(server, 'PUT', path, { body: 'hello world' })).toMatchObject({ status: 200, text: '' });
    const files = [{ path: '50% of #a?b日.txt', is_dir: false, file_size: 11 }];
    expect((await send(server, 'GET', `${root}?path=0/run/artifacts`)).json).toEqual({ files });
    const listed = await send(server, 'GET', '/api/2.0/mlflow/artifacts/list?run_id=run');
    expect(listed.json).toEqual({ root_uri: 'mlflow-artifacts:/0/run/artifacts', files });

    const whole = await send(server, 'GET', path);
    expect(whole).toMatchObject({ status: 200, text: 'hello world' });
    expect(whole.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'content-length': '11' });
    expect(whole.headers['content-disposition']).toMatch(/^attachment;/);
    const part = await send(server, 'GET', path, { headers: { range: 'bytes=6-8' } });
    expect(part).toMatchObject({ status: 206, text: 'wor', headers: { 'content-range': 'bytes 6-8/11' } });
    const known = await send(server, 'GET', path, { headers: { 'if-none-match': whole.headers.etag } });
    expect(known).toMatchObject({ status: 304, text: '' });

    expect(await send(server, 'DELETE', path)).toMatchObject({ status: 200 });
    expect(await send(server, 'GET', path)).toMatchObject({
      status: 404,
      json: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
    });
  });

  test('answers with an error where the file is replaced or removed before its first byte was sent', async () => {
    const path = `${root}/0/changing`;
    await send(server, 'PUT', path, { body: 'old' });
    afterOpening = () => send(server, 'PUT', path, { body: 'new' });
    const replaced = await send(server, 'GET', path);
    expect(replaced).toMatchObject({ status: 503, json: { error_code: 'TEMPORARILY_UNAVAILABLE' } });
    expect(replaced.headers).not.toHaveProperty('etag');
    expect(replaced.headers).not.toHaveProperty('content-disposition');
    afterOpening = () => send(server, 'DELETE', path);
    expect(await send(server, 'GET', path)).toMatchObject({ status: 503 });
    afterOpening = undefined;
    expect(await send(server, 'GET', path)).toMatchObject({ status: 404 });
  });

  test('keeps workspaces apart, and nothing leads out of one', async () => {
    await send(server, 'PUT', `${root}/secret.txt`, { body: 'secret' });
    const second = { 'x-workspace': 'second' };
    expect(await send(server, 'GET', `${root}/secret.txt`, { headers: second })).toMatchObject({ status: 404 });
    expect((await send(server, 'GET', root, { headers: second })).json).toEqual({});
    const up = '..%2F11111111-1111-4111-8111-111111111111%2Fsecret.txt';
    for (const path of [up, up.replaceAll('%', '%25')]) {
      expect(await send(server, 'GET', `${root}/${path}`, { headers: second }), path).toMatchObject({ status: 400 });
      expect(await send(server, 'DELETE', `${root}/${path}`, { headers: second }), path).toMatchObject({ status: 400 });
    }
    expect(await send(server, 'GET', `${root}/secret.txt`)).toMatchObject({ status: 200, text: 'secret' });
  });
});

/** The same store, in which something happens after each opening of a file. */
function interrupted(store: ArtifactStore, happening: () => Promise<unknown>): ArtifactStore {
  return {
    ...store,
    async open(path) {
      const file = await store.open(path);
      await happening();
      return file;
    },
    within: (folder) => interrupted(store.within(folder), happening),
  };
}
