import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  clientCertificateCredential,
  clientSecretCredential,
  userPasswordCredential,
  workloadIdentityCredential,
} from '@lazuli/client/azure';
import { clientCertificate, newFolder, openssl } from './certificates.ts';
import { app, startAuthority, type TestAuthority } from './test-authority.ts';

const { folder, pem } = clientCertificate();
const scope = 'https://management.azure.com/.default';
let authority: TestAuthority;
beforeAll(async () => {
  authority = await startAuthority(pem);
});
afterAll(() => authority[Symbol.asyncDispose]());

const options = () => ({ ...app, authorityHost: authority.origin, environment: {} });
const inFolder = (name: string): string => join(folder, name);
const readText = (name: string): string => readFileSync(inFolder(name), 'utf8');
const withCertificate = (certificatePath: string, certificatePassword?: string) =>
  clientCertificateCredential({ ...options(), certificatePath, certificatePassword }).getToken(scope);

describe('a secret', () => {
  test('gets a token with one request, and callers that meet share it', async () => {
    const before = authority.requests.length;
    const credential = clientSecretCredential(options());
    const tokens = await Promise.all([1, 2, 3].map(() => credential.getToken(scope)));
    expect(new Set(tokens.map((token) => token?.token)).size).toBe(1);
    expect(authority.requests.slice(before)).toEqual([`POST /${app.tenantId}/oauth2/v2.0/token`]);
    expect(authority.tokenRequests.at(-1)).toMatchObject({ grant_type: 'client_credentials', scope });
    expect(tokens[0]?.expiresOnTimestamp).toBeGreaterThan(Date.now() + 3_500_000);
  });

  test('that is wrong is refused with what to do, without being repeated in words', async () => {
    const wrong = clientSecretCredential({ ...options(), clientSecret: 'not-the-secret' }).getToken(scope);
    await expect(wrong).rejects.toMatchObject({ failure: 'rejected', errorCode: 'UNAUTHENTICATED' });
    await expect(wrong).rejects.toThrow(/it has to be the value of a secret, not its id\..*AADSTS7000215/);
    await expect(wrong).rejects.not.toThrow(/not-the-secret/);
  });

  test('that still is a reference of Databricks is named as one, and is not sent', async () => {
    const before = authority.requests.length;
    const clientSecret = '{{secrets/azureml/sp}}';
    await expect(clientSecretCredential({ ...options(), clientSecret }).getToken(scope)).rejects.toThrow(
      /AZURE_CLIENT_SECRET is an unresolved reference: it still reads {{secrets\//,
    );
    expect(authority.requests.length).toBe(before);
  });

  test('is not sent where it could be read on the way', async () => {
    const plain = clientSecretCredential({ ...options(), authorityHost: 'http://login.example.org' });
    await expect(plain.getToken(scope)).rejects.toThrow('has to use https');
  });

  test('survives a busy authority, and reports one that stays so after four tries', async () => {
    authority.failNext.push([429, { 'retry-after': '0' }], [503, { 'retry-after': '0' }]);
    expect(await clientSecretCredential(options()).getToken(scope)).toHaveProperty('token');
    const before = authority.requests.length;
    for (let count = 0; count < 4; count++) authority.failNext.push([503, { 'retry-after': '0' }]);
    await expect(clientSecretCredential(options()).getToken(scope)).rejects.toThrow('status 503');
    expect(authority.requests.length - before).toBe(4);
  });
});

describe('a certificate', () => {
  const exportPem = (name: string, ...words: string[]): string => {
    openssl(folder, 'pkcs8', '-topk8', '-in', 'client.key', '-out', `${name}.key`, ...words);
    openssl(folder, 'x509', '-in', 'client.pem', '-out', `${name}.crt`);
    writeFileSync(inFolder(`${name}.pem`), readText(`${name}.key`) + readText(`${name}.crt`));
    return inFolder(`${name}.pem`);
  };
  const exportPkcs12 = (name: string, ...words: string[]): string => {
    openssl(folder, 'pkcs12', '-export', '-in', 'client.pem', '-inkey', 'client.key', '-out', `${name}.pfx`, ...words);
    return inFolder(`${name}.pfx`);
  };

  test.each([
    ['PEM without a password', () => exportPem('plain', '-nocrypt'), undefined],
    ['PEM without a password, where one is given all the same', () => exportPem('plain-2', '-nocrypt'), 'unused'],
    ['PEM with a password', () => exportPem('locked', '-passout', 'pass:geheim'), 'geheim'],
    ['PEM with an empty password', () => exportPem('empty', '-passout', 'pass:'), ''],
    ['PKCS#12 with AES and a password', () => exportPkcs12('aes', '-passout', 'pass:geheim'), 'geheim'],
    ['PKCS#12 with AES and an empty password', () => exportPkcs12('aes-empty', '-passout', 'pass:'), ''],
    [
      'PKCS#12 with AES and an empty password that is not given',
      () => exportPkcs12('aes-none', '-passout', 'pass:'),
      undefined,
    ],
    [
      'PKCS#12 with RC2, 3DES and a password',
      () => exportPkcs12('old', '-legacy', '-passout', 'pass:geheim'),
      'geheim',
    ],
    [
      'PKCS#12 with RC2, 3DES and an empty password',
      () => exportPkcs12('old-empty', '-legacy', '-passout', 'pass:'),
      '',
    ],
    [
      'PKCS#12 with RC2, 3DES and an empty password that is not given',
      () => exportPkcs12('old-none', '-legacy', '-passout', 'pass:'),
      undefined,
    ],
    [
      'PKCS#12 without encryption',
      () => exportPkcs12('open', '-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac', '-passout', 'pass:'),
      undefined,
    ],
  ])('in a file of the kind %s signs in', async (_, make, password) => {
    expect(await withCertificate(make(), password)).toHaveProperty('token');
    expect(authority.tokenRequests.at(-1)).toMatchObject({ grant_type: 'client_credentials', client_id: app.clientId });
  });

  test('is sent with its chain where that is asked for', async () => {
    const certificatePath = exportPem('chain', '-nocrypt');
    await clientCertificateCredential({ ...options(), certificatePath, sendCertificateChain: 'always' }).getToken(
      scope,
    );
    const [header = ''] = (authority.tokenRequests.at(-1)?.['client_assertion'] ?? '').split('.');
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({
      x5c: [expect.stringMatching(/^MII/)],
    });
  });

  test.each([
    ['is not there', () => inFolder('nothing.pem'), undefined, /cannot be read: ENOENT/],
    [
      'is locked, without a password',
      () => exportPem('l1', '-passout', 'pass:geheim'),
      undefined,
      /is encrypted: set AZURE_CLIENT_CERTIFICATE_PASSWORD/,
    ],
    [
      'is locked with another password',
      () => exportPem('l2', '-passout', 'pass:geheim'),
      'falsch',
      /password of the certificate .* is wrong/,
    ],
    [
      'is a locked PKCS#12 file, without a password',
      () => exportPkcs12('l3', '-passout', 'pass:geheim'),
      undefined,
      /is encrypted: set AZURE_CLIENT_CERTIFICATE_PASSWORD/,
    ],
    [
      'is a PKCS#12 file with another password',
      () => exportPkcs12('l4', '-legacy', '-passout', 'pass:geheim'),
      'falsch',
      /password of the certificate .* is wrong/,
    ],
    ['has no key', () => inFolder('client.pem'), undefined, /without a private key/],
    ['has no certificate', () => inFolder('client.key'), undefined, /No certificate in .* belongs to its private key/],
    ['is neither form', () => written('text.txt', 'hello'), undefined, /neither a PEM nor a PKCS#12 file/],
    ['has a key that is not RSA', () => elliptic(), undefined, /of type ec; Entra signs in with RSA keys alone/],
    ['has expired', () => expired(), undefined, /expired at 2001-01-02T00:00:00.000Z/],
  ])('that %s is refused before anything is sent', async (_, make, password, words) => {
    const path = make();
    const before = authority.requests.length;
    await expect(withCertificate(path, password)).rejects.toThrow(words);
    expect(authority.requests.length).toBe(before);
  });

  function written(name: string, text: string): string {
    writeFileSync(inFolder(name), text);
    return inFolder(name);
  }

  function elliptic(): string {
    const words = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=ec'];
    openssl(folder, 'req', '-x509', ...words, '-keyout', 'ec.key', '-out', 'ec.crt');
    return written('ec.pem', readText('ec.key') + readText('ec.crt'));
  }

  function expired(): string {
    openssl(folder, 'req', '-new', '-key', 'client.key', '-out', 'old.csr', '-subj', '/CN=old');
    writeFileSync(inFolder('index.txt'), '');
    writeFileSync(inFolder('serial'), '01');
    writeFileSync(
      inFolder('ca.cnf'),
      '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n',
    );
    const dates = ['-startdate', '20010101000000Z', '-enddate', '20010102000000Z'];
    openssl(
      folder,
      'ca',
      '-batch',
      '-config',
      'ca.cnf',
      '-selfsign',
      '-keyfile',
      'client.key',
      '-in',
      'old.csr',
      '-out',
      'old.crt',
      '-notext',
      ...dates,
    );
    return written('expired.pem', readText('client.key') + readText('old.crt'));
  }
});

test('a federated token is read anew for each sign-in', async () => {
  const tokenFilePath = join(newFolder(), 'token');
  const credential = workloadIdentityCredential({ ...options(), tokenFilePath });
  await expect(credential.getToken(scope)).rejects.toMatchObject({ failure: 'unavailable' });
  writeFileSync(tokenFilePath, 'federated\n');
  expect(await credential.getToken(scope)).toHaveProperty('token');
  expect(authority.tokenRequests.at(-1)?.['client_assertion']).toBe('federated');
});

test('a user name signs in with its password', async () => {
  const credential = userPasswordCredential({ ...options(), username: 'ada@example.org', password: 'pass' });
  expect(await credential.getToken(scope)).toHaveProperty('token');
  const wrong = userPasswordCredential({ ...options(), username: 'ada@example.org', password: 'none' });
  await expect(wrong.getToken(scope)).rejects.toThrow('User name or password is wrong.');
});
