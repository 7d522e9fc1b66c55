import { expect } from 'vitest';
import {
  aCode,
  arm,
  asAuthority,
  aUser,
  authorizeQuery,
  azureCli,
  pkce,
  publicUrl,
  type AuthorityServer,
} from '../identity/authority-fixture.ts';
import type { TestResponse } from '../server-fixture.ts';
import { race, raceLimitMs, repeat, type Outcome } from './races.ts';
import { onTwoSides } from './two-sides.ts';

/** Each round signs a user in, and passwords are dear to hash. */
const few = { most: 40, seconds: 2.5 };
const flags = { 'public-url': publicUrl };
const scope = `${arm} openid offline_access`;

onTwoSides(
  'replay of codes: what a code gave ends with its replay, also where it is refreshed or redeemed at that moment',
  async ({ a, b }) => {
    const [first, second] = [asAuthority(a), asAuthority(b)];
    const user = await aUser(first);
    await repeat(async (random) => {
      const early = await aSignIn(first, user);
      const redeemed = await race(random, redeeming(first, early), redeeming(second, early));
      expect(await stillGood(second, given(redeemed))).toEqual([]);

      const late = await aSignIn(first, user);
      const [token = ''] = tokensOf(await redeeming(first, late)());
      const refreshed = await race(
        random,
        refreshing(first, token),
        redeeming(second, late),
        refreshing(second, token),
        refreshing(first, token),
      );
      expect(await stillGood(first, [token, ...given(refreshed)])).toEqual([]);
    }, few);
  },
  { flags, timeoutMs: 2 * raceLimitMs },
);

onTwoSides(
  'a new password ends every sign-in of the user, also one that is refreshed or made with the old one at that moment',
  async ({ a, b }) => {
    const [first, second] = [asAuthority(a), asAuthority(b)];
    const user = await aUser(first);
    let { password } = user;
    const signIn = (side: AuthorityServer) =>
      side.token({ grant_type: 'password', client_id: azureCli, username: user.userName, password, scope });
    await repeat(async (random, index) => {
      const [token = ''] = tokensOf(await signIn(first));
      const next = `the ${index}th password`;
      const outcomes = await race(
        random,
        () => signIn(first),
        refreshing(first, token),
        () => b.client.directory.setPassword({ object: user.userName, password: next }),
        refreshing(second, token),
        () => signIn(second),
      );
      expect(await stillGood(first, [token, ...given(outcomes)])).toEqual([]);
      password = next;
    }, few);
  },
  { flags, timeoutMs: 2 * raceLimitMs },
);

interface SignIn {
  readonly code: string;
  readonly verifier: string;
}

async function aSignIn(side: AuthorityServer, user: { userName: string; password: string }): Promise<SignIn> {
  const { verifier, challenge } = pkce();
  return { code: await aCode(side, user, authorizeQuery(challenge)), verifier };
}

function redeeming(side: AuthorityServer, { code, verifier }: SignIn): () => Promise<TestResponse> {
  const redirect_uri = 'http://localhost:8400';
  const fields = { grant_type: 'authorization_code', client_id: azureCli, code, code_verifier: verifier, redirect_uri };
  return () => side.token({ ...fields, scope });
}

function refreshing(side: AuthorityServer, refresh_token: string): () => Promise<TestResponse> {
  return () => side.token({ grant_type: 'refresh_token', client_id: azureCli, refresh_token, scope });
}

/** The refresh tokens that some requests at one moment gave. */
function given(outcomes: readonly Outcome<unknown>[]): string[] {
  return outcomes.flatMap((outcome) => (outcome.ok ? tokensOf(outcome.value) : []));
}

function tokensOf(response: unknown): string[] {
  const { refresh_token } = ((response as Partial<TestResponse>).json as { refresh_token?: string } | undefined) ?? {};
  return refresh_token === undefined ? [] : [refresh_token];
}

async function stillGood(side: AuthorityServer, refreshTokens: readonly string[]): Promise<string[]> {
  const good: string[] = [];
  for (const token of refreshTokens) if ((await refreshing(side, token)()).status === 200) good.push(token);
  return good;
}
