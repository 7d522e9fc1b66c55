import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  clientCertificateCredential,
  clientSecretCredential,
  deviceCodeCredential,
  interactiveBrowserCredential,
} from '@lazuli/client/azure';
import { clientCertificate } from './certificates.ts';
import { walkForms } from './form-walker.ts';

/** An issuer of OpenID Connect that is not of Entra's shape: its paths are known from its discovery document alone. */
const { folder, pem } = clientCertificate();
let issuer: string;
let stop: () => Promise<unknown>;

beforeAll(async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  // The package has no types, and by this name the compiler looks for none.
  const packageName: string = 'oidc-provider';
  const { default: Provider } = (await import(packageName)) as {
    default: new (issuer: string, configuration: object) => { callback(): RequestListener };
  };
  const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
  const application = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
  const provider = new Provider(issuer, {
    clients: [
      { ...application, client_id: 'robot', client_secret: 'sesame', token_endpoint_auth_method: 'client_secret_post' },
      {
        ...application,
        client_id: 'certified',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [createPublicKey(pem).export({ format: 'jwk' })] },
      },
      {
        client_id: 'person',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token', deviceGrant],
        redirect_uris: ['http://localhost'],
      },
    ],
    scopes: ['openid', 'offline_access', 'profile', 'lazuli'],
    features: { clientCredentials: { enabled: true }, deviceFlow: { enabled: true } },
    cookies: { keys: ['not secret'] },
  });
  server.on('request', provider.callback());
  stop = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
});
afterAll(() => stop());

const environment = {};

test('a secret signs in', async () => {
  const credential = clientSecretCredential({ issuer, clientId: 'robot', clientSecret: 'sesame', environment });
  expect(await credential.getToken('lazuli')).toHaveProperty('token');
  const wrong = clientSecretCredential({ issuer, clientId: 'robot', clientSecret: 'open', environment });
  await expect(wrong.getToken('lazuli')).rejects.toThrow('refused: invalid_client.');
});

test('a certificate signs in', async () => {
  const certificatePath = join(folder, 'both.pem');
  writeFileSync(certificatePath, readFileSync(join(folder, 'client.key'), 'utf8') + pem);
  const credential = clientCertificateCredential({ issuer, clientId: 'certified', certificatePath, environment });
  expect(await credential.getToken('lazuli')).toHaveProperty('token');
});

test('a browser signs in, and later without being opened', async () => {
  let count = 0;
  const open = async (url: string): Promise<void> => {
    count++;
    expect(await walkForms(url)).toContain('You are signed in');
  };
  const credential = interactiveBrowserCredential({ issuer, clientId: 'person', environment, open });
  expect(await credential.getToken('lazuli')).toHaveProperty('token');
  expect(await credential.getToken('profile')).toHaveProperty('token');
  expect(count).toBe(1);
});

test('a device code signs in', async () => {
  let walked: Promise<string> | undefined;
  const credential = deviceCodeCredential({
    issuer,
    clientId: 'person',
    environment,
    prompt: ({ verificationUri, userCode }) => {
      walked = walkForms(verificationUri, { user_code: userCode });
    },
  });
  expect(await credential.getToken('lazuli')).toHaveProperty('token');
  expect(await walked).toContain('Success');
});

test('an issuer that calls itself otherwise is refused', async () => {
  const { port } = new URL(issuer);
  const credential = clientSecretCredential({
    issuer: `http://127.0.0.1:${port}`,
    clientId: 'robot',
    clientSecret: 'sesame',
    environment,
  });
  await expect(credential.getToken('lazuli')).rejects.toThrow(`names another issuer, ${issuer}`);
});
