import { MlflowError } from '@lazuli/contract';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/database/engine.ts';
import { createTestDatabase, openTestEngine } from '../engine-fixture.ts';
import { createAudiences } from '../../src/access/audiences.ts';
import { createAuthenticator, rememberedForMs, type Authenticator } from '../../src/access/authenticate.ts';
import type { Principal } from '../../src/access/caller.ts';
import { createTokenVerifier } from '../../src/access/verify-token.ts';
import { openOfflineTokens } from '../../src/access/offline-tokens.ts';
import { tokenHandlers } from '../../src/access/token-handlers.ts';

let engine: Engine & AsyncDisposable;
let time = 1_700_000_000_000;
const now = () => time;
let authenticator: Authenticator;
let tokens: ReturnType<typeof tokenHandlers>;

beforeAll(async () => {
  engine = await openTestEngine();
  await engine.transaction(async ({ db }) => {
    for (const [index, [group, name]] of [
      ['g', 'team-a'],
      ['g', 'twin'],
      ['h', 'twin'],
    ].entries()) {
      await db
        .insertInto('workspaces')
        .values({
          workspace_id: index + 1,
          guid: `guid-${index}`,
          subscription_id: 's',
          resource_group: group ?? '',
          name: name ?? '',
          region: 'local',
          description: null,
          default_artifact_root: null,
          next_experiment_id: 0,
          creation_time: time,
        })
        .execute();
    }
  });
});

afterAll(() => engine[Symbol.asyncDispose]());

beforeEach(() => {
  authenticator = anAuthenticator('token');
  tokens = tokenHandlers({ engine, now, authenticator });
});

describe('a token', () => {
  test('signs in as Bearer and as the password of Basic, whatever the user name and the case of the scheme', async () => {
    const { token, secret } = await tokens.createToken({ principal: 'ann', role: 'Owner' });
    const ann: Principal = {
      objectId: token.token_id,
      name: 'ann',
      kind: 'ApiToken',
      groups: [],
      grants: [{ role: 'Owner', workspaceId: 'all' }],
    };
    for (const header of [
      `Bearer ${secret}`,
      `bearer ${secret}`,
      `BEARER  ${secret} `,
      basic('ann', secret),
      basic('', secret),
    ]) {
      expect(await signIn(header), header).toEqual(ann);
    }
    expect(await signIn(basic('any:one', secret).replace('Basic', 'bAsIc')).catch(codeOf)).toBe('UNAUTHENTICATED');
  });

  test('is bound to its workspace, which is given by name or by its long form', async () => {
    const long = '/subscriptions/s/resourceGroups/h/providers/Microsoft.MachineLearningServices/workspaces/twin';
    const first = await tokens.createToken({ principal: 'ci', role: 'Contributor', workspace: 'team-a' });
    const second = await tokens.createToken({ principal: 'ci', role: 'Reader', workspace: long });
    expect((await signIn(`Bearer ${first.secret}`)).grants).toEqual([{ role: 'Contributor', workspaceId: 1 }]);
    expect((await signIn(`Bearer ${second.secret}`)).grants).toEqual([{ role: 'Reader', workspaceId: 3 }]);
    expect(first.token.workspace).toBe('team-a');
    expect(second.token.workspace).toBe(long);
    const unclear = tokens.createToken({ principal: 'ci', role: 'Reader', workspace: 'twin' });
    await expect(unclear).rejects.toThrow(`Several workspaces are named 'twin'; give one of: /subscriptions/s/`);
    await expect(tokens.createToken({ principal: 'ci', role: 'Reader', workspace: 'nope' })).rejects.toMatchObject({
      errorCode: 'RESOURCE_DOES_NOT_EXIST',
    });
  });

  test('has 256 random bits behind a prefix, of which the database and the list hold nothing', async () => {
    const { token, secret } = await tokens.createToken({ principal: 'ann', role: 'Reader' });
    const other = await tokens.createToken({ principal: 'ann', role: 'Reader' });
    expect(secret).toMatch(/^lzl_[A-Za-z0-9_-]{43}$/);
    expect(other.secret).not.toBe(secret);
    const listed = await tokens.listTokens();
    expect(listed.tokens).toContainEqual(token);
    const stored = await engine.db.selectFrom('api_tokens').selectAll().execute();
    for (const text of [JSON.stringify(listed), JSON.stringify(stored)]) {
      expect(text).not.toContain(secret.slice(4));
      expect(text).not.toContain(Buffer.from(secret.slice(4), 'base64url').toString('hex'));
    }
  });

  test('is refused from the moment when it is revoked, however often it was right before', async () => {
    const { token, secret } = await tokens.createToken({ principal: 'ann', role: 'Owner' });
    const kept = await tokens.createToken({ principal: 'bob', role: 'Owner' });
    await signIn(`Bearer ${secret}`);
    await signIn(`Bearer ${secret}`);
    await tokens.revokeToken({ token_id: token.token_id });
    expect(await signIn(`Bearer ${secret}`).catch(codeOf)).toBe('UNAUTHENTICATED');
    expect((await signIn(`Bearer ${kept.secret}`)).name).toBe('bob');
    await expect(tokens.revokeToken({ token_id: token.token_id })).rejects.toMatchObject({
      errorCode: 'RESOURCE_DOES_NOT_EXIST',
      message: `No API token with id=${token.token_id} exists`,
    });
  });

  test('stays refused when a request was looking it up while it was revoked', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { token, secret } = await tokens.createToken({ principal: 'ann', role: 'Owner' });
      const signingIn = signIn(`Bearer ${secret}`).catch(codeOf);
      await tokens.revokeToken({ token_id: token.token_id });
      await signingIn;
      expect(await signIn(`Bearer ${secret}`).catch(codeOf)).toBe('UNAUTHENTICATED');
    }
  });

  test('that another process revoked is refused when it was remembered long enough', async () => {
    const { token, secret } = await tokens.createToken({ principal: 'ann', role: 'Owner' });
    await signIn(`Bearer ${secret}`);
    const elsewhere = tokenHandlers({ engine, now, authenticator: { forgetToken: () => undefined } });
    await elsewhere.revokeToken({ token_id: token.token_id });
    time += rememberedForMs;
    expect(await signIn(`Bearer ${secret}`).catch(codeOf)).toBe('UNAUTHENTICATED');
  });

  test('that went with its workspace is refused at once', async () => {
    const { token, secret } = await tokens.createToken({ principal: 'ann', role: 'Owner', workspace: 'team-a' });
    await signIn(`Bearer ${secret}`);
    await engine.transaction(async ({ db }) => {
      await db.deleteFrom('api_tokens').where('token_id', '=', token.token_id).execute();
    });
    authenticator.forgetAllTokens();
    expect(await signIn(`Bearer ${secret}`).catch(codeOf)).toBe('UNAUTHENTICATED');
  });

  test('is refused from its expiry on, remembered or not', async () => {
    const { token, secret } = await tokens.createToken({ principal: 'ann', role: 'Owner', expiry_time: time + 1_000 });
    expect(token.expiry_time).toBe(time + 1_000);
    time += 999;
    expect((await signIn(`Bearer ${secret}`)).name).toBe('ann');
    time += 1;
    expect(await signIn(`Bearer ${secret}`).catch(String)).toContain('The API token has expired.');
    expect(await signIn(`Bearer ${secret}`).catch(String)).toContain('The API token has expired.');
  });

  test('is remembered, so that the next request needs no query', async () => {
    const { secret } = await tokens.createToken({ principal: 'ann', role: 'Owner' });
    expect(authenticator.authenticate(`Bearer ${secret}`)).toBeInstanceOf(Promise);
    await signIn(`Bearer ${secret}`);
    expect(authenticator.authenticate(`Bearer ${secret}`)).toMatchObject({ name: 'ann' });
  });

  test.each([
    ['principal', { principal: '' }],
    ['principal', { principal: ' ' }],
    ['principal', { principal: 'anonymous' }],
    ['principal', { principal: 'a\nlevel=30' }],
    ['principal', { principal: 'a\u2028b' }],
    ['principal', { principal: 'x'.repeat(251) }],
    ['role', { role: 'owner' as 'Owner' }],
    ['role', { role: '__proto__' as 'Owner' }],
    ['expiry_time', { expiry_time: 0 }],
    ['expiry_time', { expiry_time: 1_700_000_000_000 }],
    ['expiry_time', { expiry_time: 2n ** 63n - 1n }],
  ])('is not made with a wrong %s (%#)', async (field, wrong) => {
    const before = await tokens.listTokens();
    const making = tokens.createToken({ principal: 'ann', role: 'Owner', ...wrong });
    await expect(making).rejects.toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE' });
    await expect(making).rejects.toThrow(`'${field}'`);
    expect(await tokens.listTokens()).toEqual(before);
  });
});

describe('a request without a right token', () => {
  test('is refused with a sentence that says what is needed', async () => {
    expect(await signIn(undefined).catch(String)).toContain('This server needs an API token');
  });

  test('is anonymous where there is no authentication, but a credential that is sent all the same must be right', async () => {
    const open = anAuthenticator('none');
    const { secret } = await tokens.createToken({ principal: 'ann', role: 'Reader' });
    expect(await open.authenticate(undefined)).toEqual({
      objectId: '00000000-0000-0000-0000-000000000000',
      name: 'anonymous',
      kind: 'Anonymous',
      groups: [],
      grants: [{ role: 'Owner', workspaceId: 'all' }],
    });
    expect(await open.authenticate(`Bearer ${secret}`)).toMatchObject({ name: 'ann' });
    expect(() => open.authenticate('Bearer wrong')).toThrow(MlflowError);
    await expect((async () => open.authenticate(`Bearer lzl_${'A'.repeat(43)}`))()).rejects.toMatchObject({
      status: 401,
    });
  });

  const awkward = [
    '',
    ' ',
    'Bearer',
    'Bearer ',
    'Basic',
    'Basic !!!',
    'Digest x',
    'Negotiate',
    'lzl_',
    "Bearer ' or 1=1 --",
  ];
  const hostile = [
    'Bearer \0',
    'Bearer ü',
    'Basic \ud800',
    `Bearer ${'x'.repeat(100_000)}`,
    `Basic ${'/'.repeat(3_000)}`,
    ' '.repeat(50_000),
  ];

  test.each([...awkward, ...hostile])(
    'is refused with 401, never with an error of the server: %.40j',
    async (header) => {
      expect(await signIn(header).catch(statusOf)).toBe(401);
    },
  );

  test('is refused with 401 whatever the header holds', async () => {
    const scheme = fc.constantFrom('Bearer ', 'Basic ', 'bearer\t', '');
    const credential = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.base64String(),
      fc.stringMatching(/^lzl_[A-Za-z0-9_-]{40,46}$/),
    );
    await fc.assert(
      fc.asyncProperty(scheme, credential, async (prefix, text) => {
        expect(await signIn(prefix + text).catch(statusOf)).toBe(401);
      }),
    );
  });
});

test('a token made while no server runs is good when one does', async () => {
  await using database = await createTestDatabase();
  const offline = await openOfflineTokens(() => database.open(), now);
  const { secret, token } = await offline.createToken({ principal: 'ann', role: 'Owner' });
  expect(await offline.listTokens()).toEqual({ tokens: [token] });
  await offline.close();
  const started = await database.open();
  const principal = await anAuthenticator('token', started).authenticate(`Bearer ${secret}`);
  expect(principal.name).toBe('ann');
  await started.close();
});

function anAuthenticator(mode: 'none' | 'token', used: Engine = engine): Authenticator {
  return createAuthenticator({
    mode,
    engine: used,
    now,
    verify: createTokenVerifier({ issuers: [], audiences: createAudiences(() => 'http://127.0.0.1', []), now }),
    authorizationUri: () => undefined,
    onRefusal: () => undefined,
  });
}

async function signIn(header: string | undefined): Promise<Principal> {
  return authenticator.authenticate(header);
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function codeOf(error: unknown): string {
  return error instanceof MlflowError ? error.errorCode : String(error);
}

function statusOf(error: unknown): number | string {
  return error instanceof MlflowError ? error.status : String(error);
}
