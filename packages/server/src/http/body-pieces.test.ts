import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { transferBufferBytes } from '../artifact-store/transfer-buffers.ts';
import { bodyPieces } from './body-pieces.ts';

type Headers = Readonly<Record<string, string | number>>;

/** Sends chunks to a server, and gives what it makes of the request. */
async function receive<T>(
  chunks: Iterable<Buffer>,
  headers: Headers,
  read: (request: IncomingMessage) => Promise<T>,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const server = createServer((incoming, answer) => {
    read(incoming)
      .then(resolve, reject)
      .finally(() => answer.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sent = request({ port, host: '127.0.0.1', method: 'PUT', headers, agent: false });
  const answered = once(sent, 'response');
  for (const chunk of chunks) if (!sent.write(chunk)) await once(sent, 'drain');
  sent.end();
  try {
    return await promise;
  } finally {
    await answered;
    server.close();
  }
}

test.each([
  ['nothing', []],
  ['a byte', [1]],
  ['chunks of many sizes', [1, 70_000, 3, 1_000_000, 65_536]],
  ['as much as a piece', [transferBufferBytes]],
  ['a little more than a piece', [transferBufferBytes, 1]],
])('%s comes in pieces as it was sent, whether or not its length is known', async (_, sizes) => {
  const chunks = sizes.map((size) => randomBytes(size));
  const bytes = Buffer.concat(chunks);
  for (const headers of [{ 'content-length': bytes.byteLength }, { 'transfer-encoding': 'chunked' }] as Headers[]) {
    const got = await receive(chunks, headers, async (incoming) => {
      const pieces: Buffer[] = [];
      const length = headers['content-length'] === undefined ? undefined : bytes.byteLength;
      for await (const piece of bodyPieces(incoming, length)) pieces.push(Buffer.from(piece));
      return Buffer.concat(pieces);
    });
    expect(got.equals(bytes)).toBe(true);
  }
});

test('a long body passes through a few buffers', async () => {
  const chunk = randomBytes(1_000_000);
  const before = process.memoryUsage().arrayBuffers;
  const [sent, got] = [createHash('sha256'), createHash('sha256')];
  function* chunks(): Generator<Buffer> {
    for (let count = 0; count < 200; count += 1) {
      sent.update(chunk);
      yield chunk;
    }
  }
  const most = await receive(chunks(), { 'transfer-encoding': 'chunked' }, async (incoming) => {
    let highest = 0;
    for await (const piece of bodyPieces(incoming)) {
      got.update(piece);
      highest = Math.max(highest, process.memoryUsage().arrayBuffers);
    }
    return highest;
  });
  expect(got.digest('hex')).toBe(sent.digest('hex'));
  // Without being let go of, chunks of 40 MB and more are about before V8 collects them.
  expect(most - before).toBeLessThan(20_000_000);
});

test('what a reader leaves can be read on', async () => {
  const bytes = randomBytes(3_000_000);
  const left = await receive([bytes], { 'content-length': bytes.byteLength }, async (incoming) => {
    let taken = 0;
    for await (const piece of bodyPieces(incoming, bytes.byteLength)) {
      taken += piece.byteLength;
      break;
    }
    let rest = 0;
    for await (const chunk of incoming) rest += (chunk as Buffer).byteLength;
    return { taken, rest };
  });
  expect(left.taken).toBeGreaterThan(0);
  expect(left.rest).toBeGreaterThan(0);
  expect(left.taken + left.rest).toBeLessThanOrEqual(bytes.byteLength);
});
