import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { aRun, startServer, type TestServer } from '../server-fixture.ts';
import { azuriteAccount, startAzurite } from '../stores/azurite.ts';
import { startS3Server } from '../stores/s3rver.ts';
import { contentUri, defaultScope, mlflowAt, reserve, runPath, storage, upload, withQuery } from './azure-workspace.ts';

/** The same promises wherever the files lie: behind the proxy, or in a root to which plain clients go by themselves. */
interface Place {
  readonly name: string;
  readonly open: (undo: AsyncDisposableStack) => Promise<{ place: string; environment: Record<string, string> }>;
}

const places: readonly Place[] = [
  {
    name: 'a local folder',
    async open(undo) {
      const place = await mkdtemp(join(tmpdir(), 'signed-urls-'));
      undo.defer(() => rm(place, { recursive: true, force: true }));
      return { place, environment: {} };
    },
  },
  {
    name: 'S3',
    async open(undo) {
      const s3 = undo.use(await startS3Server());
      return { place: `s3://${await s3.newBucket()}/team`, environment: { ...s3.environment } };
    },
  },
  {
    name: 'Azure Blob Storage',
    async open(undo) {
      const azurite = undo.use(await startAzurite());
      const place = `wasbs://${await azurite.newContainer()}@${azuriteAccount}.blob.core.windows.net/team`;
      return { place, environment: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString } };
    },
  },
];

const ways = [
  { way: 'behind the proxy', setting: 'artifacts-destination' },
  { way: 'in a root', setting: 'default-artifact-root' },
] as const;

describe.each(places.flatMap((place) => ways.map((way) => ({ ...place, ...way }))))(
  'a signed URL for a file in $name, $way',
  ({ open, setting }) => {
    const undo = new AsyncDisposableStack();
    let server: TestServer;
    beforeAll(async () => {
      const { place, environment } = await open(undo);
      server = undo.use(await startServer({ [setting]: place }, environment));
    });
    afterAll(() => undo.disposeAsync());

    test('takes no content of another MD5 than goes with it, at once and in blocks', async () => {
      const { run_id } = await aRun(server.client);
      const url = (await reserve(server, runPath(run_id), ['checked.bin'])).get('checked.bin') ?? '';
      const headers = { 'content-md5': createHash('md5').update('whole').digest('base64') };
      for (const target of [url, withQuery(url, 'comp=block&blockid=YQ==')]) {
        const refused = await storage(server, 'PUT', target, { body: 'damaged', headers });
        expect(refused.status).toBe(400);
        expect(refused.text).toContain('came damaged, and nothing of it was stored');
        expect((await server.client.artifacts.listArtifacts({ run_id })).files ?? []).toEqual([]);
      }
      expect((await storage(server, 'PUT', url, { body: 'whole', headers })).status).toBe(201);
      const kept = await contentUri(server, runPath(run_id), 'checked.bin');
      expect((await storage(server, 'GET', kept)).text).toBe('whole');
    });

    test('is handed out for a run that Azure’s clients find at the server, wherever it lies', async () => {
      const { run_id, experiment_id } = await aRun(server.client);
      const found = await server.request('GET', `${mlflowAt(defaultScope)}/api/2.0/mlflow/runs/get?run_id=${run_id}`);
      const { artifact_uri } = (found.json as { run: { info: { artifact_uri: string } } }).run.info;
      expect(artifact_uri).toMatch(
        new RegExp(`^azureml://.*${defaultScope}/experiments/${experiment_id}/runs/${run_id}/artifacts$`),
      );
      await upload(server, runPath(run_id), 'model/with space + 50%.txt', 'content');
      const listed = await server.request('GET', runPath(run_id));
      expect(listed.json).toMatchObject({ value: [{ path: 'model/with space + 50%.txt' }] });
      const plain = await server.client.artifacts.listArtifacts({ run_id, path: 'model' });
      expect(plain.files).toEqual([{ path: 'model/with space + 50%.txt', is_dir: false, file_size: 7 }]);
      const { model } = await server.client.loggedModels.createLoggedModel({ experiment_id, name: 'm' });
      await upload(server, runPath(model.info.model_id), 'MLmodel', 'flavors: {}');
      const read = await contentUri(server, runPath(model.info.model_id), 'MLmodel');
      expect((await storage(server, 'GET', read)).text).toBe('flavors: {}');
    });

    test('gives the file, ranges of it, and says what it is', async () => {
      const { run_id } = await aRun(server.client);
      await upload(server, runPath(run_id), 'a.txt', '0123456789');
      const url = await contentUri(server, runPath(run_id), 'a.txt');
      expect(await storage(server, 'GET', url)).toMatchObject({ status: 200, text: '0123456789' });
      for (const [range, text, given] of [
        ['bytes=0-3', '0123', 'bytes 0-3/10'],
        ['bytes=4-', '456789', 'bytes 4-9/10'],
        ['bytes=-2', '89', 'bytes 8-9/10'],
        ['bytes=0-33554431', '0123456789', 'bytes 0-9/10'],
      ] as const) {
        for (const name of ['x-ms-range', 'range']) {
          const answer = await storage(server, 'GET', url, { headers: { [name]: range } });
          expect([answer.status, answer.text, answer.headers['content-range']]).toEqual([206, text, given]);
        }
      }
      const beyond = await storage(server, 'GET', url, { headers: { 'x-ms-range': 'bytes=10-' } });
      expect([beyond.status, beyond.headers['x-ms-error-code']]).toEqual([416, 'InvalidRange']);
      const head = await storage(server, 'HEAD', url);
      expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '10']);
      expect(head.headers['x-ms-blob-type']).toBe('BlockBlob');
    });

    test('of an empty file says that no range of it can be had', async () => {
      const { run_id } = await aRun(server.client);
      await upload(server, runPath(run_id), 'empty', '');
      const url = await contentUri(server, runPath(run_id), 'empty');
      const ranged = await storage(server, 'GET', url, { headers: { 'x-ms-range': 'bytes=0-33554431' } });
      expect([ranged.status, ranged.headers['x-ms-error-code']]).toEqual([416, 'InvalidRange']);
      const whole = await storage(server, 'GET', url);
      expect([whole.status, whole.text]).toEqual([200, '']);
    });

    test('takes a large file in blocks, which show when they are listed and not before', async () => {
      const { run_id } = await aRun(server.client);
      const place = runPath(run_id);
      const content = randomBytes(300_000);
      const url = (await reserve(server, place, ['big.bin'])).get('big.bin') ?? '';
      const ids = [0, 1, 2].map((index) => Buffer.from(`block-${index}`).toString('base64'));
      for (const [index, id] of ids.entries()) {
        const body = content.subarray(index * 100_000, (index + 1) * 100_000);
        const block = withQuery(url, `comp=block&blockid=${encodeURIComponent(id)}`);
        expect((await storage(server, 'PUT', block, { body })).status).toBe(201);
      }
      expect((await server.request('GET', place)).json).toEqual({ value: [] });
      const list = (names: readonly string[]) =>
        `<?xml version="1.0" encoding="utf-8"?><BlockList>${names.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
      const commit = withQuery(url, 'comp=blocklist');
      const unknown = await storage(server, 'PUT', commit, { body: list([...ids, 'bm9wZQ==']) });
      expect([unknown.status, unknown.headers['x-ms-error-code']]).toEqual([400, 'InvalidInput']);
      const headers = { 'if-none-match': '*', 'content-type': 'application/xml' };
      expect((await storage(server, 'PUT', commit, { body: list(ids), headers })).status).toBe(201);
      const read = await contentUri(server, place, 'big.bin');
      const { bytes } = await storage(server, 'GET', read);
      expect(sha256(bytes)).toBe(sha256(content));
      const first = await storage(server, 'GET', read, { headers: { 'x-ms-range': 'bytes=0-99999' } });
      const etag = String(first.headers['etag']);
      const next = await storage(server, 'GET', read, {
        headers: { 'x-ms-range': 'bytes=100000-199999', 'if-match': etag },
      });
      expect([next.status, sha256(next.bytes)]).toEqual([206, sha256(content.subarray(100_000, 200_000))]);
      const changed = await storage(server, 'GET', read, { headers: { 'if-match': '"other"' } });
      expect([changed.status, changed.headers['x-ms-error-code']]).toEqual([412, 'ConditionNotMet']);
      const again = await storage(server, 'PUT', commit, { body: list(ids) });
      expect(again.status).toBe(400);
    });

    test('altered signed URL: is good for its file, its direction and its time alone', async () => {
      const { run_id } = await aRun(server.client);
      const other = await aRun(server.client);
      const place = runPath(run_id);
      const write = await upload(server, place, 'a.txt', 'a');
      await upload(server, place, 'b.txt', 'b');
      await upload(server, runPath(other.run_id), 'a.txt', 'of another run');
      const read = await contentUri(server, place, 'a.txt');
      const workspaceGuid = new URL(read).pathname.split('/')[6] ?? '';
      const refused: readonly (readonly [string, string])[] = [
        ['GET', read.replace('a.txt', 'b.txt')],
        ['GET', read.replace(run_id, other.run_id)],
        ['GET', read.replace('ExperimentRun', 'Workspace').replace(/dcid\.[0-9a-f]+/, 'all')],
        ['GET', altered(read, 'se', '2099-01-01T00:00:00Z')],
        ['GET', altered(read, 'sp', 'cw')],
        ['GET', altered(read, 'sig', '')],
        ['GET', altered(read, 'sig', `${(new URL(read).searchParams.get('sig') ?? '').split('.')[0]}.AAAA`)],
        ['GET', read.slice(0, read.indexOf('?'))],
        ['GET', read.replace(workspaceGuid, '00000000-0000-4000-8000-000000000000')],
        ['GET', write],
        ['PUT', read],
        ['PUT', write.replace('a.txt', 'b.txt')],
        ['PUT', write.replace(run_id, other.run_id)],
        ['PUT', altered(withQuery(write, 'comp=block&blockid=AA=='), 'sp', 'r')],
      ];
      for (const [method, url] of refused) {
        const { status, headers } = await storage(server, method, url, method === 'PUT' ? { body: 'x' } : {});
        expect([method, url, status]).toEqual([method, url, 403]);
        expect(headers['x-ms-error-code']).toBe('AuthenticationFailed');
      }
      expect((await storage(server, 'GET', read)).text).toBe('a');
    });

    test('revoked right: ends with the rights of whoever asked for it', async () => {
      const { token, secret } = await server.client.apiTokens.createToken({ principal: 'ann', role: 'Contributor' });
      const { run_id } = await aRun(server.client);
      const headers = { authorization: `Bearer ${secret}` };
      const url = (await reserve(server, runPath(run_id), ['a.txt'], headers)).get('a.txt') ?? '';
      expect((await storage(server, 'PUT', url, { body: 'a' })).status).toBe(201);
      await server.client.apiTokens.revokeToken({ token_id: token.token_id });
      expect((await storage(server, 'PUT', url, { body: 'b' })).status).toBe(403);
      const read = await contentUri(server, runPath(run_id), 'a.txt');
      expect((await storage(server, 'GET', read)).text).toBe('a');
    });
  },
);

test('revoked right: a signed URL ends with the API token that it was asked for with', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    await using server = await startServer({});
    const { secret } = await server.client.apiTokens.createToken({
      principal: 'ann',
      role: 'Contributor',
      expiry_time: Date.now() + 60_000,
    });
    const { run_id } = await aRun(server.client);
    const headers = { authorization: `Bearer ${secret}` };
    const url = (await reserve(server, runPath(run_id), ['a.txt'], headers)).get('a.txt') ?? '';
    vi.setSystemTime(Date.now() + 59_000);
    expect((await storage(server, 'PUT', url, { body: 'a' })).status).toBe(201);
    vi.setSystemTime(Date.now() + 2_000);
    expect((await storage(server, 'PUT', url, { body: 'b' })).status).toBe(403);
  } finally {
    vi.useRealTimers();
  }
});

function altered(url: string, name: string, value: string): string {
  const changed = new URL(url);
  changed.searchParams.set(name, value);
  return changed.href;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
