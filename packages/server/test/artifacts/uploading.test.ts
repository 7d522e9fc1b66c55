import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { aServerForEachTest, anArtifactServer, digest, first, proxy, send, type Answer } from './fixture.ts';

const own = aServerForEachTest();
const { put, get } = own;

describe('uploading', () => {
  test('an uploaded file comes back byte for byte under both prefixes', async () => {
    const bytes = randomBytes(5_000_000);
    const uploaded = await put('0/run/artifacts/model.bin', bytes);
    expect(uploaded).toMatchObject({ status: 200, text: '' });
    expect(uploaded.headers['content-length']).toBe('0');
    expect(uploaded.headers['content-type']).toBeUndefined();
    for (const prefix of ['/api', '/ajax-api']) {
      const path = `${prefix}/2.0/mlflow-artifacts/artifacts/0/run/artifacts/model.bin`;
      expect(digest((await send(own.server, 'GET', path)).body)).toBe(digest(bytes));
    }
    expect(await readdir(join(own.server.destination, first.guid, '0/run/artifacts'))).toEqual(['model.bin']);
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
      const sent = request({ port: own.server.port, method: 'PUT', path: `${proxy}/${name}`, headers });
      sent.on('error', () => undefined);
      sent.write(randomBytes(2_000_000));
      await until(async () => (await own.server.staged()).length === 1);
      sent.destroy();
      await until(async () => (await own.server.staged()).length === 0);
    }
    expect((await get('kept')).text).toBe('old');
    expect((await send(own.server, 'GET', proxy)).json).toEqual({
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

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('It did not happen within five seconds');
    await pause(10);
  }
}
