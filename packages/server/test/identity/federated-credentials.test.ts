import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { arm, claimsOf, refusal, startAuthority } from './authority-fixture.ts';
import { startPlatformIssuer, workload, type PlatformIssuer } from './platform-issuer.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

async function aFederatedApplication({ issuer }: Pick<PlatformIssuer, 'issuer'>) {
  const server = await startAuthority();
  const { directory } = server.client;
  const { object } = await directory.createServicePrincipal({ display_name: 'train' });
  const { credential } = await directory.addFederatedCredential({ object: 'train', issuer, subject: workload });
  const signIn = (assertion: string) =>
    server.token({
      grant_type: 'client_credentials',
      client_id: object.app_id ?? '',
      client_assertion_type: assertionType,
      client_assertion: assertion,
      scope: arm,
    });
  return { server, directory, object, credential, signIn };
}

describe('a federated credential', () => {
  test('signs its application in with a token of its issuer, as often as that is good', async () => {
    await using platform = await startPlatformIssuer();
    const { server, object, credential, signIn, directory } = await aFederatedApplication(platform);
    await using _ = server;
    expect(credential).toMatchObject({
      kind: 'federated',
      issuer: platform.issuer,
      subject: workload,
      audiences: ['api://AzureADTokenExchange'],
    });
    const token = await platform.token();
    for (let time = 0; time < 2; time += 1) {
      expect(claimsOf(await signIn(token))).toMatchObject({ oid: object.object_id, appidacr: '2' });
    }
    expect((await directory.listCredentials({ object: 'train' })).credentials).toEqual([credential]);
    await directory.deleteCredential({ credential_id: credential.credential_id });
    expect(refusal(await signIn(token))).toMatchObject({ status: 401, code: 700027 });
  });

  test('token forgery, wrong audience: is good for its issuer, its subject and its audience, to the letter', async () => {
    await using platform = await startPlatformIssuer();
    const { server, signIn } = await aFederatedApplication(platform);
    await using _ = server;
    await using stranger = await startPlatformIssuer();
    const own = { iss: platform.issuer };
    const expired = Math.floor(Date.now() / 1000) - 120;
    const wrong: readonly (readonly [string, number])[] = [
      [await stranger.token(), 700027],
      [await stranger.token(own), 700027],
      [await platform.token({ iss: `${platform.issuer}/` }), 700027],
      [await platform.token({}, { key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }), 700027],
      [await platform.token({}, { kid: '../../keys' }), 700027],
      [await platform.token({ exp: expired }), 700024],
      [await platform.token({ nbf: expired + 3_600 }), 700024],
      [await platform.token({ exp: undefined }), 700027],
      [await platform.token({ sub: workload.toUpperCase() }), 700213],
      [await platform.token({ sub: `${workload}2` }), 700213],
      [await platform.token({ aud: 'api://azureadtokenexchange' }), 700212],
      [await platform.token({ aud: ['sts.amazonaws.com'] }), 700212],
      [(await platform.token()).replace(/\.[^.]+$/, '.'), 700027],
    ];
    const codes: number[] = [];
    for (const [assertion] of wrong) codes.push(refusal(await signIn(assertion)).code);
    expect(codes).toEqual(wrong.map(([, code]) => code));
    expect((await signIn(await platform.token({ aud: ['x', 'api://AzureADTokenExchange'] }))).status).toBe(200);
  });

  test('of an issuer that cannot be reached is no refusal of the application', async () => {
    const { issuer, token } = await (async () => {
      await using platform = await startPlatformIssuer();
      return { issuer: platform.issuer, token: await platform.token() };
    })();
    const { server, signIn } = await aFederatedApplication({ issuer });
    await using _ = server;
    expect(await signIn(token)).toMatchObject({ status: 503, json: { error: 'temporarily_unavailable' } });
  });

  test.each([
    ['an issuer that is not https', { issuer: 'http://issuer.example.org', subject: 's' }, 'issuer'],
    ['an issuer with a query', { issuer: 'https://issuer.example.org/?a', subject: 's' }, 'issuer'],
    ['an issuer with a password', { issuer: 'https://a:b@issuer.example.org', subject: 's' }, 'issuer'],
    ['a blank before the subject', { issuer: 'https://issuer.example.org', subject: ' s' }, 'subject'],
    ['a blank in an audience', { issuer: 'https://issuer.example.org', subject: 's', audiences: [' a'] }, 'audiences'],
  ])('is not made with %s', async (_, input, parameter) => {
    await using server = await startAuthority();
    await server.client.directory.createServicePrincipal({ display_name: 'train' });
    await expect(server.client.directory.addFederatedCredential({ object: 'train', ...input })).rejects.toThrow(
      `Invalid value for parameter '${parameter}`,
    );
  });
});

test('an exchange on behalf of a user is refused: its token calls this server as it is', async () => {
  await using server = await startAuthority();
  const { directory } = server.client;
  const { object } = await directory.createServicePrincipal({ display_name: 'middle' });
  const { secret } = await directory.createSecret({ object: 'middle' });
  const answer = await server.token({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    requested_token_use: 'on_behalf_of',
    client_id: object.app_id ?? '',
    client_secret: secret,
    assertion: 'x',
    scope: arm,
  });
  expect(refusal(answer)).toEqual({ status: 400, error: 'unsupported_grant_type', code: 70003 });
});
