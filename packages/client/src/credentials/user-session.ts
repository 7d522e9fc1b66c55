import { AuthorityRefusal, requestToken, type Authority, type TokenAnswer } from './authority.ts';
import type { TokenSource } from './credential.ts';
import type { SignInContext } from './sign-in-context.ts';

/** *Entra: the public client of Azure's developer tools, which every tenant knows.* */
export const developerClientId = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';

const refreshTokenLife = 90 * 24 * 3600_000;

/**
 * A person who signs in once: what comes after, for any audience, is got with the refresh token, until the authority
 * wants to see the person again.
 */
export function userSource(
  signIn: (scope: string, signal: AbortSignal) => Promise<TokenAnswer>,
  { authority, clientId, key }: { authority: Authority; clientId: string; key: string },
  context: SignInContext,
): TokenSource {
  const { store, log } = context;
  const refreshKey = `${key} refresh`;

  const refreshed = async (scope: string, signal: AbortSignal): Promise<TokenAnswer | undefined> => {
    const known = await store.get(refreshKey);
    if (known === undefined || known.expiresAt < Date.now()) return undefined;
    log.hide(known.token);
    const fields = {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: known.token,
      scope: userScope(scope),
    };
    try {
      return await requestToken(authority, fields, context, signal);
    } catch (error) {
      // *OAuth: the token has expired, was revoked or used up. OpenID Connect: the person has to answer something.*
      if (!(error instanceof AuthorityRefusal) || !/^(invalid_grant|\w+_required)$/.test(error.oauthError)) throw error;
      log.debug(`the refresh token is not taken any more: ${error.message}`);
      return undefined;
    }
  };

  return async (scope, signal) => {
    const answer = (await refreshed(scope, signal)) ?? (await signIn(scope, signal));
    if (answer.refreshToken !== undefined) {
      const expiresAt = Date.now() + refreshTokenLife;
      await store.set(refreshKey, { token: answer.refreshToken, expiresAt, refreshAt: expiresAt });
    }
    return answer;
  };
}

/** *OpenID Connect: offline_access asks for a refresh token.* */
export function userScope(scope: string): string {
  return [...new Set([...scope.split(' '), 'openid', 'profile', 'offline_access'])].join(' ');
}
