import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anArtifactServer, proxy, send, type ArtifactServer } from './fixture.ts';
import { allStores } from './stores.ts';
import { readZip } from './zip-reader.ts';

const archive = '/api/lazuli/1.0/artifacts/archive';

/** Megabytes are compared by their digests: matchers go through them byte by byte. */
function digestsOf(files: ReadonlyMap<string, Buffer>): [name: string, sha256: string][] {
  const digests = [...files].map(([name, content]): [string, string] => [
    name,
    createHash('sha256').update(content).digest('hex'),
  ]);
  return digests.toSorted();
}

describe.each(allStores)('an archive of a folder in $name', ({ open }) => {
  const undo = new AsyncDisposableStack();
  let server: ArtifactServer;
  const contents = new Map<string, Buffer>([
    ['plain.txt', Buffer.from('hello')],
    ['empty', Buffer.alloc(0)],
    ['deep/er/50% of #a?b 日本 \u{1F600}.bin', randomBytes(3_000_000)],
    ['deep/zeros', Buffer.alloc(2_500_000)],
  ]);
  beforeAll(async () => {
    server = undo.use(await anArtifactServer({ store: await open(undo) }));
    for (const [name, body] of contents) {
      await send(server, 'PUT', `${proxy}/0/run/artifacts/${name.split('/').map(encodeURIComponent).join('/')}`, {
        body,
      });
    }
    server.runs.set('m-1', 'mlflow-artifacts:/0/run/artifacts');
    server.runs.set('model/1', 'mlflow-artifacts:/0/run/artifacts/deep');
  });
  afterAll(() => undo.disposeAsync());

  test('holds every file below it byte for byte, by its name', async () => {
    for (const query of ['run_id=run', 'model_id=m-1', 'run_id=run&path=', 'run_id=run&path=./']) {
      const answer = await send(server, 'GET', `${archive}?${query}`);
      expect(answer.headers['content-type']).toBe('application/zip');
      expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
      expect(answer.headers['content-disposition']).toMatch(/^attachment; filename=(run|m-1)\.zip$/);
      expect(digestsOf(readZip(answer.body))).toEqual(digestsOf(contents));
    }
  });

  test('counts from the folder that is asked for, and takes its name', async () => {
    const answer = await send(server, 'GET', `${archive}?run_id=run&path=deep`);
    expect(answer.headers['content-disposition']).toBe('attachment; filename=deep.zip');
    expect([...readZip(answer.body).keys()].toSorted()).toEqual(['er/50% of #a?b 日本 \u{1F600}.bin', 'zeros']);
    const version = await send(server, 'GET', '/api/lazuli/1.0/model-versions/archive?name=model&version=1');
    expect(version.headers['content-disposition']).toBe('attachment; filename=model-1.zip');
    expect([...readZip(version.body).keys()].toSorted()).toEqual(['er/50% of #a?b 日本 \u{1F600}.bin', 'zeros']);
  });

  test('is not made of a file, of nothing, or of a path that leads elsewhere', async () => {
    expect(await send(server, 'GET', `${archive}?run_id=run&path=plain.txt`)).toMatchObject({ status: 400 });
    expect(await send(server, 'GET', `${archive}?run_id=run&path=nothing`)).toMatchObject({ status: 404 });
    expect(await send(server, 'GET', `${archive}?run_id=run&path=..%2F..`)).toMatchObject({ status: 400 });
    expect(await send(server, 'GET', `${archive}?run_id=other`)).toMatchObject({ status: 404 });
    expect(await send(server, 'GET', archive)).toMatchObject({ status: 400 });
    const elsewhere = { headers: { 'x-workspace': 'second' } };
    expect(await send(server, 'GET', `${archive}?run_id=run`, elsewhere)).toMatchObject({ status: 404 });
    expect(await send(server, 'HEAD', `${archive}?run_id=run`)).toMatchObject({ status: 200, text: '' });
  });

  test('of a run without files is an empty one', async () => {
    server.runs.set('new', 'mlflow-artifacts:/0/new/artifacts');
    expect([...readZip((await send(server, 'GET', `${archive}?run_id=new`)).body)]).toEqual([]);
  });
});
