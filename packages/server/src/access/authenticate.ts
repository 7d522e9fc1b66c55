import { MlflowError } from '@lazuli/contract';
import type { Engine } from '../database/engine.ts';
import type { Principal } from './caller.ts';
import { hashSecret, isSecret } from './token-secret.ts';
import { findTokenByHash, type TokenRow } from './token-store.ts';

/**
 * Who is calling: turns the `Authorization` header into a principal. A token comes as Bearer, or as the password of Basic
 * with any user name. *MLflow: clients send MLFLOW_TRACKING_TOKEN as Bearer, MLFLOW_TRACKING_PASSWORD as Basic.*
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
  readonly mode: 'none' | 'token';
  readonly engine: Pick<Engine, 'snapshot'>;
  readonly now: () => number;
}

/** What a 401 says in `WWW-Authenticate`. */
export const authenticateChallenge = 'Basic realm="lazuli", charset="UTF-8", Bearer realm="lazuli"';

export const rememberedForMs = 5_000;
export const rememberedTokens = 10_000;
const longestHeader = 4_096;

/** Without authentication the server listens on loopback only, and whoever can reach it owns it. */
const anonymous: Principal = {
  objectId: '00000000-0000-0000-0000-000000000000',
  name: 'anonymous',
  kind: 'Anonymous',
  groups: [],
  grants: [{ role: 'Owner', workspaceId: 'all' }],
};

interface Remembered {
  readonly tokenId: string;
  readonly principal: Principal;
  readonly expiryTime: number;
  readonly until: number;
}

export function createAuthenticator({ mode, engine, now }: AuthenticatorOptions): Authenticator {
  const remembered = new Map<string, Remembered>();
  /** Counts revocations: a lookup that was under way during one must not bring the token back. */
  let revocations = 0;

  async function lookUp(secretHash: string): Promise<Principal> {
    const before = revocations;
    // A snapshot of its own: one that began before a revocation would still show the token.
    const token = await engine.snapshot((db) => findTokenByHash(db, secretHash));
    const moment = now();
    if (token === undefined) throw unauthenticated('The API token is not known to this server, or was revoked.');
    if (token.expiry_time !== null && token.expiry_time <= moment) throw expired();
    const principal = principalOf(token);
    if (before === revocations) remember(secretHash, token, principal, moment);
    return principal;
  }

  function remember(secretHash: string, token: TokenRow, principal: Principal, moment: number): void {
    if (remembered.size >= rememberedTokens) {
      const oldest = remembered.keys().next();
      if (oldest.done !== true) remembered.delete(oldest.value);
    }
    const expiryTime = token.expiry_time ?? Infinity;
    remembered.set(secretHash, { tokenId: token.token_id, principal, expiryTime, until: moment + rememberedForMs });
  }

  return {
    authenticate(authorization) {
      if (authorization === undefined) {
        if (mode === 'none') return anonymous;
        throw unauthenticated('This server needs an API token, as Bearer or as the password of Basic.');
      }
      const secretHash = hashSecret(secretOf(authorization));
      const known = remembered.get(secretHash);
      if (known === undefined) return lookUp(secretHash);
      const moment = now();
      if (known.expiryTime <= moment) {
        remembered.delete(secretHash);
        throw expired();
      }
      if (known.until > moment) return known.principal;
      remembered.delete(secretHash);
      return lookUp(secretHash);
    },
    forgetToken(tokenId) {
      revocations += 1;
      for (const [secretHash, token] of remembered) if (token.tokenId === tokenId) remembered.delete(secretHash);
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

/** The secret that a header carries; what does not even look like one goes no further. */
function secretOf(authorization: string): string {
  if (authorization.length > longestHeader) throw unauthenticated('The Authorization header is too long.');
  const space = authorization.indexOf(' ');
  const scheme = authorization.slice(0, Math.max(space, 0)).toLowerCase();
  const credential = authorization.slice(space + 1).trim();
  if (scheme !== 'bearer' && scheme !== 'basic') {
    throw unauthenticated('The Authorization header must be Bearer or Basic.');
  }
  const secret = scheme === 'bearer' ? credential : passwordOf(credential);
  if (!isSecret(secret)) throw unauthenticated('The credential is not an API token of this server.');
  return secret;
}

/** *RFC 7617: the first colon ends the user name.* */
function passwordOf(credential: string): string {
  const pair = Buffer.from(credential, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

function expired(): MlflowError {
  return unauthenticated('The API token has expired.');
}

function unauthenticated(message: string): MlflowError {
  return new MlflowError('UNAUTHENTICATED', message);
}
