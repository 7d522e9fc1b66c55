import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { startServer, type TestServer } from '../server-fixture.ts';

/** A server behind HTTPS on loopback, because Azure's clients send tokens no other way; its certificate signs itself. */
export interface HttpsFront extends AsyncDisposable {
  readonly origin: string;
  /** What clients have to trust, in PEM. */
  readonly certificate: string;
  readonly server: TestServer;
}

export async function anHttpsFront(flags: Record<string, string> = {}): Promise<HttpsFront> {
  const { certificate, key } = await aCertificate();
  const front = createHttpsServer({ cert: certificate, key });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  const origin = `https://127.0.0.1:${(front.address() as AddressInfo).port}`;
  const dataDir = flags['data-dir'] ?? (await mkdtemp(join(tmpdir(), 'lazuli-https-')));
  const server = await startServer({ 'data-dir': dataDir, 'public-url': origin, ...flags });
  front.on('request', (request, response) => server.server.app.server.emit('request', request, response));
  return {
    origin,
    certificate,
    server,
    async [Symbol.asyncDispose]() {
      front.closeAllConnections();
      front.close();
      await server[Symbol.asyncDispose]();
      if (flags['data-dir'] === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function aCertificate(): Promise<{ certificate: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const hour = 3_600_000;
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomUUID().replaceAll('-', ''),
    name: 'CN=127.0.0.1',
    notBefore: new Date(Date.now() - hour),
    notAfter: new Date(Date.now() + 24 * hour),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'localhost' },
      ]),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { certificate: made.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` };
}
