import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openConnection, requestBytes } from './http-connection.ts';

/** Asks a server that answers with exactly these pieces, each written on its own. */
async function answerOf(pieces: readonly string[]): Promise<{ status: number; body: string }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.setNoDelay());
    socket.once('data', () => {
      void (async () => {
        for (const piece of pieces) {
          await new Promise((written) => socket.write(piece, written));
          for (let i = 0; i < 20; i += 1) await nextTurn();
        }
      })();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  try {
    return await new Promise((resolve, reject) => {
      const events = {
        answered(status: number, body: Buffer) {
          resolve({ status, body: body.toString() });
        },
        lost: reject,
      };
      openConnection(address, events).then((connection) => {
        connection.send(requestBytes(address, 'GET', '/'));
      }, reject);
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

test('an answer in one write is read whole', async () => {
  const answer = await answerOf(['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello']);
  expect(answer).toEqual({ status: 200, body: 'hello' });
});

test('an answer whose head and body come apart, at any byte, is read whole', async () => {
  const answer = await answerOf(['HTTP/1.1 40', '4 Not Found\r\ncontent-length:5\r\n\r', '\nhe', 'llo']);
  expect(answer).toEqual({ status: 404, body: 'hello' });
});

test('a chunked answer is joined, also when its end comes in two reads', async () => {
  const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  const answer = await answerOf([`${head}5\r\nhel`, 'lo\r\n7\r\n, again\r\n0\r\n', '\r\n']);
  expect(answer).toEqual({ status: 200, body: 'hello, again' });
});

test('a chunk that looks like the end of the body is not taken for it', async () => {
  const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  const answer = await answerOf([`${head}9\r\nabcd`, '0\r\n\r\n', '\r\n1\r\nz\r\n', '0\r\n\r\n']);
  expect(answer).toEqual({ status: 200, body: 'abcd0\r\n\r\nz' });
});
