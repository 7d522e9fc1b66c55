import { randomBytes, randomUUID } from 'node:crypto';
import { SignJWT, type JWTPayload } from 'jose';
import { issuerOf, type AuthorityParts } from './authority.ts';
import { findGrant, hashGrant, insertGrant, removeExpiredGrants } from './grant-store.ts';
import { keepIdentity, type Identity } from './identities.ts';
import { revoked } from './oauth-error.ts';
import type { Asked } from './scopes.ts';

/** *Entra: an access token lives about an hour; a refresh token 90 days from its last use.* */
export const accessTokenSeconds = 3_600;
const refreshTokenMs = 90 * 24 * 3_600_000;

/** How the client has shown that it is itself. *Entra: the claim appidacr.* */
export type ClientProof = 'none' | 'secret' | 'certificate';
const proofNumbers: Readonly<Record<ClientProof, string>> = { none: '0', secret: '1', certificate: '2' };

export interface Issue {
  readonly identity: Identity;
  /** The application that asks. */
  readonly clientId: string;
  readonly proof: ClientProof;
  readonly asked: Asked;
}

export async function issueAccessToken(authority: AuthorityParts, issue: Issue): Promise<string> {
  const { identity, clientId, proof, asked } = issue;
  const isUser = identity.kind === 'User';
  return sign(authority, asked.resource, {
    ...common(authority, identity),
    appid: clientId,
    azp: clientId,
    appidacr: proofNumbers[proof],
    azpacr: proofNumbers[proof],
    idtyp: isUser ? 'user' : 'app',
    groups: identity.groups,
    uti: randomBytes(16).toString('base64url'),
    ...(isUser
      ? {
          scp: 'user_impersonation',
          upn: identity.userName,
          unique_name: identity.userName,
          name: identity.displayName,
        }
      : { app_displayname: identity.displayName }),
  });
}

export interface Session {
  readonly family: string;
  /** The grant that was brought for it, by its hash; none where the user has just shown the password. */
  readonly broughtGrant?: string;
  readonly nonce?: string | undefined;
}

/** What a user's sign-in gives: an access token, and what was asked for beside it. */
export async function issueForUser(
  authority: AuthorityParts,
  issue: Issue,
  session: Session,
): Promise<Record<string, unknown>> {
  const { identity, clientId, asked } = issue;
  const accessToken = await issueAccessToken(authority, issue);
  return {
    ...tokenAnswer(accessToken),
    scope: `${asked.scope} ${asked.resource.replace(/\/$/, '')}/user_impersonation`.trim(),
    ...(asked.offline ? { refresh_token: await issueRefreshToken(authority, issue, session) } : {}),
    ...(asked.openid
      ? {
          id_token: await sign(authority, clientId, {
            ...common(authority, identity),
            name: identity.displayName,
            preferred_username: identity.userName,
            upn: identity.userName,
            ...(session.nonce === undefined ? {} : { nonce: session.nonce }),
          }),
        }
      : {}),
    client_info: Buffer.from(JSON.stringify({ uid: identity.objectId, utid: authority.tenant.tenant_id })).toString(
      'base64url',
    ),
  };
}

export function tokenAnswer(accessToken: string): Record<string, unknown> {
  return {
    token_type: 'Bearer',
    expires_in: accessTokenSeconds,
    ext_expires_in: accessTokenSeconds,
    access_token: accessToken,
  };
}

function common({ tenant }: AuthorityParts, { objectId }: Identity): JWTPayload {
  return { tid: tenant.tenant_id, oid: objectId, sub: objectId, ver: '2.0' };
}

async function sign(authority: AuthorityParts, audience: string, claims: JWTPayload): Promise<string> {
  const { keyId, key } = await authority.keys.current();
  const seconds = Math.floor(authority.now() / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: keyId })
    .setIssuer(issuerOf(authority))
    .setAudience(audience)
    .setIssuedAt(seconds)
    .setNotBefore(seconds)
    .setExpirationTime(seconds + accessTokenSeconds)
    .sign(key);
}

/**
 * A refresh token stays good when it was used: *Entra does not revoke it, and processes of one user share a cache of them.*
 * It ends with the user, with the user's password, and when the code that it came of is used again.
 */
async function issueRefreshToken(
  { engine, now }: AuthorityParts,
  issue: Issue,
  { family, broughtGrant }: Session,
): Promise<string> {
  const token = randomBytes(48).toString('base64url');
  await engine.transaction(async (tx) => {
    await keepIdentity(tx, issue.identity);
    if (broughtGrant !== undefined) {
      const brought = await findGrant(tx.db, broughtGrant);
      if (brought === undefined || brought.state === 'replayed') throw revoked();
    }
    await removeExpiredGrants(tx.db, now());
    await insertGrant(tx.db, {
      grant_hash: hashGrant('refresh', token),
      kind: 'refresh',
      family,
      object_id: issue.identity.objectId,
      user_code: null,
      state: 'open',
      detail: JSON.stringify({ clientId: issue.clientId } satisfies RefreshDetail),
      expiry_time: now() + refreshTokenMs,
    });
  });
  return token;
}

export interface RefreshDetail {
  readonly clientId: string;
}

export function newFamily(): string {
  return randomUUID();
}
