/** A port of the loopback interface that nobody listens on at the moment. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo; // an AddressInfo because it listens on TCP
      probe.close(() => {
        resolve(port);
      });
    });
  });
}
