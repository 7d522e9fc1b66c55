import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { beforeEach, describe, expect, test } from 'vitest';
import { aServerForEachTest, proxy, send, type Answer } from './fixture.ts';

const own = aServerForEachTest();
const { put, get } = own;

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
    const [got, head] = [await get('digits.txt'), await send(own.server, 'HEAD', `${proxy}/digits.txt`)];
    expect(head).toMatchObject({ status: 200, text: '' });
    const lasting = ({ headers }: Answer): object => ({ ...headers, date: '', connection: '', 'keep-alive': '' });
    expect(lasting(head)).toEqual(lasting(got));
    expect((await send(own.server, 'HEAD', `${proxy}/nothing`)).status).toBe(404);
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
      expect((await send(own.server, 'HEAD', `${proxy}/digits.txt`)).status).toBe(200);
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
        const sent = request({ port: own.server.port, path: `${proxy}/large` }, (response) => {
          response.once('data', () => response.destroy());
          response.once('close', resolve);
        });
        sent.on('error', () => undefined).end();
      });
    }
    expect((await get('large')).body).toHaveLength(30_000_000);
  });
});

describe('downloading from a run', () => {
  test('reads below the artifacts of the run, with ranges', async () => {
    await put('0/run/artifacts/d/x.txt', '0123456789');
    for (const id of ['run_id', 'run_uuid']) {
      const path = `/get-artifact?${id}=run&path=d%2Fx.txt`;
      expect(await send(own.server, 'GET', path)).toMatchObject({ status: 200, text: '0123456789' });
      expect((await send(own.server, 'HEAD', path)).headers['content-length']).toBe('10');
      expect(await send(own.server, 'GET', path, { headers: { range: 'bytes=-2' } })).toMatchObject({
        status: 206,
        text: '89',
      });
    }
    const message = async (query: string): Promise<Answer> => send(own.server, 'GET', `/get-artifact?${query}`);
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
