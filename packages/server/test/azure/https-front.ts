import type { AddressInfo } from 'node:net';
import { startTlsFront } from '../identity/tls-front.ts';
import { startServer, type TestServer } from '../server-fixture.ts';

/** A server behind TLS on loopback, because Azure's clients send tokens no other way. */
export interface HttpsFront extends AsyncDisposable {
  readonly origin: string;
  /** What clients have to trust, in PEM. */
  readonly certificate: string;
  readonly server: TestServer;
}

export async function anHttpsFront(flags: Record<string, string> = {}): Promise<HttpsFront> {
  const front = await startTlsFront();
  const server = await startServer({ 'public-url': front.url, ...flags });
  await server.server.listen();
  front.leadTo((server.server.app.server.address() as AddressInfo).port);
  return {
    origin: front.url,
    certificate: front.certificate,
    server,
    async [Symbol.asyncDispose]() {
      await front.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
