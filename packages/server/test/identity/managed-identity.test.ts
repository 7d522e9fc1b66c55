import { readFile, stat } from 'node:fs/promises';
import { identitySecretFile } from '@lazuli/server';
import { expect, test } from 'vitest';
import { anExperiment, bearer, claimsOf, publicUrl, startAuthority } from './authority-fixture.ts';

const resource = 'https://management.azure.com';

test('a program that has read the secret gets a token, in the forms of App Service and of Azure Machine Learning', async () => {
  await using server = await startAuthority();
  const secret = (await readFile(identitySecretFile(server.dataDir), 'utf8')).trim();
  expect((await stat(identitySecretFile(server.dataDir))).mode & 0o777).toBe(0o600);
  const { objects = [] } = await server.client.directory.listDirectoryObjects({ kind: 'ServicePrincipal' });
  const [identity] = objects;
  expect(identity?.display_name).toBe('managed-identity');
  for (const [query, headers] of [
    [`api-version=2019-08-01&resource=${resource}`, { 'x-identity-header': secret, metadata: 'true' }],
    [`api-version=2017-09-01&resource=${resource}`, { secret }],
    [`api-version=2017-09-01&resource=${publicUrl}/&clientid=${identity?.app_id ?? ''}`, { secret, metadata: 'true' }],
  ] as const) {
    const answer = await server.request('GET', `/msi/token?${query}`, undefined, headers);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      token_type: 'Bearer',
      expires_on: expect.stringMatching(/^\d{10}$/) as string,
    });
    expect(claimsOf(answer).oid).toBe(identity?.object_id);
    const { access_token } = answer.json as { access_token: string };
    expect((await server.request('GET', anExperiment, undefined, bearer(access_token))).status).toBe(200);
  }
});

test('unasked identity: a wrong secret, a wrong identity and a strange resource are refused', async () => {
  await using server = await startAuthority();
  const secret = (await readFile(identitySecretFile(server.dataDir), 'utf8')).trim();
  const ask = async (query: string, headers: Record<string, string>) =>
    (await server.request('GET', `/msi/token?${query}`, undefined, headers)).status;
  const right = `api-version=2019-08-01&resource=${resource}`;
  expect(await ask(right, {})).toBe(401);
  expect(await ask(right, { 'x-identity-header': `${secret}x` })).toBe(401);
  expect(await ask(`${right}&client_id=nobody`, { 'x-identity-header': secret })).toBe(400);
  expect(await ask('resource=https://vault.example.org', { 'x-identity-header': secret })).toBe(400);
  expect(await ask('', { 'x-identity-header': secret })).toBe(400);
  await server.client.directory.deleteDirectoryObject({ object: 'managed-identity' });
  expect(await ask(right, { 'x-identity-header': secret })).toBe(400);
});

test('unasked identity: the form of virtual machines is off, and when it is on it wants its header and no proxy', async () => {
  const path = `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`;
  const metadata = { metadata: 'true' };
  await using closed = await startAuthority();
  expect((await closed.request('GET', path, undefined, metadata)).status).toBe(404);
  await using open = await startAuthority({ imds: 'on' });
  expect((await open.request('GET', path)).status).toBe(400);
  expect((await open.request('GET', path, undefined, { ...metadata, 'x-forwarded-for': '10.0.0.1' })).status).toBe(403);
  expect((await open.request('GET', path, undefined, { ...metadata, host: 'lazuli.example.org' })).status).toBe(403);
  const from = (remoteAddress: string) =>
    open.server.app.inject({ method: 'GET', url: path, headers: { host: '127.0.0.1', ...metadata }, remoteAddress });
  expect((await from('10.0.0.7')).statusCode).toBe(403);
  for (const own of ['127.0.0.1', '127.3.2.1', '::1', '::ffff:127.0.0.1'])
    expect((await from(own)).statusCode).toBe(200);
  expect((await open.request('GET', path, undefined, metadata)).status).toBe(200);
});
