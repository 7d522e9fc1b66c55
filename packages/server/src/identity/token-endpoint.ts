import { createHash, timingSafeEqual } from 'node:crypto';
import {
  jsonAnswer,
  requireTenant,
  type AuthorityAnswer,
  type AuthorityParts,
  type AuthorityRequest,
} from './authority.ts';
import { authenticateClient, type AuthenticatedClient } from './client-authentication.ts';
import type { CodeDetail } from './authorize.ts';
import type { DeviceDetail } from './device-code.ts';
import { fieldsOf, type Fields } from './fields.ts';
import { findGrant, hashGrant, lockGrant, removeFamily, updateGrant, type GrantRow } from './grant-store.ts';
import { lockObject } from './directory-store.ts';
import { findIdentity, type Identity } from './identities.ts';
import {
  accessTokenSeconds,
  issueAccessToken,
  issueForUser,
  newFamily,
  tokenAnswer,
  type RefreshDetail,
} from './issue-tokens.ts';
import { OAuthError, revoked, type Refusal } from './oauth-error.ts';
import { readAsked, type Asked } from './scopes.ts';
import { signIn } from './sign-in.ts';

/** The token endpoint: each grant type is one function from a request of a known client to the answer's fields. */
export async function tokenEndpoint(authority: AuthorityParts, request: AuthorityRequest): Promise<AuthorityAnswer> {
  requireTenant(authority, request.tenant);
  const fields = fieldsOf(request.form);
  const grantType = fields.require('grant_type');
  const grant = grants.get(grantType);
  if (grant === undefined) {
    throw new OAuthError(
      'unsupported_grant',
      `The grant type '${grantType.slice(0, 100).replaceAll(/[^\w:.-]/g, '?')}' is not supported.`,
    );
  }
  const client = await authenticateClient(authority, request, fields);
  const answer = await grant(authority, fields, client);
  return jsonAnswer(request.version === 'v1' ? { ...answer, ...ofVersion1(authority, fields, answer) } : answer);
}

type Grant = (
  authority: AuthorityParts,
  fields: Fields,
  client: AuthenticatedClient,
) => Promise<Record<string, unknown>>;

const grants: ReadonlyMap<string, Grant> = new Map<string, Grant>([
  ['client_credentials', byClientCredentials],
  ['password', byPassword],
  ['authorization_code', byCode],
  ['refresh_token', byRefreshToken],
  // *MSAL for JavaScript uses the short name.*
  ['device_code', byDeviceCode],
  ['urn:ietf:params:oauth:grant-type:device_code', byDeviceCode],
]);

/** *Entra v1: numbers are strings, and the moment of expiry is told.* */
function ofVersion1({ now }: AuthorityParts, fields: Fields, answer: Record<string, unknown>) {
  const seconds = Math.floor(now() / 1000);
  const resource = fields.get('resource');
  return {
    expires_in: String(answer['expires_in']),
    ext_expires_in: String(answer['ext_expires_in']),
    not_before: String(seconds),
    expires_on: String(seconds + accessTokenSeconds),
    ...(resource === undefined ? {} : { resource }),
  };
}

async function byClientCredentials(authority: AuthorityParts, fields: Fields, { client, proof }: AuthenticatedClient) {
  if (proof === 'none' || client.objectId === undefined) {
    throw new OAuthError('missing_secret', `The request must contain 'client_assertion' or 'client_secret'.`);
  }
  const asked = readAsked(authority, fields);
  if (!asked.isDefault) {
    throw new OAuthError('bad_scope', 'For the client credentials grant the scope must end with /.default.');
  }
  const identity = await findIdentity(authority.engine, client.objectId);
  if (identity === undefined) throw new OAuthError('disabled_application', 'The application is disabled.');
  return tokenAnswer(await issueAccessToken(authority, { identity, clientId: client.appId, proof, asked }));
}

async function byPassword(authority: AuthorityParts, fields: Fields, { client, proof }: AuthenticatedClient) {
  const asked = readAsked(authority, fields);
  const identity = await signIn(authority, fields.require('username'), fields.require('password'));
  return issueForUser(authority, { identity, clientId: client.appId, proof, asked }, { family: newFamily() });
}

async function byCode(authority: AuthorityParts, fields: Fields, { client, proof }: AuthenticatedClient) {
  const { engine, now } = authority;
  const grantHash = hashGrant('code', fields.require('code'));
  const verifier = fields.get('code_verifier');
  const redirectUri = fields.require('redirect_uri');
  const outcome = await engine.transaction(async (tx): Promise<GrantRow | Refusal> => {
    // The user before the grant, as all do who take back what a user was granted.
    const objectId = (await findGrant(tx.db, grantHash))?.object_id;
    if (typeof objectId === 'string') await lockObject(tx, objectId);
    const grant = await lockGrant(tx, grantHash);
    if (grant === undefined) return 'expired_code';
    if (grant.state !== 'open') {
      // Somebody has the code who should not, and nobody knows which of the two: both lose what they got, and what is on its way.
      await updateGrant(tx.db, grantHash, { state: 'replayed' });
      await removeFamily(tx.db, grant.family);
      return 'redeemed_code';
    }
    if (grant.expiry_time <= now()) return 'expired_code';
    // A try uses the code up, right or wrong: nobody gets to guess.
    await updateGrant(tx.db, grantHash, { state: 'used' });
    const detail = JSON.parse(grant.detail) as CodeDetail;
    if (detail.clientId !== client.appId) return 'expired_code';
    if (detail.redirectUri !== redirectUri) return 'redirect_mismatch';
    return isVerifier(verifier, detail.codeChallenge) ? grant : 'wrong_verifier';
  });
  if (typeof outcome === 'string') throw new OAuthError(outcome, codeRefusals[outcome] ?? '');
  const detail = JSON.parse(outcome.detail) as CodeDetail;
  const asked =
    fields.get('scope') === undefined && fields.get('resource') === undefined
      ? detail.asked
      : readAsked(authority, fields);
  const identity = await getIdentity(authority, outcome.object_id);
  return issueForUser(
    authority,
    {
      identity,
      clientId: client.appId,
      proof,
      asked: { ...asked, openid: true, offline: asked.offline || detail.asked.offline },
    },
    { family: outcome.family, broughtGrant: grantHash, nonce: detail.nonce },
  );
}

const codeRefusals: Partial<Record<Refusal, string>> = {
  expired_code: 'The provided authorization code has expired or is not valid for this client.',
  redeemed_code:
    'OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.',
  redirect_mismatch: 'The redirect URI is not the one that the authorization code was sent to.',
  wrong_verifier: 'The Code_Verifier does not match the code_challenge supplied in the authorization request.',
};

/** *RFC 7636, with S256 alone.* */
function isVerifier(verifier: string | undefined, challenge: string): boolean {
  if (verifier === undefined || !/^[\w.~-]{43,128}$/.test(verifier)) return false;
  const made = createHash('sha256').update(verifier).digest();
  const wanted = Buffer.from(challenge, 'base64url');
  return made.byteLength === wanted.byteLength && timingSafeEqual(made, wanted);
}

/** *Entra: one refresh token is good for every resource.* */
async function byRefreshToken(authority: AuthorityParts, fields: Fields, { client, proof }: AuthenticatedClient) {
  const { engine, now } = authority;
  const token = fields.require('refresh_token');
  const asked: Asked = readAsked(authority, fields);
  const grant = await engine.snapshot((db) => findGrant(db, hashGrant('refresh', token)));
  if (grant === undefined || (JSON.parse(grant.detail) as RefreshDetail).clientId !== client.appId) {
    throw revoked();
  }
  if (grant.expiry_time <= now()) {
    throw new OAuthError('expired_refresh', 'The refresh token has expired due to inactivity.');
  }
  const identity = await getIdentity(authority, grant.object_id);
  return issueForUser(
    authority,
    { identity, clientId: client.appId, proof, asked: { ...asked, offline: true } },
    { family: grant.family, broughtGrant: grant.grant_hash },
  );
}

async function byDeviceCode(authority: AuthorityParts, fields: Fields, { client, proof }: AuthenticatedClient) {
  const { engine, now } = authority;
  // *MSAL for Python sends the code under both names.*
  const code = fields.get('device_code') ?? fields.require('code');
  const grantHash = hashGrant('device', code);
  const outcome = await engine.transaction(async (tx): Promise<GrantRow | Refusal> => {
    const grant = await lockGrant(tx, grantHash);
    if (grant === undefined || (JSON.parse(grant.detail) as DeviceDetail).clientId !== client.appId) return 'malformed';
    if (grant.state === 'used') return 'redeemed_code';
    if (grant.state === 'declined') return 'declined_device';
    if (grant.expiry_time <= now()) return 'expired_device_code';
    if (grant.state === 'open') return 'pending';
    await updateGrant(tx.db, grantHash, { state: 'used' });
    return grant;
  });
  if (typeof outcome === 'string') throw new OAuthError(outcome, deviceRefusals[outcome] ?? '');
  const { asked } = JSON.parse(outcome.detail) as DeviceDetail;
  const identity = await getIdentity(authority, outcome.object_id);
  return issueForUser(
    authority,
    { identity, clientId: client.appId, proof, asked },
    { family: outcome.family, broughtGrant: grantHash },
  );
}

const deviceRefusals: Partial<Record<Refusal, string>> = {
  malformed: 'The device code is not valid for this client.',
  redeemed_code: 'The device code was already redeemed.',
  declined_device: 'The user declined to sign in.',
  expired_device_code: 'Verification code expired before the user signed in.',
  pending: 'The user has not finished signing in yet.',
};

/** A user who was disabled or deleted since is not signed in any more. */
async function getIdentity({ engine }: AuthorityParts, objectId: string | null): Promise<Identity> {
  const identity = objectId === null ? undefined : await findIdentity(engine, objectId);
  if (identity === undefined) throw new OAuthError('disabled_user', 'The user account is disabled or gone.');
  return identity;
}
