import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startServer, type TestServer } from '../server-fixture.ts';
import { startTlsFront } from './tls-front.ts';

/** A server that listens, with TLS in front of it. */
export interface SecureAuthority extends TestServer {
  /** Of https, which is also its issuer's. */
  readonly url: string;
  /** Of http: managed identities may be asked without TLS. */
  readonly plainUrl: string;
  /** Whoever trusts it trusts the server. */
  readonly caFile: string;
}

export async function startSecureAuthority(flags: Record<string, string> = {}): Promise<SecureAuthority> {
  const front = await startTlsFront();
  const server = await startServer({ 'public-url': front.url, ...flags });
  await server.server.listen();
  const { port } = server.server.app.server.address() as AddressInfo;
  front.leadTo(port);
  const caFile = join(server.dataDir, 'ca.pem');
  writeFileSync(caFile, front.certificate);
  return {
    ...server,
    url: front.url,
    plainUrl: `http://127.0.0.1:${port}`,
    caFile,
    async [Symbol.asyncDispose]() {
      await front.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
