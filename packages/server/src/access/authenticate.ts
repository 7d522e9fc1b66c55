import { MlflowError } from '@lazuli/contract';
import type { Engine } from '../database/engine.ts';
import type { Principal } from './caller.ts';
import { RefusedToken } from './refused-token.ts';
import { hashSecret, isSecret } from './token-secret.ts';
import { findTokenByHash, type TokenRow } from './token-store.ts';
import { claimedNames, looksLikeJwt, type ClaimedNames, type TokenVerifier } from './verify-token.ts';

/**
 * Who is calling: turns the `Authorization` header into a principal. A token comes as Bearer, or as the password of Basic
 * with any user name. *MLflow: clients send MLFLOW_TRACKING_TOKEN as Bearer, MLFLOW_TRACKING_PASSWORD as Basic.* It is an API
 * token of this server, or an access token of an issuer that it trusts, the built-in authority first of all.
 *
 * `--auth` says what must be shown. `none`: nothing, and whoever can reach the server owns it, also when signed in by an
 * access token. `token`: an API token. `entra`: an access token or an API token.
 *
 * A token that was right is remembered for a short while, so that a request costs one hash and no query. Revoking makes
 * this process forget it at once; another process that shares the database forgets it when the while is over. What was
 * wrong is not remembered, so that nobody can fill the memory.
 */
export interface Authenticator {
  authenticate(authorization: string | undefined): Principal | Promise<Principal>;
  /** After a token was revoked. */
  forgetToken(tokenId: string): void;
  /** After tokens went together with their workspace. */
  forgetAllTokens(): void;
}

export interface AuthenticatorOptions {
  readonly mode: 'none' | 'token' | 'entra';
  readonly engine: Pick<Engine, 'snapshot'>;
  readonly now: () => number;
  /** Access tokens. */
  readonly verify: TokenVerifier;
  /** Where clients can sign in; undefined where access tokens are not taken. */
  readonly authorizationUri: () => string | undefined;
  /** Hears why an access token was refused, and whose it says that it is; never the token. */
  readonly onRefusal: (reason: string, claimed: ClaimedNames) => void;
}

export const rememberedForMs = 5_000;
export const rememberedTokens = 10_000;
/** *Entra: a token names up to 200 groups.* */
const longestHeader = 24_576;

/** Without authentication the server listens on loopback only, and whoever can reach it owns it. */
export const everything = [{ role: 'Owner', workspaceId: 'all' }] as const;
export const anonymous: Principal = {
  objectId: '00000000-0000-0000-0000-000000000000',
  name: 'anonymous',
  kind: 'Anonymous',
  groups: [],
  grants: everything,
};

interface Found {
  /** Of API tokens alone. */
  readonly tokenId: string | undefined;
  readonly principal: Principal;
  readonly expiryTime: number;
}

interface Remembered extends Found {
  readonly until: number;
}

const needed = {
  none: '',
  token: 'This server needs an API token, as Bearer or as the password of Basic.',
  entra: 'This server needs an access token, as Bearer, or an API token, as Bearer or as the password of Basic.',
} as const;

const unknownCredential = {
  none: 'The credential is neither an API token of this server nor an access token.',
  token: 'The credential is not an API token of this server, which takes no others (auth is token).',
  entra: 'The credential is neither an API token of this server nor an access token.',
} as const;

const invalidToken = 'The access token is invalid: it was not made for this server by an issuer that it trusts.';
const expiredToken = 'The access token has expired.';

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { mode, engine, now, verify, authorizationUri, onRefusal } = options;
  const remembered = new Map<string, Remembered>();
  /** Counts revocations: a lookup that was under way during one must not bring the token back. */
  let revocations = 0;

  function unauthenticated(reason: RefusedToken['reason'], message: string, cause?: unknown): MlflowError {
    const uri = authorizationUri();
    const refused = new RefusedToken(reason, message, {
      cause,
      ...(uri === undefined ? {} : { authorizationUri: uri }),
    });
    return new MlflowError('UNAUTHENTICATED', message, { cause: refused });
  }

  async function lookUp(credential: string, key: string): Promise<Principal> {
    const before = revocations;
    const found = isSecret(credential) ? await findApiToken(key) : await checkAccessToken(credential);
    if (before === revocations) remember(key, found);
    return found.principal;
  }

  async function findApiToken(secretHash: string): Promise<Found> {
    // A snapshot of its own: one that began before a revocation would still show the token.
    const token = await engine.snapshot((db) => findTokenByHash(db, secretHash));
    if (token === undefined)
      throw unauthenticated('invalid', 'The API token is not known to this server, or was revoked.');
    const expiryTime = token.expiry_time ?? Infinity;
    if (expiryTime <= now()) throw unauthenticated('expired', 'The API token has expired.');
    return { tokenId: token.token_id, principal: principalOf(token), expiryTime };
  }

  async function checkAccessToken(token: string): Promise<Found> {
    try {
      const { principal, expiryTime } = await verify(token);
      return {
        tokenId: undefined,
        principal: mode === 'none' ? { ...principal, grants: everything } : principal,
        expiryTime,
      };
    } catch (error) {
      if (!(error instanceof RefusedToken)) throw error;
      onRefusal(error.message, claimedNames(token));
      throw unauthenticated(error.reason, error.reason === 'expired' ? expiredToken : invalidToken, error);
    }
  }

  function remember(key: string, found: Found): void {
    if (remembered.size >= rememberedTokens) {
      const oldest = remembered.keys().next();
      if (oldest.done !== true) remembered.delete(oldest.value);
    }
    remembered.set(key, { ...found, until: now() + rememberedForMs });
  }

  return {
    authenticate(authorization) {
      if (authorization === undefined) {
        if (mode === 'none') return anonymous;
        throw unauthenticated('missing', needed[mode]);
      }
      const credential = readCredential(authorization);
      if (credential === undefined) {
        throw unauthenticated(
          'invalid',
          'The Authorization header must be Bearer or Basic, and not longer than 24 KiB.',
        );
      }
      if (!isSecret(credential) && (mode === 'token' || !looksLikeJwt(credential))) {
        throw unauthenticated('invalid', unknownCredential[mode]);
      }
      const key = hashSecret(credential);
      const known = remembered.get(key);
      if (known === undefined) return lookUp(credential, key);
      const moment = now();
      if (known.expiryTime <= moment) {
        remembered.delete(key);
        throw unauthenticated('expired', isSecret(credential) ? 'The API token has expired.' : expiredToken);
      }
      if (known.until > moment) return known.principal;
      remembered.delete(key);
      return lookUp(credential, key);
    },
    forgetToken(tokenId) {
      revocations += 1;
      for (const [key, token] of remembered) if (token.tokenId === tokenId) remembered.delete(key);
    },
    forgetAllTokens() {
      revocations += 1;
      remembered.clear();
    },
  };
}

function principalOf(token: TokenRow): Principal {
  return {
    objectId: token.token_id,
    name: token.principal,
    kind: 'ApiToken',
    groups: [],
    grants: [{ role: token.role, workspaceId: token.workspace_id ?? 'all' }],
  };
}

/** The token that a header carries; undefined where it has another form. */
function readCredential(authorization: string): string | undefined {
  if (authorization.length > longestHeader) return undefined;
  const space = authorization.indexOf(' ');
  const scheme = authorization.slice(0, Math.max(space, 0)).toLowerCase();
  const credential = authorization.slice(space + 1).trim();
  if (scheme === 'bearer') return credential;
  return scheme === 'basic' ? passwordOf(credential) : undefined;
}

/** *RFC 7617: the first colon ends the user name.* */
function passwordOf(credential: string): string {
  const pair = Buffer.from(credential, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}
