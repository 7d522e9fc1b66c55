import { randomBytes, randomInt } from 'node:crypto';
import {
  jsonAnswer,
  requireTenant,
  type AuthorityAnswer,
  type AuthorityParts,
  type AuthorityRequest,
} from './authority.ts';
import { findClient } from './client-authentication.ts';
import { fieldsOf } from './fields.ts';
import { checkForm, formToken } from './form-token.ts';
import { hashGrant, insertGrant, lockGrantByUserCode, removeExpiredGrants, updateGrant } from './grant-store.ts';
import { keepIdentity, type Identity } from './identities.ts';
import { newFamily } from './issue-tokens.ts';
import { OAuthError } from './oauth-error.ts';
import { devicePage, messagePage } from './pages.ts';
import { readAsked, type Asked } from './scopes.ts';
import { signIn } from './sign-in.ts';

/** Signing in on another machine's browser: *RFC 8628*. */
export interface DeviceDetail {
  readonly clientId: string;
  readonly asked: Asked;
}

const codeSeconds = 15 * 60;
const pollSeconds = 5;
/** Without vowels and look-alikes: 20 letters, 9 of them. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ';

export async function deviceCode(authority: AuthorityParts, request: AuthorityRequest): Promise<AuthorityAnswer> {
  requireTenant(authority, request.tenant);
  const fields = fieldsOf(request.form);
  const client = await findClient(authority, fields.require('client_id'));
  const asked = readAsked(authority, fields);
  const code = randomBytes(32).toString('base64url');
  const userCode = Array.from({ length: 9 }, () => letters[randomInt(letters.length)]).join('');
  const { engine, now, url } = authority;
  await engine.transaction(async ({ db }) => {
    await removeExpiredGrants(db, now());
    await insertGrant(db, {
      grant_hash: hashGrant('device', code),
      kind: 'device',
      family: newFamily(),
      object_id: null,
      user_code: userCode,
      state: 'open',
      detail: JSON.stringify({ clientId: client.appId, asked } satisfies DeviceDetail),
      expiry_time: now() + codeSeconds * 1000,
    });
  });
  const page = `${url()}/common/oauth2/deviceauth`;
  return jsonAnswer({
    user_code: userCode,
    device_code: code,
    verification_uri: page,
    verification_url: page,
    expires_in: codeSeconds,
    interval: pollSeconds,
    message: `To sign in, use a web browser to open the page ${page} and enter the code ${userCode} to authenticate.`,
  });
}

/** The page on which a user says yes or no to a device. */
export async function deviceAuth(authority: AuthorityParts, request: AuthorityRequest): Promise<AuthorityAnswer> {
  const isForm = request.method === 'POST';
  const fields = fieldsOf(isForm ? request.form : request.query);
  const userCode = (fields.get('user_code') ?? fields.get('otc') ?? '').toUpperCase().replaceAll(/[^A-Z]/g, '');
  const show = (problem?: string): AuthorityAnswer => {
    const { token, cookie } = formToken(authority, request);
    return devicePage({ userCode, token, userName: fields.get('username') ?? '', problem, cookie });
  };
  requireTenant(authority, request.tenant);
  if (!isForm) return show();
  if (!checkForm(authority, request)) return show('The form was too old or came from elsewhere. Please try again.');
  const decision = fields.get('decision') === 'cancel' ? 'declined' : 'approved';
  try {
    // A refusal needs no less: otherwise anybody could end what others have begun.
    const identity = await signIn(authority, fields.require('username'), fields.require('password'));
    await decideDevice(authority, userCode, identity, decision);
  } catch (error) {
    if (error instanceof OAuthError) return show(error.message);
    throw error;
  }
  return decision === 'approved'
    ? messagePage('The device is signed in', 'You can close this page and go on there.')
    : messagePage('The device was refused', 'It is not signed in.');
}

async function decideDevice(
  { engine, now }: AuthorityParts,
  userCode: string,
  identity: Identity,
  state: 'approved' | 'declined',
): Promise<void> {
  const isDecided = await engine.transaction(async (tx) => {
    await keepIdentity(tx, identity);
    const grant = await lockGrantByUserCode(tx, userCode);
    if (grant === undefined || grant.state !== 'open' || grant.expiry_time <= now()) return false;
    // The code is free again, and nobody decides twice.
    await updateGrant(tx.db, grant.grant_hash, { state, object_id: identity.objectId, user_code: null });
    return true;
  });
  if (!isDecided) throw new OAuthError('expired_device_code', 'That code does not exist, or is not valid any more.');
}
