import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProcess, type ServerProcess } from '../crash/server-process.ts';
import { ask, openRaw, request } from './raw-connection.ts';

const maxBodyBytes = 64 * 1024;
let dataDir: string;
let server: ServerProcess;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lazuli-connections-'));
  server = await startProcess({ dataDir, flags: ['--max-body-size', String(maxBodyBytes)] });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

const createPath = '/api/2.0/mlflow/experiments/create';
const health = request('GET', '/health');
const create = (name: string): string => request('POST', createPath, JSON.stringify({ name }));

async function exists(name: string): Promise<boolean> {
  const { experiments = [] } = await server.client.experiments.searchExperiments({
    max_results: 1,
    filter: `name = '${name}'`,
  });
  return experiments.length > 0;
}

describe('on one connection', () => {
  test('requests that are sent together are answered in their order', async () => {
    using connection = await openRaw(server.port);
    const names = Array.from({ length: 50 }, (_, index) => `pipelined ${index}`);
    connection.write(names.map(create).join('') + health);
    const ids: number[] = [];
    for (const _ of names)
      ids.push(Number((JSON.parse((await connection.answer()).body) as { experiment_id: string }).experiment_id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect((await connection.answer()).body).toBe('OK');
  });

  test('a refused request leaves the way free for the next one', async () => {
    using connection = await openRaw(server.port);
    for (const [refused, status] of [
      [request('POST', createPath, '{'), 400],
      [request('POST', createPath, '{}', { 'Content-Type': 'text/plain' }), 400],
      [request('GET', '/nowhere'), 404],
      [request('PUT', createPath, '{}'), 405],
      [request('GET', '/api/2.0/mlflow/runs/get?run_id=nope'), 404],
      [request('GET', '/api/2.0/mlflow/experiments/list', undefined, { Host: 'example.org' }), 403],
    ] as const) {
      connection.write(refused);
      expect((await connection.answer()).status).toBe(status);
      connection.write(health);
      expect((await connection.answer()).body).toBe('OK');
    }
  });

  test('a client that closes its half after the request gets its answer', async () => {
    using connection = await openRaw(server.port);
    connection.write(create('half closed'));
    connection.socket.end();
    expect((await connection.answer()).status).toBe(200);
    await connection.closed();
  });

  test('a client that goes away in the middle of a body has changed nothing', async () => {
    const whole = create('gone away');
    {
      using connection = await openRaw(server.port);
      connection.write(whole.slice(0, -1));
      connection.socket.end();
      await connection.closed();
    }
    expect(await exists('gone away')).toBe(false);
  });

  test('a body that comes byte by byte is read', async () => {
    using connection = await openRaw(server.port);
    for (const byte of create('byte by byte')) {
      connection.write(byte);
      await new Promise(setImmediate);
    }
    expect((await connection.answer()).status).toBe(200);
  });

  test('a chunked body is read', async () => {
    const body = JSON.stringify({ name: 'chunked' });
    const chunks = Array.from(body, (byte) => `1\r\n${byte}\r\n`).join('');
    const head = request('POST', createPath, undefined, {
      'Content-Type': 'application/json',
      'Transfer-Encoding': 'chunked',
    });
    expect((await ask(server.port, `${head}${chunks}0\r\n\r\n`)).status).toBe(200);
  });
});

describe('a body that is too large', () => {
  const tooLarge = {
    error_code: 'BAD_REQUEST',
    message: `The request body is larger than the ${maxBodyBytes} bytes that this server takes.`,
  };

  test('is refused as its length is announced, in the shape of MLflow', async () => {
    const announced = request('POST', createPath, '', { 'Content-Length': String(10 ** 12) });
    const { status, body, headers } = await ask(server.port, announced);
    expect({ status, body: JSON.parse(body) as unknown }).toMatchObject({ status: 413, body: tooLarge });
    expect(headers['content-type']).toMatch(/^application\/json/);
  });

  test('is refused as it exceeds the limit where no length is announced, and the rest is not taken', async () => {
    using connection = await openRaw(server.port);
    connection.write(
      request('POST', createPath, undefined, { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' }),
    );
    const chunk = `${(16_384).toString(16)}\r\n${' '.repeat(16_384)}\r\n`;
    for (let sent = 0; sent <= maxBodyBytes; sent += 16_384) connection.write(chunk);
    const { status, body } = await connection.answer();
    expect({ status, body: JSON.parse(body) as unknown }).toMatchObject({ status: 413, body: tooLarge });
    await connection.closed();
  });

  test('of exactly the limit is taken', async () => {
    const body = JSON.stringify({ name: 'as large as it may be' });
    const padded = body + ' '.repeat(maxBodyBytes - body.length);
    expect((await ask(server.port, request('POST', createPath, padded))).status).toBe(200);
    expect((await ask(server.port, request('POST', createPath, `${padded} `))).status).toBe(413);
  });
});

/** Forms in which two readers of HTTP see different requests. What hides in them must not be carried out. */
const smuggled = create('smuggled');
const lengthAnd = (headers: string, body: string): string =>
  `POST ${createPath} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`;
const smuggling: readonly (readonly [form: string, text: string])[] = [
  ['a length and chunks', lengthAnd(`Content-Length: 5\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${smuggled}`)],
  ['chunks and a length', lengthAnd(`Transfer-Encoding: chunked\r\nContent-Length: 5`, `0\r\n\r\n${smuggled}`)],
  ['two lengths', lengthAnd(`Content-Length: 0\r\nContent-Length: ${smuggled.length}`, smuggled)],
  ['two lengths in one header', lengthAnd(`Content-Length: 0, ${smuggled.length}`, smuggled)],
  ['a length with a sign', lengthAnd('Content-Length: +0', smuggled)],
  ['a negative length', lengthAnd('Content-Length: -1', smuggled)],
  ['a hexadecimal length', lengthAnd('Content-Length: 0x0', smuggled)],
  ['an unknown transfer coding', lengthAnd('Transfer-Encoding: xchunked', smuggled)],
  ['chunks that are not the last coding', lengthAnd('Transfer-Encoding: chunked, identity', `0\r\n\r\n${smuggled}`)],
  ['a blank before the colon', lengthAnd('Transfer-Encoding : chunked', `0\r\n\r\n${smuggled}`)],
  ['a folded header', lengthAnd('Transfer-Encoding:\r\n chunked', `0\r\n\r\n${smuggled}`)],
  ['a chunk length that overflows', lengthAnd('Transfer-Encoding: chunked', `10000000000000000\r\n${smuggled}`)],
  ['a chunk length that is no number', lengthAnd('Transfer-Encoding: chunked', `0x0\r\n\r\n${smuggled}`)],
  ['a chunk that is longer than it says', lengthAnd('Transfer-Encoding: chunked', `1\r\nab\r\n0\r\n\r\n${smuggled}`)],
  ['lines that end with a line feed alone', lengthAnd('X: y\nTransfer-Encoding: chunked', `0\r\n\r\n${smuggled}`)],
  [
    'lines that end with a carriage return alone',
    lengthAnd('X: y\rTransfer-Encoding: chunked', `0\r\n\r\n${smuggled}`),
  ],
  ['a NUL in a header', lengthAnd('X: \0y', smuggled)],
  ['a header without a name', lengthAnd(': y', smuggled)],
  ['a newer HTTP', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${smuggled}`],
  ['no HTTP', `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${smuggled}`],
  ['another method', `DEBUG / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${smuggled}`],
];

describe('a request that can be read in two ways', () => {
  test.each(smuggling)('is refused, and what hides in it is not carried out: %s', async (_, text) => {
    using connection = await openRaw(server.port);
    connection.write(text);
    const { status, headers, body } = await connection.answer();
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' });
    expect(JSON.parse(body)).toMatchObject({ error_code: 'BAD_REQUEST' });
    await connection.closed();
    expect(await exists('smuggled')).toBe(false);
  });
});

describe('headers', () => {
  test.each([
    [
      'a second Host',
      `GET /api/2.0/mlflow/experiments/get?experiment_id=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: example.org\r\n\r\n`,
    ],
    ['an empty Host', `GET /api/2.0/mlflow/experiments/get?experiment_id=0 HTTP/1.1\r\nHost: \r\n\r\n`],
    [
      'a whole URL for another host',
      `GET http://example.org/api/2.0/mlflow/experiments/get?experiment_id=0 HTTP/1.1\r\nHost: example.org\r\n\r\n`,
    ],
    ['no Host', `POST ${createPath} HTTP/1.1\r\nContent-Length: 0\r\n\r\n`],
    ['no Host in an older HTTP', `GET /api/2.0/mlflow/experiments/get?experiment_id=0 HTTP/1.0\r\n\r\n`],
  ])('with %s are refused', async (_, text) => {
    const { status, headers, body } = await ask(server.port, text);
    expect({ status, body }).toEqual({
      status: 403,
      body: 'Invalid Host header - possible DNS rebinding attack detected',
    });
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' });
  });

  test('that are too many or too long are refused with 431', async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => `x-${index}: y`).join('\r\n');
    for (const text of [
      `GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n${many}\r\n\r\n`,
      request('GET', '/health', undefined, { 'X-Long': 'y'.repeat(100_000) }),
      request('GET', `/health?${'y'.repeat(100_000)}`),
    ]) {
      const { status, headers, body } = await ask(server.port, text);
      expect(status).toBe(431);
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' });
      expect(JSON.parse(body)).toMatchObject({ error_code: 'BAD_REQUEST' });
    }
  });

  test('of an answer hold nothing that a request has put there', async () => {
    for (const text of [
      request('GET', '/api/2.0/mlflow/experiments/get?experiment_id=%0d%0aSet-Cookie:%20a=b'),
      request('GET', '/%0d%0aSet-Cookie:%20a=b'),
      request('GET', '/', undefined, { 'X-MLFLOW-WORKSPACE': 'a%0d%0aSet-Cookie: a=b' }),
      request('GET', '/get-artifact?run_id=x&path=%0d%0aSet-Cookie:%20a=b'),
      request('PUT', createPath, '{}', { 'X-Request-Id': 'mine; Set-Cookie: a=b', 'X-HTTP-Method-Override': 'POST' }),
    ]) {
      const { head, status } = await ask(server.port, text);
      expect(head).not.toMatch(/^set-cookie|mine/im);
      expect(status === 200 || status >= 400).toBe(true);
    }
  });
});

describe('the log', () => {
  test('has one line of JSON a request, whatever the request holds', async () => {
    const odd = ['%0a{"level":60,"msg":"forged"}', '%1b[2J%1b[31m', '%e2%80%a8', '\u0085', '%00', '"}{"', '%ff'];
    await using logging = await startProcess({ dataDir: join(dataDir, 'logging') });
    const forged = '{"level":60,"msg":"forged"}';
    let sent = 0;
    for (const text of odd) {
      for (const line of [
        request('GET', `/marked/${text}?x=${text}`),
        request('GET', '/marked/header', undefined, {
          'User-Agent': forged,
          'X-MLFLOW-WORKSPACE': `\t${forged}`,
          Referer: text,
        }),
        request('POST', createPath, JSON.stringify({ name: `\n${forged}\u001b[31m` })),
      ]) {
        using connection = await openRaw(logging.port);
        connection.write(Buffer.from(line, 'utf8'));
        // What is no HTTP at all is answered without being a request.
        if ((await connection.answer()).headers['x-request-id'] !== undefined) sent++;
      }
    }
    logging.signal('SIGTERM');
    await logging.ended;
    const lines = logging
      .output()
      .split('\n')
      .filter((line) => line.includes('"method"'));
    // The path without its query, and nothing of the body.
    expect(lines).toHaveLength(sent);
    expect(sent).toBeGreaterThan(2 * odd.length);
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ status: expect.any(Number) as number, level: 30 });
    // Bytes that a terminal would act upon.
    // eslint-disable-next-line no-control-regex
    expect(logging.output()).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
    expect(logging.logLines().filter(({ msg }) => msg === 'forged')).toEqual([]);
  });
});

describe('many connections', () => {
  test('a thousand that say nothing and a hundred that say it slowly keep nobody else waiting', async () => {
    const idle = await Promise.all(Array.from({ length: 1_000 }, () => openRaw(server.port)));
    const slow = await Promise.all(Array.from({ length: 100 }, () => openRaw(server.port)));
    try {
      const [head = ''] = create('slow').split('\r\n\r\n');
      slow.forEach((connection, index) => connection.write(index % 2 === 0 ? head.slice(0, 40) : `${head}\r\n\r\n{`));
      for (let time = 0; time < 20; time++) {
        for (const connection of slow) connection.write(time % 2 === 0 ? 'x' : 'y');
        expect((await ask(server.port, health, 1_000)).body).toBe('OK');
      }
      expect((await ask(server.port, create('beside slow ones'), 1_000)).status).toBe(200);
    } finally {
      for (const { socket } of [...idle, ...slow]) socket.destroy();
    }
  });

  test('and requests that name ever new things do not make the server grow', async () => {
    const flood = async (requests: number): Promise<void> => {
      await Promise.all(
        Array.from({ length: 10 }, async (_, client) => {
          using connection = await openRaw(server.port);
          for (let sent = 0; sent < requests / 10; sent += 5) {
            const id = `${requests}-${client}-${sent}`;
            const filler = id.repeat(200).slice(0, 2_000);
            connection.write(
              request('GET', '/api/2.0/mlflow/runs/get?run_id=1', undefined, { Host: `${id}.example.org` }) +
                request('GET', `/api/2.0/mlflow/runs/get?run_id=${id}`, undefined, {
                  'X-MLFLOW-WORKSPACE': `w-${id}`,
                }) +
                request(
                  'POST',
                  '/api/2.0/mlflow/runs/log-metric',
                  JSON.stringify({ run_id: `${id}${filler}`, key: id, value: 1, timestamp: 1 }),
                ) +
                request(
                  'POST',
                  '/api/2.0/mlflow/runs/search',
                  JSON.stringify({ experiment_ids: ['0'], filter: `tags.\`${filler}\` = 'x'` }),
                ) +
                request('GET', '/api/2.0/mlflow/runs/get?run_id=1', undefined, {
                  Authorization: `Bearer lzl_${filler}`,
                }),
            );
            for (let answer = 0; answer < 5; answer++)
              expect((await connection.answer(10_000)).status).toBeLessThan(500);
          }
        }),
      );
    };
    await flood(2_000);
    const warm = residentMb(server.pid);
    await flood(6_000);
    expect(residentMb(server.pid) - warm).toBeLessThan(60);
  });
});

function residentMb(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
}
