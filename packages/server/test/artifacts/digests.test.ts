import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anArtifactServer, proxy, send, type Answer, type ArtifactServer } from './fixture.ts';
import { allStores } from './stores.ts';

const text = '0123456789';

describe.each(allStores)('digests of files in $name', ({ open }) => {
  const undo = new AsyncDisposableStack();
  let server: ArtifactServer;
  beforeAll(async () => {
    server = undo.use(await anArtifactServer({ store: await open(undo) }));
  });
  afterAll(() => undo.disposeAsync());

  const put = (name: string, body: string | Uint8Array, headers: Record<string, string>): Promise<Answer> =>
    send(server, 'PUT', `${proxy}/${name}`, { body, headers });
  const get = (name: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
    send(server, method, `${proxy}/${name}`, { headers });

  test.each([
    ['Repr-Digest', field('sha-256', text)],
    ['Repr-Digest', field('sha-512', text)],
    ['Content-Digest', `unixsum=:AAA=:, ${field('sha-256', text)}; x=1`],
    ['Content-MD5', hash('md5', text)],
  ])('an upload is held against its %s: %s', async (header, value) => {
    const folder = `checked-${header}-${value.length}`;
    const name = `${folder}/model.bin`;
    const refused = await put(name, '0123456780', { [header]: value });
    expect(refused).toMatchObject({ status: 400, json: { error_code: 'BAD_REQUEST' } });
    const { message } = refused.json as { message: string };
    expect(message).toContain(`'${name}' came damaged`);
    const algorithm = header === 'Content-MD5' ? 'md5' : value.includes('sha-512') ? 'sha-512' : 'sha-256';
    expect(message).toContain(`is ${hash(algorithm, '0123456780')}`);
    expect(message).toContain(`says ${hash(algorithm, text)}`);
    expect((await get(name)).status).toBe(404);
    expect((await send(server, 'GET', `${proxy}?path=${folder}`)).json).toEqual({});

    expect(await put(name, text, { [header]: value })).toMatchObject({ status: 200, text: '' });
    expect((await get(name)).text).toBe(text);
  });

  test('a damaged upload leaves the file that was there, of one part and of many', async () => {
    await put('kept', 'old', {});
    for (const size of [10, 20_000_000]) {
      const bytes = randomBytes(size);
      const headers = { 'repr-digest': field('sha-256', bytes) };
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(255 - flipped.readUInt8(size - 1), size - 1);
      expect((await put('kept', flipped, headers)).status, String(size)).toBe(400);
      expect((await get('kept')).text).toBe('old');
    }
    const whole = randomBytes(20_000_000);
    expect((await put('kept', whole, { 'repr-digest': field('sha-256', whole) })).status).toBe(200);
    expect(hash('sha-256', (await get('kept')).body)).toBe(hash('sha-256', whole));
  });

  test('each digest that is named counts, and none that is misspelt passes for one', async () => {
    const right = field('sha-256', text);
    for (const [headers, message] of [
      [{ 'repr-digest': `${right}, ${field('sha-512', 'other')}` }, 'sha-512'],
      [{ 'repr-digest': right, 'content-md5': hash('md5', 'other') }, 'md5'],
      [{ 'repr-digest': `sha-256=${hash('sha-256', text)}` }, 'The header Repr-Digest holds no digest by sha-256'],
      [{ 'content-digest': 'sha-256=:AAAA:' }, 'The header Content-Digest holds no digest by sha-256'],
      [{ 'content-md5': 'no digest' }, 'The header Content-MD5 holds no digest by md5'],
    ] as const) {
      const refused = await put('several', text, headers);
      expect(refused.status).toBe(400);
      expect((refused.json as { message: string }).message).toContain(message);
      expect((await get('several')).status).toBe(404);
    }
    expect((await put('several', text, { 'repr-digest': 'crc32c=:AAAAAA==:' })).status).toBe(200);
  });

  test('an upload says what was stored where it is asked, and says nothing else', async () => {
    const asked = await put('folder/a%20b', text, { 'want-repr-digest': 'md5=9, sha-256=3, sha-512=1' });
    expect(asked.headers['repr-digest']).toBe(field('sha-256', text));
    expect(asked.headers['content-location']).toBe('./a%20b');
    for (const headers of [{}, { 'repr-digest': field('sha-256', text) }, { 'want-repr-digest': 'sha-256=0, md5=1' }]) {
      const unasked = await put('folder/b', text, headers);
      expect(unasked.status).toBe(200);
      expect(unasked.headers).not.toHaveProperty('repr-digest');
      expect(unasked.headers).not.toHaveProperty('content-location');
    }
  });

  test('a file tells its digest where it is asked: of the whole, and of what is sent', async () => {
    const bytes = randomBytes(3_000_000);
    await put('told', bytes, {});
    const want = { 'want-repr-digest': 'sha-256=10' };
    const head = await get('told', want, 'HEAD');
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['repr-digest']).toBe(field('sha-256', bytes));
    expect(head.headers['content-length']).toBe(String(bytes.length));
    const whole = await get('told', { 'want-repr-digest': 'sha-512=1', 'want-content-digest': 'sha-512=1' });
    expect(whole.headers['repr-digest']).toBe(field('sha-512', bytes));
    expect(whole.headers['content-digest']).toBe(field('sha-512', bytes));
    expect(whole.body.equals(bytes)).toBe(true);
    const part = await get('told', { ...want, 'want-content-digest': 'sha-256=1', range: 'bytes=1000000-2000000' });
    expect(part.status).toBe(206);
    expect(part.headers['repr-digest']).toBe(field('sha-256', bytes));
    expect(part.headers['content-digest']).toBe(field('sha-256', bytes.subarray(1_000_000, 2_000_001)));
    expect(part.body.equals(bytes.subarray(1_000_000, 2_000_001))).toBe(true);
    const unasked = await get('told');
    expect(unasked.headers).not.toHaveProperty('repr-digest');
    expect(unasked.headers).not.toHaveProperty('content-digest');
  });

  test('what has no content has no digest', async () => {
    await put('short', text, {});
    const { etag = '' } = (await get('short')).headers;
    const want = { 'want-repr-digest': 'sha-256=1', 'want-content-digest': 'sha-256=1' };
    for (const [headers, status] of [
      [{ 'if-none-match': etag }, 304],
      [{ range: 'bytes=10-' }, 416],
    ] as const) {
      const answer = await get('short', { ...want, ...headers });
      expect(answer.status).toBe(status);
      expect(answer.headers).not.toHaveProperty('repr-digest');
    }
    expect((await get('nothing', want)).status).toBe(404);
  });
});

test('a file that the page of a run uploads is held against its digest, too', async () => {
  await using server = await anArtifactServer();
  const upload = (digest: string): Promise<Answer> =>
    send(server, 'POST', '/ajax-api/2.0/mlflow/upload-artifact?run_uuid=run&path=note.txt', {
      body: text,
      headers: { 'content-type': 'application/octet-stream', 'repr-digest': digest },
    });
  expect(await upload(field('sha-256', 'other'))).toMatchObject({ status: 400 });
  expect((await send(server, 'GET', `${proxy}/0/run/artifacts/note.txt`)).status).toBe(404);
  expect(await upload(field('sha-256', text))).toMatchObject({ status: 200 });
});

function hash(algorithm: string, content: string | Uint8Array): string {
  return createHash(algorithm.replace('-', '')).update(content).digest('base64');
}

function field(algorithm: string, content: string | Uint8Array): string {
  return `${algorithm}=:${hash(algorithm, content)}:`;
}
