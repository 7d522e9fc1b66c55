import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { expect, test } from 'vitest';
import { anExperiment, bearer, publicUrl, startAuthority } from './authority-fixture.ts';

/** `oidc-provider`, unmodified: an issuer that knows nothing of Azure. */
async function startProvider() {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const client = { client_id: 'robot', client_secret: 'a secret of the robot alone' };
  const provider = new Provider(issuer, {
    clients: [{ ...client, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'signing' }] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: 'api',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  listener.on('request', provider.callback());
  return {
    issuer,
    async token(resource: string): Promise<string> {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({ ...client, grant_type: 'client_credentials', resource, scope: 'api' }),
      });
      return ((await response.json()) as { access_token: string }).access_token;
    },
    async [Symbol.asyncDispose]() {
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

test('tokens of an issuer that the operator has named are taken, when they are meant for this server', async () => {
  await using provider = await startProvider();
  await using server = await startAuthority({
    'oidc-issuer': provider.issuer,
    'token-audience': 'https://lab.example.org',
  });
  const ask = async (resource: string) => {
    const token = await provider.token(resource);
    return server.request('GET', anExperiment, undefined, bearer(token));
  };
  expect((await ask(publicUrl)).status).toBe(200);
  expect((await ask('https://lab.example.org')).status).toBe(200);
  expect((await ask('https://elsewhere.example.org')).status).toBe(401);
  await using strict = await startAuthority({ 'oidc-issuer': provider.issuer, auth: 'entra' });
  const refused = await strict.request('GET', anExperiment, undefined, bearer(await provider.token(publicUrl)));
  // Whoever is known but has no role may do nothing.
  expect(refused.status).toBe(403);
  expect(refused.text).toContain('robot');
});

test('tokens of an issuer that nobody has named are refused', async () => {
  await using provider = await startProvider();
  await using server = await startAuthority();
  const token = await provider.token(publicUrl);
  expect((await server.request('GET', anExperiment, undefined, bearer(token))).status).toBe(401);
});
