import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anArtifactServer, proxy, send, type Answer, type ArtifactServer } from './fixture.ts';
import { objectStores } from './stores.ts';

interface Signed {
  readonly url?: string;
  readonly presigned_url?: string;
  readonly headers?: Record<string, string>;
  readonly file_size?: number;
}

describe.each(objectStores)('a signed URL of $name', ({ name, open }) => {
  const undo = new AsyncDisposableStack();
  let server: ArtifactServer;
  beforeAll(async () => {
    server = undo.use(await anArtifactServer({ store: await open(undo) }));
    await send(server, 'PUT', `${proxy}/0/run/artifacts/page%20%231%3F.html`, { body: '<script>0123456789</script>' });
  });
  afterAll(() => undo.disposeAsync());

  const ask = (what: string, body: object, headers = {}): Promise<Answer> =>
    send(server, 'POST', `/api/2.0/mlflow/artifacts/presigned-${what}-url`, {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });

  test('hands out a file of the proxy, whole and in ranges, as an attachment of no type that a browser runs', async () => {
    const asked = await send(server, 'GET', '/api/2.0/mlflow-artifacts/presigned/0/run/artifacts/page%20%231%3F.html');
    const { url = '', headers = {}, file_size } = asked.json as Signed;
    expect(file_size).toBe(27);
    const whole = await fetch(url, { headers });
    expect(await whole.text()).toBe('<script>0123456789</script>');
    expect(whole.headers.get('content-type')).toBe('application/octet-stream');
    expect(whole.headers.get('content-disposition')).toMatch(/^attachment;/);
    const part = await fetch(url, { headers: { ...headers, range: 'bytes=8-11' } });
    expect({ status: part.status, text: await part.text() }).toEqual({ status: 206, text: '0123' });
  });

  test('hands out a file of a run, and takes one', async () => {
    const up = (await ask('upload', { run_id: 'run', path: 'deep/new file.txt' })).json as Signed;
    const sent = await fetch(up.presigned_url ?? '', { method: 'PUT', headers: up.headers ?? {}, body: 'uploaded' });
    expect(sent.status).toBeLessThan(300);
    const down = (await ask('download', { run_id: 'run', path: 'deep/new file.txt' })).json as Signed;
    expect(down.file_size).toBe(8);
    expect(await (await fetch(down.presigned_url ?? '')).text()).toBe('uploaded');
    expect((await send(server, 'GET', `${proxy}/0/run/artifacts/deep/new%20file.txt`)).text).toBe('uploaded');
  });

  test('takes an MD5 with the content, which no signature has to name', async () => {
    const { presigned_url = '', headers = {} } = (await ask('upload', { run_id: 'run', path: 'md5.txt' }))
      .json as Signed;
    const send = (body: string): Promise<Response> =>
      fetch(presigned_url, { method: 'PUT', body, headers: { ...headers, 'content-md5': md5 } });
    const md5 = createHash('md5').update('whole').digest('base64');
    // S3 itself refuses it, too; the server that stands for it here looks at no MD5.
    if (name === 'Azure') {
      expect((await send('damaged')).status).toBe(400);
      expect((await ask('download', { run_id: 'run', path: 'md5.txt' })).status).toBe(404);
    }
    expect((await send('whole')).status).toBeLessThan(300);
  });

  test('is not given for what is not there, a folder, a bad name or a time out of bounds', async () => {
    expect((await ask('download', { run_id: 'run', path: 'nothing' })).status).toBe(404);
    expect((await ask('download', { run_id: 'run', path: '' })).status).toBe(400);
    expect((await ask('download', { run_id: 'other', path: 'x' })).status).toBe(404);
    expect((await send(server, 'GET', '/api/2.0/mlflow-artifacts/presigned/0/run')).status).toBe(400);
    for (const path of ['../../secret', '%2e%2e/x', '/etc/passwd', 'C:/x', 'a\\..\\b', 'x\u0000']) {
      expect((await ask('download', { run_id: 'run', path })).status, path).toBe(400);
      expect((await ask('upload', { run_id: 'run', path })).status, path).toBe(400);
    }
    for (const expiration of [0, -1, 604_801]) {
      expect((await ask('upload', { run_id: 'run', path: 'x', expiration })).status).toBe(400);
      expect((await ask('download', { run_id: 'run', path: 'x', expiration })).status).toBe(400);
    }
    expect((await ask('upload', { path: 'x' })).json).toMatchObject({
      message: 'Exactly one of run_id and model_id must be provided.',
    });
    expect((await ask('upload', { run_id: 'run', model_id: 'm-1', path: 'x' })).status).toBe(400);
  });

  test('is decided by the right to read or to write, in the workspace that is addressed', async () => {
    server.decided.length = 0;
    const nobody = { authorization: 'nobody' };
    expect((await ask('upload', { run_id: 'run', path: 'x' }, nobody)).status).toBe(403);
    expect((await ask('download', { run_id: 'run', path: 'x' }, nobody)).status).toBe(403);
    expect(server.decided.map((actions) => actions[0])).toEqual(['experiments/runs/write', 'experiments/runs/read']);
    const elsewhere = { 'x-workspace': 'second' };
    expect((await ask('upload', { run_id: 'run', path: 'x' }, elsewhere)).status).toBe(404);
    const page = '/api/2.0/mlflow-artifacts/presigned/0/run/artifacts/page%20%231%3F.html';
    expect((await send(server, 'GET', page, { headers: elsewhere })).status).toBe(404);
  });
});

// The S3 server of these tests does not look at what was signed.
test('a signed URL is good for what it was asked for: one that reads does not write, nor leads to another file', async () => {
  await using undo = new AsyncDisposableStack();
  const azure = objectStores.find(({ name }) => name === 'Azure') as (typeof objectStores)[number];
  const server = undo.use(await anArtifactServer({ store: await azure.open(undo) }));
  for (const name of ['file', 'other']) await send(server, 'PUT', `${proxy}/0/run/artifacts/${name}`, { body: name });
  const asked = await send(server, 'GET', '/api/2.0/mlflow-artifacts/presigned/0/run/artifacts/file');
  const { url = '' } = asked.json as Signed;
  expect((await fetch(url)).status).toBe(200);
  const upload = { method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob' }, body: 'x' };
  expect((await fetch(url, upload)).status).toBe(403);
  expect((await fetch(url.replace('artifacts/file', 'artifacts/other'))).status).toBe(403);
});
