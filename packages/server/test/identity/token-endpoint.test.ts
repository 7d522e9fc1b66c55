import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createClientCertificate } from '@lazuli/server';
import { decodeProtectedHeader, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  accessToken,
  anApplication,
  anExperiment,
  arm,
  aUser,
  azureCli,
  bearer,
  claimsOf,
  publicUrl,
  refusal,
  startAuthority,
  type AuthorityServer,
} from './authority-fixture.ts';

// Time stands still, unless a test lets it pass.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

const minute = 60_000;
const day = 24 * 60 * minute;

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

describe('discovery', () => {
  test('names the same endpoints to every name of the tenant, and adfs has no v2.0 in its path', async () => {
    await using server = await startAuthority();
    const { tenant_id, domain } = await server.client.directory.getTenant({});
    const paths = [tenant_id, domain, 'common', 'organizations', 'consumers', tenant_id.toUpperCase()].flatMap(
      (name) => [`/${name}/v2.0/.well-known/openid-configuration`, `/${name}/.well-known/openid-configuration`],
    );
    for (const path of [...paths, '/adfs/.well-known/openid-configuration']) {
      const { status, json } = await server.request('GET', path);
      expect({ path, status }).toEqual({ path, status: 200 });
      const document = json as Record<string, string>;
      expect(document['issuer']).toBe(`${publicUrl}/${tenant_id}/v2.0`);
      for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'device_authorization_endpoint']) {
        expect(document[name]).toMatch(new RegExp(`^${publicUrl}/`));
      }
    }
    expect(
      await server.request('GET', '/adfs/.well-known/openid-configuration').then(({ json }) => json),
    ).toMatchObject({
      token_endpoint: `${publicUrl}/adfs/oauth2/v2.0/token`,
    });
    for (const path of ['/other/v2.0/.well-known/openid-configuration', '/other/discovery/v2.0/keys']) {
      expect(refusal(await server.request('GET', path))).toEqual({
        status: 400,
        error: 'invalid_request',
        code: 90002,
      });
    }
  });

  test('of instances leads back to this authority', async () => {
    await using server = await startAuthority();
    const query =
      'api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/common/oauth2/v2.0/authorize';
    const { json } = await server.request('GET', `/common/discovery/instance?${query}`);
    expect(json).toMatchObject({
      tenant_discovery_endpoint: `${publicUrl}/common/v2.0/.well-known/openid-configuration`,
      metadata: [{ aliases: expect.arrayContaining(['login.microsoftonline.com', 'lazuli.example.org']) as string[] }],
    });
  });

  test('publishes public keys alone, of which one signed the token', async () => {
    await using server = await startAuthority();
    const { fields } = await anApplication(server);
    const { kid } = decodeProtectedHeader(await accessToken(server, fields));
    const { json } = await server.request('GET', '/common/discovery/keys');
    const { keys } = json as { keys: Record<string, string>[] };
    expect(keys.map((key) => key['kid'])).toContain(kid);
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'e', 'issuer', 'kid', 'kty', 'n', 'use']);
  });
});

test('a body that is no form is refused in the words of OAuth', async () => {
  await using server = await startAuthority();
  const path = '/common/oauth2/v2.0/token';
  const json = await server.request('POST', path, '{"grant_type":"password"}');
  expect(refusal(json)).toEqual({ status: 400, error: 'invalid_request', code: 9002313 });
  const long = await server.form(path, { grant_type: 'x'.repeat(70_000) });
  expect(refusal(long)).toMatchObject({ error: 'invalid_request' });
  const twice = await server.request('POST', path, 'grant_type=password&grant_type=password', {
    'content-type': 'application/x-www-form-urlencoded',
  });
  expect(refusal(twice)).toMatchObject({ code: 9002313 });
});

test('characters that no name has are refused, wherever they stand', async () => {
  await using server = await startAuthority();
  const { fields } = await anApplication(server);
  for (const name of Object.keys(fields)) {
    expect((await server.token({ ...fields, [name]: 'a\0b' })).status).toBe(400);
  }
  for (const clientId of ['\0', '\ud800', 'x'.repeat(5_000), 'é']) {
    const basic = {
      authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId.toWellFormed())}:s`).toString('base64')}`,
    };
    const answer = await server.token({ grant_type: 'client_credentials', scope: arm }, basic);
    expect(refusal(answer).code).toBe(700016);
    const claims = Buffer.from(JSON.stringify({ iss: clientId })).toString('base64url');
    const asserted = { grant_type: 'client_credentials', client_assertion: `e30.${claims}.x`, scope: arm };
    expect(refusal(await server.token(asserted)).code).toBe(700016);
  }
  const user = { grant_type: 'password', client_id: azureCli, username: 'a\0b', password: 'wrong', scope: arm };
  expect((await server.token(user)).status).toBe(400);
});

describe('client credentials', () => {
  test('give a token that calls the API as the service principal, in its groups', async () => {
    await using server = await startAuthority({ auth: 'none' });
    const { directory } = server.client;
    const { fields, object, appId } = await anApplication(server);
    const group = await directory.createGroup({ display_name: 'team' });
    await directory.addGroupMember({ group: 'team', member: 'ci' });
    const { tenant_id } = await directory.getTenant({});
    const answer = await server.token(fields, { 'client-request-id': 'abc-1' });
    expect(answer.headers).toMatchObject({ 'client-request-id': 'abc-1', 'cache-control': 'no-store' });
    expect(answer.json).toMatchObject({ token_type: 'Bearer', expires_in: 3600 });
    expect(claimsOf(answer)).toMatchObject({
      aud: 'https://management.azure.com',
      iss: `${publicUrl}/${tenant_id}/v2.0`,
      tid: tenant_id,
      oid: object.object_id,
      appid: appId,
      appidacr: '1',
      idtyp: 'app',
      groups: [group.object.object_id],
    });
    const token = (answer.json as { access_token: string }).access_token;
    expect((await server.request('GET', anExperiment, undefined, bearer(token))).status).toBe(200);
  });

  test('are taken as Basic, at every tenant name, in both versions', async () => {
    await using server = await startAuthority();
    const { appId, secret } = await anApplication(server);
    const basic = { authorization: `Basic ${Buffer.from(`${appId}:${secret}`).toString('base64')}` };
    const asked = { grant_type: 'client_credentials', scope: arm };
    expect((await server.form('/organizations/oauth2/v2.0/token', asked, basic)).status).toBe(200);
    const old = { grant_type: 'client_credentials', client_id: appId, client_secret: secret };
    const version1 = await server.form('/common/oauth2/token', { ...old, resource: publicUrl });
    expect(version1.json).toMatchObject({ expires_in: '3600', resource: publicUrl });
    expect(claimsOf(version1).aud).toBe(publicUrl);
  });

  test.each([
    ['a wrong secret', { client_secret: 'lzs_wrong' }, { status: 401, error: 'invalid_client', code: 7000215 }],
    ['no secret', { client_secret: '' }, { status: 401, error: 'invalid_client', code: 7000218 }],
    [
      'an unknown application',
      { client_id: azureCli.replace('0', '1') },
      { status: 400, error: 'unauthorized_client', code: 700016 },
    ],
    [
      'a resource of somebody else',
      { scope: 'https://other.example.org/.default' },
      { status: 400, error: 'invalid_resource', code: 500011 },
    ],
    ['a scope that is not all', { scope: `${publicUrl}/read` }, { status: 400, error: 'invalid_scope', code: 70011 }],
    ['two resources', { scope: `${arm} ${publicUrl}/.default` }, { status: 400, error: 'invalid_scope', code: 70011 }],
    [
      'a grant that is not there',
      { grant_type: 'magic' },
      { status: 400, error: 'unsupported_grant_type', code: 70003 },
    ],
    ['no grant', { grant_type: '' }, { status: 400, error: 'invalid_request', code: 900144 }],
  ])('are refused with %s', async (_, change, expected) => {
    await using server = await startAuthority();
    const { fields } = await anApplication(server);
    expect(refusal(await server.token({ ...fields, ...change }))).toEqual(expected);
  });

  test('end with the secret, with its time, and with the service principal', async () => {
    await using server = await startAuthority();
    const { directory } = server.client;
    const { fields, object, credential, appId } = await anApplication(server);
    const token = await accessToken(server, fields);
    const soon = await directory.createSecret({ object: appId, expiry_time: Date.now() + 60_000 });
    pass(61_000);
    expect(refusal(await server.token({ ...fields, client_secret: soon.secret }))).toMatchObject({ code: 7000222 });
    await directory.deleteCredential({ credential_id: credential.credential_id });
    expect(refusal(await server.token(fields))).toMatchObject({ code: 7000215 });
    await directory.updateDirectoryObject({ object: appId, disabled: true });
    expect(refusal(await server.token(fields))).toMatchObject({ code: 7000112 });
    expect((await server.request('GET', anExperiment, undefined, bearer(token))).status).toBe(401);
    await directory.updateDirectoryObject({ object: appId, disabled: false });
    expect((await server.request('GET', anExperiment, undefined, bearer(token))).status).toBe(200);
    await directory.deleteDirectoryObject({ object: object.object_id });
    expect((await server.request('GET', anExperiment, undefined, bearer(token))).status).toBe(401);
    expect(refusal(await server.token(fields))).toMatchObject({ code: 700016 });
  });
});

async function aCertificate({ client: { directory } }: AuthorityServer, name = 'robot') {
  const { object } = await directory.createServicePrincipal({ display_name: name });
  const { certificate, privateKey } = await createClientCertificate(name, Date.now() + 30 * day);
  await directory.addCertificate({ object: object.object_id, certificate });
  const { fingerprint, fingerprint256 } = new X509Certificate(certificate);
  const print = (text: string) => Buffer.from(text.replaceAll(':', ''), 'hex').toString('base64url');
  const appId = object.app_id ?? '';
  const key = createPrivateKey(privateKey);
  const sign = (change: { header?: object; claims?: object; alg?: string; key?: typeof key } = {}) =>
    new SignJWT({
      aud: `${publicUrl}/adfs/oauth2/v2.0/token`,
      iss: appId,
      sub: appId,
      jti: 'once',
      // *Python's are fractional.*
      iat: Date.now() / 1000,
      exp: Date.now() / 1000 + 600.5,
      ...change.claims,
    })
      .setProtectedHeader({ alg: change.alg ?? 'RS256', x5t: `${print(fingerprint)}=`, ...change.header })
      .sign(change.key ?? key);
  const fieldsOf = (assertion: string, scope = arm) => ({
    grant_type: 'client_credentials',
    client_id: appId,
    client_assertion_type: assertionType,
    client_assertion: assertion,
    scope,
  });
  return { object, appId, key, sign, fieldsOf, sha256: print(fingerprint256) };
}

describe('a client assertion', () => {
  test('signs in with either thumbprint and either algorithm', async () => {
    await using server = await startAuthority();
    const { sign, fieldsOf, sha256, object } = await aCertificate(server);
    const first = await server.token(fieldsOf(await sign()));
    expect(claimsOf(first)).toMatchObject({ oid: object.object_id, appidacr: '2' });
    const header = { x5t: undefined, 'x5t#S256': sha256 };
    const other = await sign({ alg: 'PS256', header, claims: { jti: 'two', aud: `${publicUrl}/adfs/oauth2/token` } });
    const { client_id: _, ...anonymous } = fieldsOf(other);
    expect((await server.token(anonymous)).status).toBe(200);
  });

  test('assertion replay: is taken again for a moment and for another resource, and refused later', async () => {
    await using server = await startAuthority();
    const { sign, fieldsOf } = await aCertificate(server);
    const assertion = await sign();
    for (const scope of [arm, arm, `${publicUrl}/.default`]) {
      expect((await server.token(fieldsOf(assertion, scope))).status).toBe(200);
    }
    pass(31_000);
    expect(refusal(await server.token(fieldsOf(assertion)))).toEqual({
      status: 401,
      error: 'invalid_client',
      code: 700027,
    });
  });

  test('stale token: ends with its certificate', async () => {
    await using server = await startAuthority();
    const { sign, fieldsOf } = await aCertificate(server);
    pass(30 * day - minute);
    expect((await server.token(fieldsOf(await sign()))).status).toBe(200);
    pass(2 * minute);
    const late = await server.token(fieldsOf(await sign({ claims: { jti: 'two' } })));
    expect(refusal(late).code).toBe(700027);
    expect(late.text).toContain('the certificate expired on');
  });

  test('assertion replay: no other spelling of the same resource makes a new use of it', async () => {
    await using server = await startAuthority();
    const { sign, fieldsOf } = await aCertificate(server);
    const assertion = await sign({ claims: { exp: Date.now() / 1000 + 3_600 } });
    expect((await server.token(fieldsOf(assertion))).status).toBe(200);
    pass(31_000);
    const spellings = [
      `${arm} `,
      `${arm} openid`,
      arm.replace('/.', '//.'),
      arm.toUpperCase().replace('DEFAULT', 'default'),
    ];
    const codes = await Promise.all(
      spellings.map(async (scope) => refusal(await server.token(fieldsOf(assertion, scope))).code),
    );
    expect(codes).toEqual(spellings.map(() => 700027));
    const { scope: _, ...version1 } = fieldsOf(assertion);
    const resource = { ...version1, resource: 'https://management.azure.com/' };
    expect(refusal(await server.form('/adfs/oauth2/token', resource)).code).toBe(700027);
  });

  test('assertion replay: ten minutes after its first use it is good for no resource', async () => {
    await using server = await startAuthority();
    const { sign, fieldsOf } = await aCertificate(server);
    const assertion = await sign({ claims: { exp: Date.now() / 1000 + 3_600 } });
    expect((await server.token(fieldsOf(assertion))).status).toBe(200);
    pass(9 * minute);
    expect((await server.token(fieldsOf(assertion, `${publicUrl}/.default`))).status).toBe(200);
    pass(2 * minute);
    expect(refusal(await server.token(fieldsOf(assertion, 'https://ml.azure.com/.default'))).code).toBe(700027);
  });

  test('stale token: out of its time it is refused with its times and the server’s, by which a wrong clock is found', async () => {
    await using server = await startAuthority();
    const { sign, fieldsOf } = await aCertificate(server);
    const now = Math.floor(Date.now() / 1000);
    const moment = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000', '');
    for (const [nbf, exp] of [
      [now - 3_600, now - 3_000],
      [now + 400, now + 1_000],
    ] as const) {
      const answer = await server.token(fieldsOf(await sign({ claims: { nbf, exp } })));
      expect(refusal(answer)).toEqual({ status: 401, error: 'invalid_client', code: 700024 });
      expect(answer.text).toContain(
        `Current time: ${moment(now)}, assertion valid from ${moment(nbf)}, expiry time of assertion ${moment(exp)}.`,
      );
    }
  });

  test('token forgery: is refused with another key, audience, subject, without jti, or under a shared secret', async () => {
    await using server = await startAuthority();
    const { sign, fieldsOf, appId } = await aCertificate(server);
    const stranger = await aCertificate(server, 'stranger');
    const now = Date.now() / 1000;
    const wrong = [
      await sign({ key: stranger.key }),
      await sign({ claims: { aud: 'https://login.microsoftonline.com/common/oauth2/v2.0/token' } }),
      await sign({ claims: { aud: `${publicUrl}.evil.org/adfs/oauth2/v2.0/token` } }),
      await sign({ claims: { sub: stranger.appId } }),
      await sign({ claims: { iss: stranger.appId } }),
      await sign({ claims: { exp: now + 90_000 } }),
      await sign({ claims: { exp: undefined } }),
      await sign({ claims: { jti: undefined } }),
      await sign({ header: { x5t: stranger.sha256 } }),
      await sign({ header: { x5t: undefined } }),
      (await sign()).replace(/\.[^.]+$/, '.'),
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign()).split('.')[1]}.`,
      await new SignJWT({ aud: `${publicUrl}/adfs/oauth2/v2.0/token`, iss: appId, sub: appId, jti: 'x', exp: now + 60 })
        .setProtectedHeader({ alg: 'HS256', x5t: decodeProtectedHeader(await sign()).x5t ?? '' })
        .sign(Buffer.alloc(32)),
      'no.jwt.here',
    ];
    const statuses = await Promise.all(
      wrong.map(async (assertion) => refusal(await server.token(fieldsOf(assertion))).code),
    );
    expect(statuses).toEqual(wrong.map(() => 700027));
    expect((await server.token(fieldsOf(await sign()))).status).toBe(200);
  });
});

describe('passwords', () => {
  test('sign a user in, and refresh tokens do so again until the password changes', async () => {
    await using server = await startAuthority();
    const { userName, password, object } = await aUser(server);
    const scope = `${arm} openid profile offline_access`;
    const first = await server.token({
      grant_type: 'password',
      client_id: azureCli,
      username: userName,
      password,
      scope,
    });
    expect(claimsOf(first)).toMatchObject({
      oid: object.object_id,
      upn: userName,
      idtyp: 'user',
      scp: 'user_impersonation',
    });
    const { refresh_token, id_token, client_info } = first.json as Record<string, string>;
    expect(id_token).toMatch(/^ey/);
    expect(JSON.parse(Buffer.from(client_info ?? '', 'base64url').toString())).toMatchObject({ uid: object.object_id });
    const again = { grant_type: 'refresh_token', client_id: azureCli, refresh_token: refresh_token ?? '' };
    const second = await server.token({ ...again, scope: `${publicUrl}/.default openid offline_access` });
    expect(claimsOf(second).aud).toBe(publicUrl);
    expect(refusal(await server.token({ ...again, client_id: '1950a258-227b-4e31-a9cf-717495945fc2' }))).toMatchObject({
      code: 50173,
    });
    await server.client.directory.setPassword({ object: userName });
    expect(refusal(await server.token(again))).toEqual({ status: 400, error: 'invalid_grant', code: 50173 });
    expect(
      refusal(await server.token({ grant_type: 'password', client_id: azureCli, username: userName, password, scope })),
    ).toMatchObject({ code: 50126 });
  });

  test('a refresh token ends after 90 days', async () => {
    await using server = await startAuthority();
    const { userName, password } = await aUser(server);
    const scope = `${arm} offline_access`;
    const { json } = await server.token({
      grant_type: 'password',
      client_id: azureCli,
      username: userName,
      password,
      scope,
    });
    pass(91 * day);
    const refresh_token = (json as Record<string, string>)['refresh_token'] ?? '';
    expect(
      refusal(await server.token({ grant_type: 'refresh_token', client_id: azureCli, refresh_token })),
    ).toMatchObject({ code: 700082 });
  });

  test('throttling, enumeration of users: names that exist and that do not are answered and blocked alike', async () => {
    await using server = await startAuthority();
    const { userName, password } = await aUser(server);
    const attempt = (username: string, given: string) =>
      server.token({ grant_type: 'password', client_id: azureCli, username, password: given, scope: arm });
    const textOf = ({ text }: { text: string }) =>
      text.replaceAll(/[0-9a-f-]{36}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, '');
    for (let round = 0; round < 6; round += 1) {
      const [real, made] = [
        await attempt(userName, 'wrong password'),
        await attempt('bob@example.org', 'wrong password'),
      ];
      expect(textOf(real)).toBe(textOf(made));
      expect(refusal(real).code).toBe(round < 5 ? 50126 : 50053);
    }
    expect(refusal(await attempt(userName, password)).code).toBe(50053);
    pass(16 * minute);
    expect((await attempt(userName, password)).status).toBe(200);
    expect(refusal(await attempt(userName, 'wrong password')).code).toBe(50126);
  });

  test('throttling: many guesses at once are no more than a few one after another', async () => {
    await using server = await startAuthority();
    const { userName } = await aUser(server);
    const codes = await Promise.all(
      Array.from({ length: 20 }, async (_, guess) => {
        const fields = { grant_type: 'password', client_id: azureCli, username: userName, scope: arm };
        return refusal(await server.token({ ...fields, password: `guess number ${guess}` })).code;
      }),
    );
    expect(codes.filter((code) => code === 50126)).toHaveLength(5);
    expect(codes.filter((code) => code === 50053)).toHaveLength(15);
  });
});

describe('signing keys', () => {
  test('are followed by a new one after a month, which is published a day ahead, and old tokens stay good', async () => {
    await using server = await startAuthority();
    const { fields } = await anApplication(server);
    const start = Date.now();
    const kids = async () => {
      const { json } = await server.request('GET', '/common/discovery/v2.0/keys');
      return (json as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
    };
    const kidOf = async () => decodeProtectedHeader(await accessToken(server, fields)).kid;
    const first = await kidOf();
    expect(await kids()).toEqual([first]);
    pass(29.5 * day);
    expect(await kidOf()).toBe(first);
    const published = await kids();
    expect(published).toHaveLength(2);
    const last = await accessToken(server, fields);
    vi.setSystemTime(start + 30.01 * day);
    const second = await kidOf();
    expect(second).not.toBe(first);
    expect(published).toContain(second);
    vi.setSystemTime(start + 29.53 * day);
    expect((await server.request('GET', anExperiment, undefined, bearer(last))).status).toBe(200);
    vi.setSystemTime(start + 33 * day);
    await kidOf();
    expect(await kids()).not.toContain(first);
  });
});
