import { randomBytes } from 'node:crypto';
import { requireTenant, type AuthorityAnswer, type AuthorityParts, type AuthorityRequest } from './authority.ts';
import { findClient, type Client } from './client-authentication.ts';
import { fieldsOf, type Fields } from './fields.ts';
import { checkForm, formToken } from './form-token.ts';
import { hashGrant, insertGrant, removeExpiredGrants } from './grant-store.ts';
import { keepIdentity, type Identity } from './identities.ts';
import { newFamily } from './issue-tokens.ts';
import { OAuthError } from './oauth-error.ts';
import { formPostPage, refusalPage, signInPage } from './pages.ts';
import { isRedirectAllowed } from './redirect-uri.ts';
import { readAsked, type Asked } from './scopes.ts';
import { signIn } from './sign-in.ts';

/**
 * The authorization endpoint: shows a page to sign in, and sends a code back to the client. The page's form carries the
 * client's request along, and it is checked again when it comes back. Until client and redirect URI are known to be right,
 * nothing is sent anywhere: what is wrong before that is told on a page of this server.
 */
export interface CodeDetail {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly nonce?: string | undefined;
  readonly asked: Asked;
}

const codeMs = 5 * 60_000;

/** Where answers go, and how. */
interface ReturnPath {
  readonly redirectUri: string;
  readonly mode: 'query' | 'fragment' | 'form_post';
  readonly state: string | undefined;
}

/** The parameters that the form carries along. */
const carried = [
  'client_id',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'resource',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
] as const;

export async function authorize(authority: AuthorityParts, request: AuthorityRequest): Promise<AuthorityAnswer> {
  const isForm = request.method === 'POST';
  const fields = fieldsOf(isForm ? request.form : request.query);
  let client: Client;
  let path: ReturnPath;
  try {
    requireTenant(authority, request.tenant);
    client = await findClient(authority, fields.require('client_id'));
    path = readReturnPath(client, fields);
  } catch (error) {
    if (error instanceof OAuthError) return refusalPage(error);
    throw error;
  }
  try {
    const detail = readRequest(authority, client, path, fields);
    if (!isForm) {
      if (fields.get('prompt') === 'none') throw new OAuthError('no_session', 'The user is not signed in.');
      return showPage(authority, request, { client, path, fields });
    }
    if (fields.get('decision') === 'cancel') throw new OAuthError('declined', 'The user declined to sign in.');
    return await takeSignIn(authority, request, { client, path, fields, detail });
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    return sendBack(path, { error: error.error, error_description: `AADSTS${error.number}: ${error.message}` });
  }
}

interface Begun {
  readonly client: Client;
  readonly path: ReturnPath;
  readonly fields: Fields;
}

function showPage(
  authority: AuthorityParts,
  request: AuthorityRequest,
  { client, path, fields }: Begun,
  problem?: string,
): AuthorityAnswer {
  const { token, cookie } = formToken(authority, request);
  const hidden = carried.flatMap((name): [string, string][] => {
    const value = fields.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return signInPage({
    clientName: client.displayName,
    hidden: [...hidden, ['form_token', token]],
    userName: fields.get('username') ?? fields.get('login_hint') ?? '',
    returnsTo: path.redirectUri,
    problem,
    cookie,
  });
}

async function takeSignIn(
  authority: AuthorityParts,
  request: AuthorityRequest,
  begun: Begun & { readonly detail: CodeDetail },
): Promise<AuthorityAnswer> {
  const { path, fields, detail } = begun;
  if (!checkForm(authority, request)) {
    return showPage(authority, request, begun, 'The form was too old or came from elsewhere. Please sign in again.');
  }
  try {
    const identity = await signIn(authority, fields.require('username'), fields.require('password'));
    const code = await issueCode(authority, identity, detail);
    const clientInfo = Buffer.from(JSON.stringify({ uid: identity.objectId, utid: authority.tenant.tenant_id }));
    return sendBack(path, { code, client_info: clientInfo.toString('base64url'), session_state: newFamily() });
  } catch (error) {
    if (error instanceof OAuthError) return showPage(authority, request, begun, error.message);
    throw error;
  }
}

async function issueCode({ engine, now }: AuthorityParts, identity: Identity, detail: CodeDetail): Promise<string> {
  const code = randomBytes(32).toString('base64url');
  await engine.transaction(async (tx) => {
    await keepIdentity(tx, identity);
    await removeExpiredGrants(tx.db, now());
    await insertGrant(tx.db, {
      grant_hash: hashGrant('code', code),
      kind: 'code',
      family: newFamily(),
      object_id: identity.objectId,
      user_code: null,
      state: 'open',
      detail: JSON.stringify(detail),
      expiry_time: now() + codeMs,
    });
  });
  return code;
}

function readReturnPath(client: Client, fields: Fields): ReturnPath {
  const redirectUri = fields.require('redirect_uri');
  if (!isRedirectAllowed(redirectUri, client.redirectUris)) {
    throw new OAuthError(
      'redirect_mismatch',
      'The redirect URI specified in the request does not match the redirect URIs configured for the application.',
    );
  }
  const mode = fields.get('response_mode') ?? 'query';
  if (mode !== 'query' && mode !== 'fragment' && mode !== 'form_post') {
    throw new OAuthError('malformed', 'response_mode must be query, fragment or form_post.');
  }
  return { redirectUri, mode, state: fields.get('state') };
}

function readRequest(authority: AuthorityParts, client: Client, path: ReturnPath, fields: Fields): CodeDetail {
  if (fields.require('response_type') !== 'code') {
    throw new OAuthError('unsupported_response_type', 'The only response_type is code.');
  }
  const codeChallenge = fields.get('code_challenge');
  // *RFC 7636, 7.2: plain would let whoever sees the request redeem the code.*
  if (codeChallenge === undefined || fields.get('code_challenge_method') !== 'S256') {
    throw new OAuthError(
      'missing_challenge',
      'Proof Key for Code Exchange is required, with code_challenge_method S256.',
    );
  }
  if (!/^[\w-]{43}$/.test(codeChallenge)) {
    throw new OAuthError('malformed', 'code_challenge must be a SHA-256 in base64url.');
  }
  const { redirectUri } = path;
  const nonce = fields.get('nonce');
  return { clientId: client.appId, redirectUri, codeChallenge, nonce, asked: readAsked(authority, fields) };
}

function sendBack({ redirectUri, mode, state }: ReturnPath, answer: Record<string, string>): AuthorityAnswer {
  const fields = { ...answer, ...(state === undefined ? {} : { state }) };
  if (mode === 'form_post') return formPostPage(redirectUri, fields);
  const parameters = new URLSearchParams(fields).toString();
  const mark = mode === 'fragment' ? '#' : redirectUri.includes('?') ? '&' : '?';
  return {
    status: 302,
    headers: {
      location: `${redirectUri}${mark}${parameters}`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    },
    body: '',
  };
}
