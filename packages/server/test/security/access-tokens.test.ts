import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { pino } from 'pino';
import { createServer } from '@lazuli/server';
import { decodeJwt, decodeProtectedHeader, SignJWT, type JWTHeaderParameters } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { settingsFor } from '../server-fixture.ts';
import {
  accessToken,
  anApplication,
  anExperiment,
  arm,
  aUser,
  azureCli,
  bearer,
  publicUrl,
  startAuthority,
  type AuthorityServer,
} from '../identity/authority-fixture.ts';

let server: AuthorityServer;
let good: string;
let header: { alg?: string; kid?: string };
let tenant: string;
beforeAll(async () => {
  server = await startAuthority();
  good = await accessToken(server, (await anApplication(server)).fields);
  header = decodeProtectedHeader(good);
  tenant = (await server.client.directory.getTenant({})).tenant_id;
});
afterAll(() => server[Symbol.asyncDispose]());

const ask = (token: string) => server.request('GET', anExperiment, undefined, bearer(token));
const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
const signed = (change: object = {}, more: Partial<JWTHeaderParameters> = {}) =>
  new SignJWT({ ...decodeJwt(good), ...change }).setProtectedHeader({ alg: 'RS256', kid: header.kid ?? '', ...more });

describe('token forgery', () => {
  test('a token of the authority is taken, and no token with one character changed', async () => {
    expect((await ask(good)).status).toBe(200);
    for (let place = 0; place < good.length; place += 53) {
      if (good[place] === '.') continue;
      const changed = good.slice(0, place) + (good[place] === 'A' ? 'B' : 'A') + good.slice(place + 1);
      expect({ place, status: (await ask(changed)).status }).toEqual({ place, status: 401 });
    }
  });

  test('a token that somebody else signed is refused, whatever key its header offers', async () => {
    const jwk = own.publicKey.export({ format: 'jwk' });
    const tries: Partial<JWTHeaderParameters>[] = [
      {},
      { jwk },
      { jku: 'https://evil.example.org/keys' },
      { x5u: 'https://evil.example.org/c' },
    ];
    for (const more of tries) expect((await ask(await signed({}, more).sign(own.privateKey))).status).toBe(401);
    expect((await ask(await signed({ iss: 'https://evil.example.org' }).sign(own.privateKey))).status).toBe(401);
  });

  test('kid injection: an id of a key that leads elsewhere leads nowhere', async () => {
    for (const kid of [
      '../../../../dev/null',
      `' or '1'='1`,
      '',
      '\0',
      '__proto__',
      'constructor',
      'x'.repeat(10_000),
    ]) {
      expect((await ask(await signed({}, { kid }).sign(own.privateKey))).status).toBe(401);
    }
  });

  test('alg confusion: the public key is no shared secret, and a token without a signature is none', async () => {
    const { json } = await server.request('GET', '/common/discovery/keys');
    const [jwk] = (json as { keys: JsonWebKey[] }).keys;
    const pem = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    for (const alg of ['HS256', 'HS512']) {
      expect((await ask(await signed({}, { alg }).sign(Buffer.from(pem)))).status).toBe(401);
    }
    const [, body] = good.split('.');
    for (const alg of ['none', 'nOnE']) {
      const unsigned = `${Buffer.from(JSON.stringify({ alg, kid: header.kid })).toString('base64url')}.${body}.`;
      expect((await ask(unsigned)).status).toBe(401);
    }
  });

  test('wrong audience: an id token, a refresh token and a client secret are no access tokens', async () => {
    const { userName, password } = await aUser(server);
    const scope = `${arm} openid offline_access`;
    const { json } = await server.token({
      grant_type: 'password',
      client_id: azureCli,
      username: userName,
      password,
      scope,
    });
    const { id_token = '', refresh_token = '', access_token = '' } = json as Record<string, string>;
    const { secret } = await anApplication(server, 'other');
    for (const token of [id_token, refresh_token, secret]) expect((await ask(token)).status).toBe(401);
    expect((await ask(access_token)).status).toBe(200);
  });

  test('a 401 says where to sign in, and what is wrong only where a token was sent', async () => {
    const { headers, text } = await ask(`${good}x`);
    expect(headers['www-authenticate']).toMatch(
      new RegExp(
        `^Bearer realm="lazuli", authorization_uri="${publicUrl}/${tenant}", error="invalid_token", .*, Basic `,
      ),
    );
    expect(text).not.toContain(good.slice(0, 40));
    await using closed = await startAuthority({ auth: 'entra' });
    const missing = await closed.request('GET', anExperiment);
    expect(missing.status).toBe(401);
    expect(missing.headers['www-authenticate']).not.toContain('error=');
  });
});

test('a server that takes API tokens alone takes no access token', async () => {
  await using closed = await startAuthority({ auth: 'token' });
  const answer = await closed.request('GET', anExperiment, undefined, bearer(good));
  expect(answer.status).toBe(401);
  expect(answer.text).toContain('auth is token');
  expect(answer.headers['www-authenticate']).not.toContain('authorization_uri');
});

test('the debug log says why a token was refused, and never holds the token, a secret or a password', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-test-'));
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const logging = await createServer(await settingsFor(dataDir, { 'public-url': publicUrl }), { logger });
  const send = (url: string, headers: Record<string, string>, payload?: string) =>
    logging.app.inject({
      method: payload === undefined ? 'GET' : 'POST',
      url,
      headers: { host: '127.0.0.1', ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
  await send(anExperiment, bearer(good));
  await send(
    '/common/oauth2/v2.0/token?client_secret=in-the-query',
    { 'content-type': 'application/x-www-form-urlencoded' },
    'grant_type=password&client_id=04b07795-8ddb-461a-bbee-02f9e1bf7b46&username=ann&password=hunter2hunter2',
  );
  await logging.close();
  await rm(dataDir, { recursive: true, force: true });
  const log = lines.join('');
  expect(log).toContain('access token refused');
  expect(log).toContain('is not trusted');
  expect(log).toContain(`"claimed":{"object":"${String(decodeJwt(good)['oid'])}","application":`);
  expect(log).toContain('"code":"AADSTS50126"');
  for (const secret of [good.slice(0, 60), good.split('.')[2] ?? '', 'hunter2', 'in-the-query'])
    expect(log).not.toContain(secret);
});
