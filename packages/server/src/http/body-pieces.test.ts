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

test('a long body is let go of as it passes', async () => {
  const chunk = randomBytes(1_000_000);
  const count = 50;
  const [sent, got] = [createHash('sha256'), createHash('sha256')];
  function* chunks(): Generator<Buffer> {
    for (let index = 0; index < count; index += 1) {
      sent.update(chunk);
      yield chunk;
    }
  }
  const read = await receive(chunks(), { 'content-length': count * chunk.byteLength }, async (incoming) => {
    const memory: ArrayBufferLike[] = [];
    incoming.on('data', ({ buffer }: Uint8Array) => memory.push(buffer));
    for await (const piece of bodyPieces(incoming)) got.update(piece);
    return memory;
  });
  expect(got.digest('hex')).toBe(sent.digest('hex'));
  expect(read.length).toBeGreaterThan(200);
  // What was read together with the head of the request shares its memory.
  const kept = read.filter((buffer) => buffer instanceof ArrayBuffer && !buffer.detached);
  expect(kept.length).toBeLessThan(3);
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
