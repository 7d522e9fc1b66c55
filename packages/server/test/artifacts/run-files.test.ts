import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anArtifactServer, proxy, send, type Answer, type ArtifactServer } from './fixture.ts';
import { allStores } from './stores.ts';

describe.each(allStores)('files of runs and versions in $name', ({ open }) => {
  const undo = new AsyncDisposableStack();
  let server: ArtifactServer;
  beforeAll(async () => {
    server = undo.use(await anArtifactServer({ store: await open(undo) }));
    server.runs.set('model/3', 'mlflow-artifacts:/0/run/artifacts/model');
  });
  afterAll(() => undo.disposeAsync());

  const upload = (query: string, body: string | Uint8Array, headers = {}): Promise<Answer> =>
    send(server, 'POST', `/ajax-api/2.0/mlflow/upload-artifact?${query}`, {
      body,
      headers: { 'content-type': 'application/octet-stream', ...headers },
    });

  test('are uploaded by upload-artifact and read back by get-artifact and the proxy', async () => {
    expect(await upload('run_uuid=run&path=d/50%25%20%23x.txt', 'hello')).toMatchObject({ status: 200 });
    expect((await send(server, 'GET', '/get-artifact?run_id=run&path=d/50%25%20%23x.txt')).text).toBe('hello');
    expect((await send(server, 'GET', `${proxy}/0/run/artifacts/d/50%25%20%23x.txt`)).text).toBe('hello');
    const headers = { 'transfer-encoding': 'chunked', 'content-type': 'image/png' };
    expect(await upload('run_uuid=run&path=picture.png', 'chunks', headers)).toMatchObject({ status: 200 });
    expect((await send(server, 'GET', '/get-artifact?run_uuid=run&path=picture.png')).text).toBe('chunks');
  });

  test.each([
    ['path=x', 'x', 'Request must specify run_uuid.'],
    ['run_uuid=run', 'x', 'Request must specify path.'],
    ['run_uuid=run&path=x', '', 'Request must specify data.'],
    ['run_uuid=run&path=x', Buffer.alloc(10 * 1024 * 1024 + 1), 'Artifact size is too large. Max size is 10MB.'],
    ['run_uuid=run&path=../../secret', 'x', 'Invalid path'],
    ['run_uuid=run&path=%252e%252e/secret', 'x', 'Invalid path'],
    // CVE-2024-8859: a query in the path is a name like any other, and the slash behind it no way out.
    ['run_uuid=run&path=a%3F/../../a', 'x', 'Invalid path'],
  ])('are refused for %s', async (query, body, message) => {
    expect(await upload(query, body)).toMatchObject({
      status: 400,
      json: { error_code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining(message) as string },
    });
  });

  test('are refused for a run that is not there, a chunked body without bytes or with too many, and leave nothing', async () => {
    const chunked = { 'transfer-encoding': 'chunked' };
    expect((await upload('run_uuid=other&path=x', 'x')).status).toBe(404);
    expect((await upload('run_uuid=run&path=left', '', chunked)).status).toBe(400);
    expect((await upload('run_uuid=run&path=left', Buffer.alloc(11_000_000), chunked)).status).toBe(413);
    expect((await send(server, 'GET', '/get-artifact?run_id=run&path=left')).status).toBe(404);
    expect((await upload('run_uuid=run&path=x', 'x', { 'x-workspace': 'second' })).status).toBe(404);
    expect((await upload('run_uuid=run&path=x', 'x', { authorization: 'nobody' })).status).toBe(403);
  });

  test.each([
    '',
    'text/plain',
    'text/plain; application/json',
    'multipart/form-data; boundary=x',
    'Application/X-WWW-Form-Urlencoded',
  ])('are not taken as %j, which a page of another origin may send without asking', async (type) => {
    const answer = await upload('run_uuid=run&path=forged', 'x', { 'content-type': type });
    expect(answer).toMatchObject({ status: 400, json: { error_code: 'INVALID_PARAMETER_VALUE' } });
    expect((await send(server, 'GET', '/get-artifact?run_id=run&path=forged')).status).toBe(404);
  });

  test('of a version are read by its model and number, with ranges, as attachments', async () => {
    await send(server, 'PUT', `${proxy}/0/run/artifacts/model/MLmodel`, { body: '<script>0123456789</script>' });
    const path = '/model-versions/get-artifact?name=model&version=3&path=MLmodel';
    const whole = await send(server, 'GET', path);
    expect(whole).toMatchObject({ status: 200, text: '<script>0123456789</script>' });
    expect(whole.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': 'attachment; filename=MLmodel',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
    expect(await send(server, 'GET', path, { headers: { range: 'bytes=8-9' } })).toMatchObject({
      status: 206,
      text: '01',
    });
    const known = { headers: { 'if-none-match': whole.headers.etag } };
    expect(await send(server, 'GET', path, known)).toMatchObject({ status: 304, text: '' });
    for (const [query, status] of [
      ['name=model&version=4&path=MLmodel', 404],
      ['name=model&version=3&path=nothing', 404],
      ['name=model&version=3&path=../../../../secret', 400],
      ['name=model&version=3', 400],
      ['version=3&path=x', 400],
    ] as const) {
      expect((await send(server, 'GET', `/model-versions/get-artifact?${query}`)).status, query).toBe(status);
    }
    server.decided.length = 0;
    expect((await send(server, 'GET', path, { headers: { authorization: 'nobody' } })).status).toBe(403);
    expect(server.decided[0]).toContain('models/versions/read');
  });
});
