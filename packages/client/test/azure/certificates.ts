import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, onTestFinished } from 'vitest';

/** Runs OpenSSL in a folder. */
export function openssl(folder: string, ...words: string[]): void {
  execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
}

function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'lazuli-sign-in-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A folder for the test that asks for it. */
export function newFolder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

/** A certificate for loopback from an issuer that this process trusts from now on. */
export function trustedLoopbackCertificate(): { key: string; cert: string } {
  const { path: folder, remove } = temporaryFolder();
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(folder, 'req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test CA', '-days', '2');
  openssl(folder, 'req', ...ec, '-keyout', 'tls.key', '-out', 'tls.csr', '-subj', '/CN=localhost');
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  openssl(folder, 'x509', '-req', '-in', 'tls.csr', '-out', 'tls.pem', ...issuer);
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  setDefaultCACertificates([...getCACertificates(), read('ca.pem')]);
  const certificate = { key: read('tls.key'), cert: read('tls.pem') };
  remove();
  return certificate;
}

/** The certificate of an application for the tests of a file, `client.pem` and `client.key` in a folder of its own. */
export function clientCertificate(): { folder: string; pem: string } {
  const { path: folder, remove } = temporaryFolder();
  afterAll(remove);
  const words = ['-newkey', 'rsa:2048', '-nodes', '-keyout', 'client.key', '-out', 'client.pem'];
  openssl(folder, 'req', '-x509', ...words, '-subj', '/CN=app', '-days', '2');
  return { folder, pem: readFileSync(join(folder, 'client.pem'), 'utf8') };
}
