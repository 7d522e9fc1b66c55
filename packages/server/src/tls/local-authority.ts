import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { encodeNameConstraints, nameConstraintsId } from './name-constraints.ts';

/**
 * Makes a certificate authority of the server's own and the certificate that it answers with. Keys are on P-256, which
 * every TLS library has and which is made at once. The library for it is loaded only when there is something to make.
 */
export interface KeyPair {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const day = 24 * 60 * 60 * 1000;
const authorityDays = 3650;
/** *Apple's systems take no certificate of a longer life, whoever issued it: 825 days.* */
const leafDays = 397;
/** Clocks differ: a certificate holds from a day before it was made. */
const toleranceMs = day;

export async function makeAuthority(names: readonly string[], now: number): Promise<KeyPair> {
  const x509 = await library();
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ['Lazuli'] }, { CN: [`Lazuli local authority ${new Date(now).toISOString().slice(0, 10)}`] }],
    ...period(now, authorityDays),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      new x509.Extension(nameConstraintsId, true, Uint8Array.from(encodeNameConstraints(names))),
    ],
  });
  return { certificate: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
}

export async function makeLeaf(authority: KeyPair, names: readonly string[], now: number): Promise<KeyPair> {
  const x509 = await library();
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = await crypto.subtle.importKey('pkcs8', derOf(authority.key), algorithm, false, ['sign']);
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ O: ['Lazuli'] }, { CN: ['Lazuli server'] }],
    issuer: issuer.subjectName,
    ...period(now, leafDays),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
}

async function library() {
  // *The library finds its parts by reflection, which JavaScript has only with this.*
  await import('reflect-metadata');
  return await import('@peculiar/x509');
}

function period(now: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - toleranceMs), notAfter: new Date(now + days * day) };
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}

function derOf(pem: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64')).buffer;
}
