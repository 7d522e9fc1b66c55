import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cachedCredential } from '../../src/credentials/cached-credential.ts';
import { rejected, type AccessToken } from '../../src/credentials/credential.ts';
import { createSignInContext } from '../../src/credentials/sign-in-context.ts';
import { newFolder } from './certificates.ts';

const minute = 60_000;

/** A credential over a clock that the test turns, and a source that gives `token 1`, `token 2`, …, or fails. */
function setUp(answer: (count: number, now: number) => Partial<AccessToken> | Error, cacheFile?: string) {
  const lines: string[] = [];
  const context = createSignInContext({
    environment: {},
    writeLog: (line) => lines.push(line),
    ...(cacheFile === undefined ? {} : { cacheFile }),
  });
  const clock = { now: Date.now() };
  const asked = { count: 0 };
  const credential = cachedCredential(
    async () => {
      const given = answer(++asked.count, clock.now);
      if (given instanceof Error) throw given;
      return { token: `token ${asked.count}`, expiresOnTimestamp: clock.now + 60 * minute, ...given };
    },
    context,
    { key: 'somebody', now: () => clock.now },
  );
  return { credential, clock, asked, lines };
}

test('a token serves until five minutes before it expires', async () => {
  const { credential, clock, asked } = setUp(() => ({}));
  await credential.getToken('a');
  clock.now += 55 * minute - 1;
  expect((await credential.getToken('a'))?.token).toBe('token 1');
  clock.now += 1;
  expect((await credential.getToken('a'))?.token).toBe('token 2');
  expect(asked.count).toBe(2);
});

test('an issuer that wants a refresh earlier gets it', async () => {
  const { credential, clock } = setUp((_, now) => ({ refreshAfterTimestamp: now + 10 * minute }));
  await credential.getToken('a');
  clock.now += 10 * minute;
  expect((await credential.getToken('a'))?.token).toBe('token 2');
});

test('a token that lives shortly is used for half of its life', async () => {
  const { credential, clock } = setUp((_, now) => ({ expiresOnTimestamp: now + 4 * minute }));
  await credential.getToken('a');
  clock.now += 2 * minute - 1;
  expect((await credential.getToken('a'))?.token).toBe('token 1');
  clock.now += 1;
  expect((await credential.getToken('a'))?.token).toBe('token 2');
});

test('each scope has a token of its own', async () => {
  const { credential, asked } = setUp(() => ({}));
  await Promise.all([credential.getToken('a'), credential.getToken(['b', 'c']), credential.getToken('b c')]);
  expect(asked.count).toBe(2);
});

test('while a refresh fails the old token is used, with a warning, and a failure is not repeated at once', async () => {
  const { credential, clock, asked, lines } = setUp((count) => (count === 2 ? rejected('busy') : {}));
  await credential.getToken('a');
  clock.now += 56 * minute;
  expect((await credential.getToken('a'))?.token).toBe('token 1');
  expect((await credential.getToken('a'))?.token).toBe('token 1');
  expect(asked.count).toBe(2);
  expect(lines).toEqual([expect.stringContaining('could not be refreshed and is used until it expires: busy')]);
  clock.now += minute;
  expect((await credential.getToken('a'))?.token).toBe('token 3');
});

test('when the old token has expired, a failed refresh is a failure', async () => {
  const { credential, clock } = setUp((count) => (count === 1 ? {} : rejected('gone')));
  await credential.getToken('a');
  clock.now += 60 * minute;
  await expect(credential.getToken('a')).rejects.toThrow('gone');
});

test('one who gives up leaves the others what they wait for; when all have, the source is called off', async () => {
  const given: { resolve?: (token: AccessToken) => void; signal?: AbortSignal } = {};
  const credential = cachedCredential(
    (_, signal) => {
      given.signal = signal;
      return new Promise((resolve) => (given.resolve = resolve));
    },
    createSignInContext({ environment: {} }),
    { key: 'somebody' },
  );
  const [one, two] = [new AbortController(), new AbortController()];
  const first = credential.getToken('a', { abortSignal: one.signal });
  const second = credential.getToken('a', { abortSignal: two.signal });
  await expect.poll(() => given.signal).toBeDefined();
  one.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  expect(given.signal?.aborted).toBe(false);
  two.abort(new Error('me too'));
  await expect(second).rejects.toThrow('me too');
  expect(given.signal?.aborted).toBe(true);
});

describe('on disk', () => {
  test('tokens serve the next process, in a file that only its owner can read', async () => {
    const file = join(newFolder(), 'lazuli', 'tokens.json');
    await setUp(() => ({}), file).credential.getToken('a');
    await setUp(() => ({ token: 'of b' }), file).credential.getToken('b');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const next = setUp(() => rejected('nobody should be asked'), file).credential;
    expect((await next.getToken('a'))?.token).toBe('token 1');
    expect((await next.getToken('b'))?.token).toBe('of b');
  });

  test('a file that others can read or write is not trusted', async () => {
    const file = join(newFolder(), 'tokens.json');
    await setUp(() => ({}), file).credential.getToken('a');
    chmodSync(file, 0o644);
    const { credential, lines } = setUp(() => ({ token: 'new' }), file);
    expect((await credential.getToken('a'))?.token).toBe('new');
    expect(lines[0]).toContain('is open to other users and is not read');
  });

  test('nothing is written unless it is asked for', async () => {
    const file = join(newFolder(), 'tokens.json');
    await setUp(() => ({})).credential.getToken('a');
    expect(() => readFileSync(file)).toThrow('ENOENT');
  });
});
