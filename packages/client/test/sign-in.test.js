import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate, constants, verify } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { URLSearchParams } from 'node:url';
import { MlflowError } from '@lazuli/client';
import {
  azureCredential,
  clientCertificateCredential,
  interactiveBrowserCredential,
  SignInError,
} from '@lazuli/client/azure';
import { connectDatabricks } from '@lazuli/client/databricks';

// What is published, on the oldest Node that it supports: sign-in, its reader of PKCS#12 and its server for browsers.
const scope = 'https://management.azure.com/.default';
let folder;
let authority;
let url;
const requests = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazuli-sign-in-'));
  const made = ['-keyout', 'key.pem', '-out', 'cert.pem', '-subj', '/CN=app', '-days', '2'];
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...made);
  openssl('pkcs12', '-export', '-in', 'cert.pem', '-inkey', 'key.pem', '-out', 'app.pfx', '-passout', 'pass:geheim');
  authority = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    requests.push(Object.fromEntries(new URLSearchParams(body)));
    response.end(JSON.stringify({ access_token: 'a-token', expires_in: 3600 }));
  });
  await new Promise((done) => authority.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${authority.address().port}`;
});
after(async () => {
  authority.closeAllConnections();
  authority.close();
  await rm(folder, { recursive: true, force: true });
});

function openssl(...words) {
  execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
}

test('a PKCS#12 file signs in', async () => {
  const certificatePath = join(folder, 'app.pfx');
  const application = { authorityHost: url, tenantId: 't', clientId: 'c', environment: {} };
  const credential = clientCertificateCredential({ ...application, certificatePath, certificatePassword: 'geheim' });
  assert.equal((await credential.getToken(scope)).token, 'a-token');
  const [head, claims, signature] = requests.at(-1).client_assertion.split('.');
  const { publicKey } = new X509Certificate(await readFile(join(folder, 'cert.pem')));
  const key = { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING };
  assert.ok(verify('sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url')));
});

test('a browser signs in', async () => {
  const open = async (address) => {
    const query = new URL(address).searchParams;
    const body = new URLSearchParams({ code: 'the-code', state: query.get('state') });
    assert.equal((await fetch(query.get('redirect_uri'), { method: 'POST', body })).status, 200);
  };
  const credential = interactiveBrowserCredential({ authorityHost: url, tenantId: 't', environment: {}, open });
  assert.equal((await credential.getToken(scope)).token, 'a-token');
  assert.equal(requests.at(-1).code, 'the-code');
});

test('a chain that finds nothing is an error of both classes, with what was tried', async () => {
  const environment = { PATH: '/nowhere', CI: '1', AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:1' };
  await assert.rejects(azureCredential({ environment }).getToken(scope), (error) => {
    assert.ok(error instanceof SignInError && error instanceof MlflowError);
    assert.equal(error.attempts.length, 6);
    return true;
  });
});

test('Databricks is found by the environment', async () => {
  const environment = { DATABRICKS_HOST: 'adb-1.2.azuredatabricks.net', DATABRICKS_TOKEN: 'dapi' };
  const { url: host, authorization } = await connectDatabricks('databricks', { environment });
  assert.equal(await authorization.header(new URL(host), {}), 'Bearer dapi');
});
