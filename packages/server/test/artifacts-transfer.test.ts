import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { anArtifactServer, first, second, send, type Answer, type ArtifactServer } from './artifacts-fixture.ts';

const proxy = '/api/2.0/mlflow-artifacts/artifacts';
let server: ArtifactServer;
beforeEach(async () => {
  server = await anArtifactServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const put = (name: string, body: string | Uint8Array, headers = {}): Promise<Answer> =>
  send(server, 'PUT', `${proxy}/${name}`, { body, headers });
const get = (name: string, headers = {}): Promise<Answer> => send(server, 'GET', `${proxy}/${name}`, { headers });
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('uploading', () => {
  test('an uploaded file comes back byte for byte under both prefixes', async () => {
    const bytes = randomBytes(5_000_000);
    const uploaded = await put('0/run/artifacts/model.bin', bytes);
    expect(uploaded).toMatchObject({ status: 200, text: '' });
    expect(uploaded.headers['content-length']).toBe('0');
    expect(uploaded.headers['content-type']).toBeUndefined();
    for (const prefix of ['/api', '/ajax-api']) {
      const path = `${prefix}/2.0/mlflow-artifacts/artifacts/0/run/artifacts/model.bin`;
      expect(digest((await send(server, 'GET', path)).body)).toBe(digest(bytes));
    }
    expect(await readdir(join(server.destination, first.guid, '0/run/artifacts'))).toEqual(['model.bin']);
  });

  test.each([
    ['no type', {}],
    ['JSON', { 'content-type': 'application/json' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text', { 'content-type': 'text/plain; charset=utf-8' }],
    ['what is no type', { 'content-type': 'not a type' }],
    ['an empty type', { 'content-type': '' }],
  ])('a body of %s is kept as it came', async (_, headers) => {
    expect((await put('file', '{"not": json', headers)).status).toBe(200);
    expect((await get('file')).text).toBe('{"not": json');
  });

  test('a chunked body without a length is taken, and an empty one', async () => {
    expect((await put('chunked', 'chunks', { 'transfer-encoding': 'chunked' })).status).toBe(200);
    expect((await get('chunked')).text).toBe('chunks');
    expect((await put('empty', '')).status).toBe(200);
    expect(await get('empty')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } });
  });

  test.each([
    ['with a length', { 'content-length': 3_000_000 }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('a client that goes away in the middle of a body %s leaves nothing', async (_, headers) => {
    await put('kept', 'old');
    for (const name of ['kept', 'folder/fresh']) {
      const sent = request({ port: server.port, method: 'PUT', path: `${proxy}/${name}`, headers });
      sent.on('error', () => undefined);
      sent.write(randomBytes(2_000_000));
      await until(async () => (await server.staged()).length === 1);
      sent.destroy();
      await until(async () => (await server.staged()).length === 0);
    }
    expect((await get('kept')).text).toBe('old');
    expect((await send(server, 'GET', proxy)).json).toEqual({
      files: [{ path: 'kept', is_dir: false, file_size: 3 }],
    });
  });

  test('racing uploads of one name end with one of them whole', async () => {
    const bodies = Array.from({ length: 8 }, () => randomBytes(1_500_000));
    const answers = await Promise.all(bodies.map((body) => put('raced', body)));
    expect(answers.map((answer) => answer.status)).toEqual(bodies.map(() => 200));
    expect(bodies.map(digest)).toContain(digest((await get('raced')).body));
  });

  test('a file where a folder is, and one below a file, are clear mistakes', async () => {
    await put('folder/file', 'x');
    expect(await put('folder', 'x')).toMatchObject({
      status: 400,
      json: {
        error_code: 'INVALID_PARAMETER_VALUE',
        message: "Artifact path refers to a directory, not a file: 'folder'",
      },
    });
    expect(await put('folder/file/below', 'x')).toMatchObject({
      status: 400,
      json: { message: "Artifact path 'folder/file/below' lies below a file; only a folder can hold files" },
    });
  });

  test.each(['folder/', '', '.'])('the name %j has no file', async (name) => {
    expect(await put(name, 'x')).toMatchObject({
      status: 400,
      json: { message: "Artifact path must include a filename (cannot end with '/')." },
    });
  });

  test('a name that the file system cannot hold is refused', async () => {
    expect((await put('x'.repeat(256), 'x')).status).toBe(400);
    expect((await put(`${'d/'.repeat(1100)}x`, 'x')).status).toBe(400);
    expect((await put('x'.repeat(255), 'x')).status).toBe(200);
  });

  test('a large refused body is read on, so that the client hears why', async () => {
    await put('folder/file', 'x');
    const answer = await put('folder', Buffer.alloc(20_000_000));
    expect(answer).toMatchObject({ status: 400, json: { error_code: 'INVALID_PARAMETER_VALUE' } });
  });
});

describe('a refused upload that never ends', () => {
  test.each([
    ['for want of a right', 'authorization: nobody', 403],
    ['for its size', 'accept: */*', 413],
  ])('%s is answered and cut off', async (_, header, status) => {
    await using limited = await anArtifactServer({ maxUploadBytes: 100_000 });
    const socket = connect(limited.port, '127.0.0.1').on('error', () => undefined);
    let answer = '';
    socket.on('data', (data) => (answer += String(data)));
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.write(`PUT ${proxy}/endless HTTP/1.1\r\nhost: x\r\n${header}\r\ntransfer-encoding: chunked\r\n\r\n`);
    const chunk = Buffer.concat([Buffer.from('f4240\r\n'), Buffer.alloc(1_000_000), Buffer.from('\r\n')]);
    let sent = 0;
    while (!socket.destroyed && sent < 300) {
      sent += 1;
      const flowed = new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
      await Promise.race([flowed, closed]);
    }
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(sent).toBeLessThan(300);
    socket.destroy();
  });
});

describe('a limit for uploads', () => {
  test('is kept for bodies with and without a length', async () => {
    await using limited = await anArtifactServer({ maxUploadBytes: 100_000 });
    const path = `${proxy}/file`;
    const send1 = (size: number, headers = {}): Promise<Answer> =>
      send(limited, 'PUT', path, { body: Buffer.alloc(size), headers });
    const tooLarge = {
      status: 413,
      json: { message: 'The artifact is larger than the 100000 bytes that are allowed' },
    };
    expect(await send1(100_001)).toMatchObject(tooLarge);
    expect(await send1(3_000_000, { 'transfer-encoding': 'chunked' })).toMatchObject(tooLarge);
    expect((await send(limited, 'GET', path)).status).toBe(404);
    expect((await send1(100_000)).status).toBe(200);
    expect(await limited.staged()).toEqual([]);
  });
});

describe('names', () => {
  test.each([
    ['two%20words.txt', 'two words.txt'],
    ['a%2520b', 'a%20b'],
    ['50%25', '50%'],
    ['a%23b', 'a#b'],
    ['a%3Fb', 'a?b'],
    ['a%2Fb', 'a/b'],
    ['a+b&c=d', 'a+b&c=d'],
    ['%E6%97%A5%E6%9C%AC', '日本'],
    ['%F0%9F%98%80', '\u{1F600}'],
    ['%2525zz', '%25zz'],
    // *MLflow 2 uploads images under names like this one.*
    ['sample%25step%251%25timestamp%251795000000.png', 'sample%step%1%timestamp%1795000000.png'],
    ['x%2500.txt', 'x%00.txt'],
    ['a;b,c', 'a;b,c'],
  ])('%s is decoded exactly once', async (sent, name) => {
    expect((await put(`d/${sent}`, 'x')).status).toBe(200);
    expect(await readFile(join(server.destination, first.guid, 'd', name), 'utf8')).toBe('x');
    expect((await get(`d/${sent}`)).text).toBe('x');
    expect((await send(server, 'DELETE', `${proxy}/d/${sent}`)).status).toBe(200);
    expect((await get(`d/${sent}`)).status).toBe(404);
  });

  test.each(['%zz', '%', 'a%2', '%C0%AE%C0%AE/secret', '%ff', '%ED%A0%80'])(
    'the malformed name %s is refused',
    async (name) => {
      for (const method of ['PUT', 'GET', 'HEAD', 'DELETE']) {
        expect((await send(server, method, `${proxy}/${name}`)).status, method).toBe(400);
      }
    },
  );

  test('one file has one name', async () => {
    await put('a//b/./c', 'x');
    expect((await get('a/b/c')).text).toBe('x');
    expect((await get('a/./b//c')).text).toBe('x');
  });
});

describe('downloading', () => {
  beforeEach(() => put('digits.txt', '0123456789'));

  test('a file is an attachment that a browser does not run', async () => {
    expect((await get('digits.txt')).headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': 'attachment; filename=digits.txt',
      'content-length': '10',
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'same-origin',
    });
    for (const name of [
      'page.html',
      'page.HTM',
      'picture.svg',
      'page.xhtml',
      'feed.xml',
      'code.js',
      'x.mht',
      'x.swf',
      'x',
    ]) {
      await put(name, '<script>alert(1)</script>', { 'content-type': 'text/html' });
      const type = (await get(name)).headers['content-type'];
      expect(['text/plain; charset=utf-8', 'application/octet-stream'], name).toContain(type);
    }
  });

  test('a name of any characters is a safe header', async () => {
    await put(encodeURIComponent('a "b"; x=\u{1F600}\'ü.txt'), 'x');
    const { headers } = await get(encodeURIComponent('a "b"; x=\u{1F600}\'ü.txt'));
    expect(headers['content-disposition']).toBe(
      `attachment; filename="a _b_; x=_'_.txt"; filename*=UTF-8''a%20%22b%22%3B%20x%3D%F0%9F%98%80%27%C3%BC.txt`,
    );
  });

  test('HEAD says the same as GET without the bytes', async () => {
    const [got, head] = [await get('digits.txt'), await send(server, 'HEAD', `${proxy}/digits.txt`)];
    expect(head).toMatchObject({ status: 200, text: '' });
    const lasting = ({ headers }: Answer): object => ({ ...headers, date: '', connection: '', 'keep-alive': '' });
    expect(lasting(head)).toEqual(lasting(got));
    expect((await send(server, 'HEAD', `${proxy}/nothing`)).status).toBe(404);
  });

  test.each([
    ['bytes=0-3', '0123', 'bytes 0-3/10'],
    ['bytes=4-', '456789', 'bytes 4-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-100', '0123456789', 'bytes 0-9/10'],
    ['bytes=8-100', '89', 'bytes 8-9/10'],
    ['Bytes=9-9', '9', 'bytes 9-9/10'],
  ])('the range %s is served alone', async (range, text, contentRange) => {
    expect(await get('digits.txt', { range })).toMatchObject({
      status: 206,
      text,
      headers: { 'content-range': contentRange, 'content-length': String(text.length) },
    });
  });

  test.each(['bytes=10-', 'bytes=999-1000', 'bytes=-0'])('the range %s cannot be served', async (range) => {
    expect(await get('digits.txt', { range })).toMatchObject({
      status: 416,
      text: '',
      headers: { 'content-range': 'bytes */10' },
    });
  });

  test.each(['bytes=5-1', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=a-b', 'bytes=-', `bytes=${'9'.repeat(40)}-`])(
    'the range %s is ignored',
    async (range) => {
      expect(await get('digits.txt', { range })).toMatchObject({ status: 200, text: '0123456789' });
    },
  );

  test('a range of an empty file cannot be served', async () => {
    await put('empty', '');
    expect((await get('empty', { range: 'bytes=0-' })).status).toBe(416);
  });

  test('who has the file already is told so, until it changes', async () => {
    const { headers } = await get('digits.txt');
    const etag = headers.etag ?? '';
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      expect(await get('digits.txt', { 'if-none-match': known })).toMatchObject({ status: 304, text: '' });
    }
    const since = headers['last-modified'];
    expect((await get('digits.txt', { 'if-modified-since': since })).status).toBe(304);
    expect((await get('digits.txt', { 'if-modified-since': new Date(0).toUTCString() })).status).toBe(200);
    expect((await get('digits.txt', { 'if-none-match': '"other"', 'if-modified-since': since })).status).toBe(200);
    await put('digits.txt', '9876543210');
    expect(await get('digits.txt', { 'if-none-match': etag })).toMatchObject({ status: 200, text: '9876543210' });
  });

  test('a range of a file that has changed is the whole new file', async () => {
    const { etag } = (await get('digits.txt')).headers;
    const wanted = { range: 'bytes=5-', 'if-range': etag };
    expect(await get('digits.txt', wanted)).toMatchObject({ status: 206, text: '56789' });
    await put('digits.txt', 'abcdefghij');
    expect(await get('digits.txt', wanted)).toMatchObject({ status: 200, text: 'abcdefghij' });
  });

  test('what is not there is not found, and a folder is not a file', async () => {
    await put('d/x', 'x');
    expect(await get('nothing/here')).toMatchObject({
      status: 404,
      json: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: "No such artifact: 'nothing/here'" },
    });
    expect((await get('digits.txt/below')).status).toBe(404);
    for (const name of ['d', 'd/', '']) {
      expect(await get(name)).toMatchObject({
        status: 400,
        json: { message: `Artifact path refers to a directory, not a file: '${name}'` },
      });
    }
  });

  test('no answer leaves a file open', async () => {
    const { etag } = (await get('digits.txt')).headers;
    const before = (await readdir('/dev/fd')).length;
    for (let count = 0; count < 30; count += 1) {
      expect((await send(server, 'HEAD', `${proxy}/digits.txt`)).status).toBe(200);
      expect((await get('digits.txt', { 'if-none-match': etag })).status).toBe(304);
      expect((await get('digits.txt', { range: 'bytes=99-' })).status).toBe(416);
      expect((await get('digits.txt', { range: 'bytes=1-2' })).status).toBe(206);
    }
    expect((await readdir('/dev/fd')).length).toBeLessThan(before + 20);
  });

  test('a download that the client breaks off does not hurt the next one', async () => {
    await put('large', Buffer.alloc(30_000_000, 1));
    for (let count = 0; count < 5; count += 1) {
      await new Promise<void>((resolve) => {
        const sent = request({ port: server.port, path: `${proxy}/large` }, (response) => {
          response.once('data', () => response.destroy());
          response.once('close', resolve);
        });
        sent.on('error', () => undefined).end();
      });
    }
    expect((await get('large')).body).toHaveLength(30_000_000);
  });
});

describe('listing and deleting', () => {
  test("a run's folder is listed relative to its root, by name, with sizes", async () => {
    for (const name of ['b.txt', 'a.txt', 'plots/p.png', 'empty']) {
      await put(`0/run/artifacts/${name}`, name === 'empty' ? '' : 'x');
    }
    const list = (query: string): Promise<Answer> => send(server, 'GET', `/api/2.0/mlflow/artifacts/list?${query}`);
    const root_uri = 'mlflow-artifacts:/0/run/artifacts';
    const files = [
      { path: 'a.txt', is_dir: false, file_size: 1 },
      { path: 'b.txt', is_dir: false, file_size: 1 },
      { path: 'empty', is_dir: false, file_size: 0 },
      { path: 'plots', is_dir: true },
    ];
    for (const query of ['run_id=run', 'run_uuid=run', 'run_id=run&path=']) {
      expect((await list(query)).json, query).toEqual({ root_uri, files });
    }
    for (const path of ['plots', 'plots/', './plots']) {
      expect((await list(`run_id=run&path=${path}`)).json).toEqual({
        root_uri,
        files: [{ path: 'plots/p.png', is_dir: false, file_size: 1 }],
      });
    }
    expect((await list('run_id=run&path=nothing')).json).toEqual({ root_uri, files: [] });
    expect((await list('run_id=run&path=a.txt')).json).toEqual({ root_uri, files: [] });
    expect((await list('run_id=other')).status).toBe(404);
    expect((await list('path=x')).json).toMatchObject({ message: expect.stringContaining("'run_id'") as string });
  });

  test('the proxy lists base names', async () => {
    await put('0/run/artifacts/a.txt', 'x');
    expect((await send(server, 'GET', `${proxy}?path=0/run/artifacts`)).json).toEqual({
      files: [{ path: 'a.txt', is_dir: false, file_size: 1 }],
    });
    expect((await send(server, 'GET', `${proxy}?path=0%2Frun`)).json).toEqual({
      files: [{ path: 'artifacts', is_dir: true }],
    });
    expect((await send(server, 'GET', `${proxy}?path=nothing`)).json).toEqual({ files: [] });
  });

  test('deleting takes a file or a whole folder, and is fine twice', async () => {
    for (const name of ['d/a', 'd/e/b', 'f']) await put(name, 'x');
    for (const name of ['f', 'd', 'd']) expect((await send(server, 'DELETE', `${proxy}/${name}`)).json).toEqual({});
    expect((await send(server, 'GET', proxy)).json).toEqual({ files: [] });
    expect(await server.staged()).toEqual([]);
  });

  test.each(['', '.', './', '%2e'])('the root, written %j, cannot be deleted', async (name) => {
    await put('kept', 'x');
    expect((await send(server, 'DELETE', `${proxy}/${name}`)).status).toBe(400);
    expect((await get('kept')).text).toBe('x');
  });
});

describe('downloading from a run', () => {
  test('reads below the artifacts of the run, with ranges', async () => {
    await put('0/run/artifacts/d/x.txt', '0123456789');
    for (const id of ['run_id', 'run_uuid']) {
      const path = `/get-artifact?${id}=run&path=d%2Fx.txt`;
      expect(await send(server, 'GET', path)).toMatchObject({ status: 200, text: '0123456789' });
      expect((await send(server, 'HEAD', path)).headers['content-length']).toBe('10');
      expect(await send(server, 'GET', path, { headers: { range: 'bytes=-2' } })).toMatchObject({
        status: 206,
        text: '89',
      });
    }
    const message = async (query: string): Promise<Answer> => send(server, 'GET', `/get-artifact?${query}`);
    expect(await message('run_id=run&path=nope')).toMatchObject({
      status: 404,
      json: { message: "No such artifact: 'nope'" },
    });
    expect(await message('run_id=run&path=d')).toMatchObject({ status: 400 });
    expect(await message('run_id=other&path=d')).toMatchObject({ status: 404 });
    expect(await message('run_id=run')).toMatchObject({ status: 400 });
    expect(await message('path=d')).toMatchObject({ status: 400 });
  });
});

describe('locations', () => {
  const list = (run: string): Promise<Answer> => send(server, 'GET', `/api/2.0/mlflow/artifacts/list?run_id=${run}`);
  const download = (run: string, path: string): Promise<Answer> =>
    send(server, 'GET', `/get-artifact?run_id=${run}&path=${path}`);

  test('a local folder below the configured root and the workspace is listed and read', async () => {
    const folder = join(server.localRoot, first.guid, '0', 'r');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'model'), 'bytes');
    for (const uri of [folder, `file://${folder}`, `${folder}/`]) {
      server.runs.set('local', uri);
      expect((await list('local')).json).toEqual({
        root_uri: uri,
        files: [{ path: 'model', is_dir: false, file_size: 5 }],
      });
      expect((await download('local', 'model')).text).toBe('bytes');
    }
  });

  test('every other local folder is left alone', async () => {
    await mkdir(join(server.localRoot, second.guid));
    await writeFile(join(server.localRoot, second.guid, 'secret'), 'secret');
    const own = join(server.localRoot, first.guid);
    const others = ['/etc', 'file:///etc', '/', server.outside, server.localRoot, server.destination, `${own}-twin`];
    for (const uri of [...others, `${own}/../${second.guid}`, join(server.localRoot, second.guid)]) {
      server.runs.set('local', uri);
      for (const answer of [await list('local'), await download('local', 'secret')]) {
        expect(answer, uri).toMatchObject({
          status: 400,
          json: {
            error_code: 'INVALID_PARAMETER_VALUE',
            message: expect.stringContaining('outside of the configured artifact roots') as string,
          },
        });
      }
    }
  });

  test('a place that clients reach without the server is named', async () => {
    for (const uri of ['s3://bucket/x', 'http://169.254.169.254/latest', 'unknown://x']) {
      server.runs.set('remote', uri);
      const scheme = uri.split(':')[0] ?? '';
      expect(await list('remote')).toMatchObject({
        status: 501,
        json: { error_code: 'NOT_IMPLEMENTED', message: expect.stringContaining(`'${scheme}:'`) as string },
      });
      expect((await download('remote', 'x')).status).toBe(501);
    }
  });
});

describe('access', () => {
  test('nothing of one workspace is reachable from another', async () => {
    const elsewhere = { 'x-workspace': 'second' };
    await put('0/run/artifacts/x', 'of the first');
    expect((await get('0/run/artifacts/x', elsewhere)).status).toBe(404);
    expect((await send(server, 'GET', proxy, { headers: elsewhere })).json).toEqual({ files: [] });
    expect((await send(server, 'GET', '/get-artifact?run_id=run&path=x', { headers: elsewhere })).status).toBe(404);
    await put('0/run/artifacts/x', 'of the second', elsewhere);
    await send(server, 'DELETE', `${proxy}/0`, { headers: elsewhere });
    expect((await get('0/run/artifacts/x')).text).toBe('of the first');
    expect((await get(`${first.guid}/0/run/artifacts/x`)).status).toBe(404);
    expect((await get(`../${first.guid}/0/run/artifacts/x`, elsewhere)).status).toBe(400);
  });

  test('every transfer is decided by its actions before anything is read or written', async () => {
    await put('kept', 'x');
    server.decided.length = 0;
    const headers = { authorization: 'nobody' };
    for (const method of ['GET', 'HEAD', 'PUT']) {
      const answer = await send(server, method, `${proxy}/kept`, { headers, body: method === 'PUT' ? 'y' : '' });
      expect(answer.status).toBe(403);
    }
    expect((await send(server, 'GET', '/get-artifact?run_id=run&path=kept', { headers })).status).toBe(403);
    expect(server.decided.map((actions) => actions[0])).toEqual([
      'experiments/runs/read',
      'experiments/runs/read',
      'experiments/runs/write',
      'experiments/runs/read',
    ]);
    expect((await get('kept')).text).toBe('x');
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('It did not happen within five seconds');
    await pause(10);
  }
}
