/** The least that one node:http process can do to keep a file and give it back: the server behind calibrators Cu and Cd. */
import { createReadStream, createWriteStream } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

const file = process.argv[2];
if (file === undefined) throw new Error('the file to keep is not named');

async function serve(file: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'PUT') {
    // Flushed, because what a server has acknowledged outlives a loss of power.
    await pipeline(request, createWriteStream(file, { flush: true }));
    response.end();
  } else {
    await pipeline(createReadStream(file), response);
  }
}

const server = createServer((request, response) => {
  serve(file, request, response).catch((error: unknown) => response.destroy(error as Error)); // streams fail with an Error
});

server.listen(0, '127.0.0.1', () => {
  process.send?.((server.address() as AddressInfo).port); // an AddressInfo because it listens on TCP
});
process.once('disconnect', () => process.exit(0));
