import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createClient } from '@lazuli/client';
import {
  azureAuthorization,
  azureCredential,
  deviceCodeCredential,
  interactiveBrowserCredential,
  managedIdentityCredential,
  type AzureAuthorizationOptions,
  type TokenCredential,
} from '@lazuli/client/azure';
import { createClientCertificate, identitySecretFile } from '@lazuli/server';
import { decodeJwt } from 'jose';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anApplication, aUser, formOf } from './authority-fixture.ts';
import { startSecureAuthority, type SecureAuthority } from './secure-authority.ts';

/** The client of this repository, signed in by the built-in authority in each of its ways. */
let server: SecureAuthority;
let scope: string;
beforeAll(async () => {
  server = await startSecureAuthority({ imds: 'on' });
  scope = `${server.url}/.default`;
  setDefaultCACertificates([...getCACertificates(), await readFile(server.caFile, 'utf8')]);
});
afterAll(() => server[Symbol.asyncDispose]());

/** Calls the server as whom the credential signs in, and says who that is. */
async function callerBy(credential: TokenCredential): Promise<string | undefined> {
  const options: AzureAuthorizationOptions = { credential, scope, environment: {} };
  const client = createClient({ url: server.url, authorization: azureAuthorization(options) });
  const { experiment } = await client.experiments.getExperiment({ experiment_id: '0' });
  expect(experiment.name).toBe('Default');
  const token = await credential.getToken(scope);
  return decodeJwt(token?.token ?? '')['oid'] as string | undefined;
}

/** The chain on a machine that has nothing else to sign in with. */
const chain = (environment: Record<string, string>): TokenCredential =>
  azureCredential({ environment: { PATH: '/nowhere', CI: 'true', AZURE_AUTHORITY_HOST: server.url, ...environment } });

test.each(['adfs', 'common'])('a secret signs in, in the tenant that is called %s', async (tenant) => {
  const { appId, secret, object } = await anApplication(server, `secret-${tenant}`);
  const environment = { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: appId, AZURE_CLIENT_SECRET: secret };
  expect(await callerBy(chain(environment))).toBe(object.object_id);
  const wrong = chain({ ...environment, AZURE_CLIENT_SECRET: 'wrong' }).getToken(scope);
  await expect(wrong).rejects.toThrow(/has to be the value of a secret, not its id\. AADSTS7000215/);
});

test('a certificate signs in, as PEM and as PKCS#12', async () => {
  const { directory } = server.client;
  const { object } = await directory.createServicePrincipal({ display_name: 'own-certificate' });
  const { certificate, privateKey } = await createClientCertificate('own-certificate', Date.now() + 86_400_000);
  await directory.addCertificate({ object: object.object_id, certificate });
  const [pem, pfx] = [join(server.dataDir, 'own.pem'), join(server.dataDir, 'own.pfx')];
  await writeFile(pem, `${privateKey}\n${certificate}\n`);
  execFileSync('openssl', ['pkcs12', '-export', '-in', pem, '-out', pfx, '-passout', 'pass:open sesame']);
  const environment = { AZURE_TENANT_ID: 'adfs', AZURE_CLIENT_ID: object.app_id ?? '' };
  expect(await callerBy(chain({ ...environment, AZURE_CLIENT_CERTIFICATE_PATH: pem }))).toBe(object.object_id);
  const locked = { AZURE_CLIENT_CERTIFICATE_PATH: pfx, AZURE_CLIENT_CERTIFICATE_PASSWORD: 'open sesame' };
  expect(await callerBy(chain({ ...environment, ...locked }))).toBe(object.object_id);
});

describe('a certificate that OpenSSL made', () => {
  let folder = '';
  const openssl = (...words: string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  };
  const environment: Record<string, string> = { AZURE_TENANT_ID: 'adfs' };
  let objectId = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(server.dataDir, 'certificates-'));
    const made = ['-keyout', 'key.pem', '-out', 'cert.pem', '-subj', '/CN=by openssl', '-days', '2'];
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...made);
    const { directory } = server.client;
    const { object } = await directory.createServicePrincipal({ display_name: 'by openssl' });
    await directory.addCertificate({
      object: object.object_id,
      certificate: await readFile(join(folder, 'cert.pem'), 'utf8'),
    });
    objectId = object.object_id;
    environment['AZURE_CLIENT_ID'] = object.app_id ?? '';
  });

  const pkcs12 = ['pkcs12', '-export', '-in', 'cert.pem', '-inkey', 'key.pem', '-out', 'file'];
  const pkcs8 = ['pkcs8', '-topk8', '-in', 'key.pem', '-out', 'file'];
  const open = ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac', '-passout', 'pass:'];
  test.each([
    ['PEM with a password', [...pkcs8, '-passout', 'pass:geheim'], 'geheim'],
    ['PEM with an empty password', [...pkcs8, '-passout', 'pass:'], ''],
    ['PEM without one', [...pkcs8, '-nocrypt'], undefined],
    ['PKCS#12 in AES with a password', [...pkcs12, '-passout', 'pass:geheim'], 'geheim'],
    ['PKCS#12 in AES with an empty password', [...pkcs12, '-passout', 'pass:'], ''],
    ['PKCS#12 in RC2 and 3DES with a password', [...pkcs12, '-legacy', '-passout', 'pass:geheim'], 'geheim'],
    ['PKCS#12 in RC2 and 3DES with an empty password', [...pkcs12, '-legacy', '-passout', 'pass:'], ''],
    ['PKCS#12 without a password', [...pkcs12, ...open], undefined],
  ])('signs in: %s', async (_, words, password) => {
    openssl(...words);
    const path = join(folder, 'file');
    if (words[0] === 'pkcs8') await appendFile(path, await readFile(join(folder, 'cert.pem')));
    const certificate = {
      AZURE_CLIENT_CERTIFICATE_PATH: path,
      ...(password === undefined ? {} : { AZURE_CLIENT_CERTIFICATE_PASSWORD: password }),
    };
    expect(await callerBy(chain({ ...environment, ...certificate }))).toBe(objectId);
  });
});

test('a managed identity signs in, of App Service, of Azure Machine Learning and of a virtual machine', async () => {
  const secret = (await readFile(identitySecretFile(server.dataDir), 'utf8')).trim();
  const { object } = await server.client.directory.getDirectoryObject({ object: 'managed-identity' });
  const endpoint = `${server.plainUrl}/msi/token`;
  const hosts = [
    { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: secret },
    { MSI_ENDPOINT: endpoint, MSI_SECRET: secret },
    { AZURE_POD_IDENTITY_AUTHORITY_HOST: server.plainUrl },
  ];
  for (const environment of hosts) expect(await callerBy(chain(environment))).toBe(object.object_id);
  const wrong = managedIdentityCredential({ environment: { ...hosts[0], IDENTITY_HEADER: 'wrong' } });
  await expect(wrong.getToken(scope)).rejects.toMatchObject({ failure: 'rejected' });
});

const person = () => ({ authorityHost: server.url, tenantId: 'adfs', environment: {} });

test('a device code signs in, and another audience needs none', async () => {
  const { userName, password, object } = await aUser(server, 'own-dora');
  let prompts = 0;
  const credential = deviceCodeCredential({
    ...person(),
    prompt: ({ verificationUri, userCode }) => {
      prompts++;
      void approve(new URL(verificationUri).pathname, userCode);
    },
  });
  async function approve(path: string, userCode: string): Promise<void> {
    const { fields, cookie } = formOf(await server.request('GET', path));
    const form = new URLSearchParams({ ...fields, user_code: userCode, username: userName, password });
    const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded' };
    await server.request('POST', path, form.toString(), headers);
  }
  expect(await callerBy(credential)).toBe(object.object_id);
  expect(await credential.getToken('https://management.azure.com/.default')).toHaveProperty('token');
  expect(prompts).toBe(1);
});

test('a person signs in with Chromium, and another audience does not open it again', async () => {
  const { userName, password, object } = await aUser(server, 'own-bea');
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  let opened = 0;
  const open = async (url: string): Promise<void> => {
    opened++;
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(url);
    await page.getByLabel('User name').fill(userName);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('You are signed in').waitFor();
  };
  try {
    const credential = interactiveBrowserCredential({ ...person(), open });
    expect(await callerBy(credential)).toBe(object.object_id);
    expect(await credential.getToken('https://management.azure.com/.default')).toHaveProperty('token');
    expect(opened).toBe(1);
  } finally {
    await browser.close();
  }
});
