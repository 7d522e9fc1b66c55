import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import 'reflect-metadata';
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { startServer, type TestServer } from '../server-fixture.ts';

/**
 * A server that listens, with TLS in front of it: Microsoft's libraries speak to no authority without. Whoever trusts `caFile`
 * trusts it.
 */
export interface SecureAuthority extends TestServer {
  /** Of https, which is also its issuer's. */
  readonly url: string;
  /** Of http: managed identities may be asked without TLS. */
  readonly plainUrl: string;
  readonly caFile: string;
}

export async function startSecureAuthority(flags: Record<string, string> = {}): Promise<SecureAuthority> {
  const { certificate, key } = await makeCertificate();
  let target = 0;
  const front = createServer({ cert: certificate, key }, (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const forwarded = request({ host: '127.0.0.1', port: target, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  await listening(front);
  const url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`;
  const server = await startServer({ 'public-url': url, ...flags });
  await server.server.listen();
  target = (server.server.app.server.address() as AddressInfo).port;
  const caFile = join(server.dataDir, 'ca.pem');
  writeFileSync(caFile, certificate);
  return {
    ...server,
    url,
    plainUrl: `http://127.0.0.1:${target}`,
    caFile,
    async [Symbol.asyncDispose]() {
      front.closeAllConnections();
      await new Promise((resolve) => front.close(resolve));
      await server[Symbol.asyncDispose]();
    },
  };
}

async function listening(server: SecureServer): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}

async function makeCertificate(): Promise<{ certificate: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['127.0.0.1'] }],
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'localhost' },
      ]),
    ],
  });
  const exported = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const lines = exported.match(/.{1,64}/g) ?? [];
  return {
    certificate: certificate.toString('pem'),
    key: ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n'),
  };
}
