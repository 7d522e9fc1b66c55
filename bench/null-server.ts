/** The least that one node:http process can do for a request: the server behind calibrator Ch. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const body = Buffer.from('{}');
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
});

server.listen(0, '127.0.0.1', () => {
  process.send?.((server.address() as AddressInfo).port); // an AddressInfo because it listens on TCP
});
process.once('disconnect', () => process.exit(0));
