import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

/** Runs OpenSSL in a folder. */
export function openssl(folder: string, ...words: string[]): void {
  execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
}

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'lazuli-sign-in-'));
}

/** A certificate for loopback from an issuer that this process trusts from now on. */
export function trustedLoopbackCertificate(): { key: string; cert: string } {
  const folder = newFolder();
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(folder, 'req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test CA', '-days', '2');
  openssl(folder, 'req', ...ec, '-keyout', 'tls.key', '-out', 'tls.csr', '-subj', '/CN=localhost');
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  openssl(folder, 'x509', '-req', '-in', 'tls.csr', '-out', 'tls.pem', ...issuer);
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  setDefaultCACertificates([...getCACertificates(), read('ca.pem')]);
  return { key: read('tls.key'), cert: read('tls.pem') };
}

/** The certificate of an application, `client.pem` and `client.key` in a folder of its own. */
export function clientCertificate(): { folder: string; pem: string } {
  const folder = newFolder();
  const words = ['-newkey', 'rsa:2048', '-nodes', '-keyout', 'client.key', '-out', 'client.pem'];
  openssl(folder, 'req', '-x509', ...words, '-subj', '/CN=app', '-days', '2');
  return { folder, pem: readFileSync(join(folder, 'client.pem'), 'utf8') };
}
