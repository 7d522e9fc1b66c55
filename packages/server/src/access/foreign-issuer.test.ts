import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT, type JWTPayload } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { createAudiences } from './audiences.ts';
import { derivedId } from './derived-id.ts';
import { createForeignIssuer } from './foreign-issuer.ts';
import { RefusedToken } from './refused-token.ts';
import { createTokenVerifier, type TokenVerifier } from './verify-token.ts';

const tenant = '11111111-2222-3333-4444-555555555555';
const otherTenant = '99999999-2222-3333-4444-555555555555';
const oid = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';
const entra = `https://login.microsoftonline.com/${tenant}/v2.0`;
const plain = 'https://sso.example.org/realms/lab';
const audience = 'https://lazuli.example.org';

let time = 1_700_000_000_000;
const now = () => time;
beforeEach(() => {
  time = 1_700_000_000_000;
});

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const [first, second] = [pair(), pair()];

/** An issuer elsewhere, as far as `fetch` can tell. */
function anIssuer(issuer: string) {
  const state = {
    keys: [{ ...first.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig' }] as object[],
    named: issuer,
    reachable: true,
    fetched: 0,
    failures: 0,
  };
  const get = async (url: string | URL | Request): Promise<Response> => {
    if (typeof url !== 'string') throw new TypeError('a text is asked for');
    state.fetched += 1;
    if (!state.reachable) throw new TypeError('fetch failed');
    if (url.endsWith('/keys')) return Response.json({ keys: state.keys });
    return Response.json({ issuer: state.named, jwks_uri: `${issuer}/keys` });
  };
  const verify = createTokenVerifier({
    issuers: [createForeignIssuer({ issuer, now, fetch: get, onFailure: () => (state.failures += 1) })],
    audiences: createAudiences(() => audience, ['api://lazuli']),
    now,
  });
  return { state, verify };
}

function sign(claims: JWTPayload, options: { kid?: string; key?: KeyObject; alg?: string } = {}): Promise<string> {
  const seconds = Math.floor(time / 1000);
  return new SignJWT({ aud: audience, iat: seconds, nbf: seconds, exp: seconds + 600, ...claims })
    .setProtectedHeader({ alg: options.alg ?? 'RS256', kid: options.kid ?? 'k1' })
    .sign(options.key ?? first.privateKey);
}

const refusedBy = async (verify: TokenVerifier, token: string): Promise<string> =>
  verify(token).then(
    () => 'taken',
    (error: unknown) => (error instanceof RefusedToken ? `${error.reason}: ${error.message}` : String(error)),
  );

describe('a tenant of Entra', () => {
  const claims = {
    iss: entra,
    tid: tenant,
    oid,
    scp: 'user_impersonation',
    upn: 'ann@example.org',
    groups: [otherTenant],
  };

  test('signs for users and applications, under both versions', async () => {
    const { verify } = anIssuer(entra);
    const principal = { objectId: oid, name: 'ann@example.org', kind: 'User', groups: [otherTenant], grants: [] };
    for (const change of [
      {},
      { iss: `https://sts.windows.net/${tenant}/` },
      { aud: 'https://management.azure.com/' },
      { aud: 'api://lazuli' },
    ]) {
      const { principal: found, expiryTime } = await verify(await sign({ ...claims, ...change }));
      expect(found).toEqual(principal);
      expect(expiryTime).toBe(time + 660_000);
    }
    const app = await verify(await sign({ iss: entra, tid: tenant, oid, appid: 'the-app' }));
    expect(app.principal).toMatchObject({ kind: 'ServicePrincipal', name: 'the-app' });
  });

  test('wrong tenant: lets nobody of another tenant in, though they share their keys', async () => {
    const { verify } = anIssuer(entra);
    const wrong = [
      { ...claims, iss: `https://login.microsoftonline.com/${otherTenant}/v2.0` },
      { ...claims, iss: `https://sts.windows.net/${otherTenant}/` },
      { ...claims, tid: otherTenant },
      { ...claims, tid: undefined },
      { ...claims, iss: `${entra}/` },
      { ...claims, oid: 'ann' },
    ];
    for (const change of wrong) expect(await refusedBy(verify, await sign(change))).toMatch(/^invalid: /);
  });
});

describe('any other issuer', () => {
  test('speaks of its own subjects and groups only', async () => {
    const { verify } = anIssuer(plain);
    const { principal } = await verify(await sign({ iss: plain, sub: 'ann', oid, groups: ['lab', 3] }));
    expect(principal).toMatchObject({
      objectId: derivedId(plain, 'subject', 'ann'),
      name: 'ann',
      groups: [derivedId(plain, 'group', 'lab')],
    });
    expect(principal.objectId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(derivedId('https://other.example.org', 'subject', 'ann')).not.toBe(principal.objectId);
    expect(await refusedBy(verify, await sign({ iss: plain }))).toContain('no subject');
  });

  test('stale token, wrong audience: is refused what is expired, not yet good, or meant for somebody else; clocks may differ by a minute', async () => {
    const { verify } = anIssuer(plain);
    const seconds = time / 1000;
    const ask = async (claims: JWTPayload) => refusedBy(verify, await sign({ iss: plain, sub: 'ann', ...claims }));
    expect(await ask({ exp: seconds - 61 })).toMatch(/^expired: /);
    expect(await ask({ exp: seconds - 59 })).toBe('taken');
    expect(await ask({ nbf: seconds + 61 })).toMatch(/^invalid: /);
    expect(await ask({ nbf: seconds + 59 })).toBe('taken');
    expect(await ask({ exp: undefined } as unknown as JWTPayload)).toMatch(/^invalid: /);
    for (const aud of ['https://evil.example.org', `${audience}.evil.org`, 'lazuli', '', [], undefined]) {
      expect(await ask({ aud } as JWTPayload)).toMatch(/^invalid: /);
    }
    expect(await ask({ aud: ['https://evil.example.org', audience] })).toBe('taken');
  });

  test('may change its keys: an unknown key is looked for at once, but not over and over', async () => {
    const { verify, state } = anIssuer(plain);
    const claims = { iss: plain, sub: 'ann' };
    expect(await refusedBy(verify, await sign(claims))).toBe('taken');
    expect(state.fetched).toBe(2);
    time += 31_000;
    state.keys = [{ ...second.publicKey.export({ format: 'jwk' }), kid: 'k2' }];
    const changed = { kid: 'k2', key: second.privateKey };
    const answers = await Promise.all([1, 2, 3].map(async () => refusedBy(verify, await sign(claims, changed))));
    expect(answers).toEqual(['taken', 'taken', 'taken']);
    expect(state.fetched).toBe(4);
    for (let guess = 0; guess < 20; guess += 1) {
      expect(await refusedBy(verify, await sign(claims, { ...changed, kid: `guess ${guess}` }))).toContain('no key');
    }
    expect(state.fetched).toBe(4);
    expect(await refusedBy(verify, await sign(claims))).toContain('has no key k1');
  });

  test('may be out of reach for as long as it takes, once its keys are known', async () => {
    const { verify, state } = anIssuer(plain);
    const claims = { iss: plain, sub: 'ann' };
    state.reachable = false;
    expect(await refusedBy(verify, await sign(claims))).toContain('cannot be reached');
    state.reachable = true;
    time += 31_000;
    expect(await refusedBy(verify, await sign(claims))).toBe('taken');
    state.reachable = false;
    for (let day = 0; day < 3; day += 1) {
      time += 86_400_000;
      expect(await refusedBy(verify, await sign(claims))).toBe('taken');
    }
    expect(state.failures).toBeGreaterThan(1);
  });

  test('token forgery: must be called in its document what its tokens call it', async () => {
    const { verify, state } = anIssuer(plain);
    state.named = 'https://other.example.org';
    expect(await refusedBy(verify, await sign({ iss: plain, sub: 'ann' }))).toContain('cannot be reached');
  });

  test('alg confusion: its public key is no shared secret, and a key is good for one kind of signature', async () => {
    const { verify, state } = anIssuer(plain);
    const claims = { iss: plain, sub: 'ann' };
    const pem = Buffer.from(first.publicKey.export({ type: 'spki', format: 'pem' }));
    const shared = new SignJWT({ ...claims, aud: audience, exp: time / 1000 + 60 }).setProtectedHeader({
      alg: 'HS256',
      kid: 'k1',
    });
    expect(await refusedBy(verify, await shared.sign(pem))).toContain('its algorithm is HS256');
    const [, body] = (await sign(claims)).split('.');
    for (const alg of ['none', 'None', 'NONE', '']) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'k1' })).toString('base64url');
      expect(await refusedBy(verify, `${header}.${body}.`)).toMatch(/^invalid: /);
    }
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(await refusedBy(verify, await sign(claims, { alg: 'ES256', key: ec.privateKey }))).toMatch(/^invalid: /);
    time += 31_000;
    state.keys = [
      { kty: 'oct', k: 'AAAA', kid: 'oct' },
      { ...ec.publicKey.export({ format: 'jwk' }), kid: 'ec' },
      { ...second.publicKey.export({ format: 'jwk' }), kid: 'enc', use: 'enc' },
    ];
    expect(await refusedBy(verify, await sign(claims, { alg: 'ES256', key: ec.privateKey, kid: 'ec' }))).toBe('taken');
    expect(await refusedBy(verify, await sign(claims, { kid: 'oct' }))).toContain('no key oct');
    expect(await refusedBy(verify, await sign(claims, { kid: 'enc', key: second.privateKey }))).toContain('no key enc');
  });
});
