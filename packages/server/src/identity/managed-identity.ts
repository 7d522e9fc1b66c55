import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { jsonAnswer, type AuthorityAnswer, type AuthorityParts, type AuthorityRequest } from './authority.ts';
import { fieldsOf } from './fields.ts';
import { findIdentity } from './identities.ts';
import { isLoopback } from '../settings/loopback.ts';
import { accessTokenSeconds, issueAccessToken } from './issue-tokens.ts';
import { OAuthError } from './oauth-error.ts';
import { readAsked } from './scopes.ts';

/**
 * A managed identity: a service principal whose tokens are given to whoever can read a file of the server, in the forms in
 * which App Service and Azure Machine Learning give them to programs on their machines. The form of virtual machines asks for
 * no secret and has to be switched on: it gives any process of this machine a token.
 */
export interface ManagedIdentityParts {
  readonly authority: AuthorityParts;
  /** What callers must show. */
  readonly secret: string;
  readonly objectId: string;
}

/** *App Service 2019-08-01: `X-IDENTITY-HEADER`; Azure ML 2017-09-01: `secret`.* */
export async function managedIdentityToken(
  parts: ManagedIdentityParts,
  request: AuthorityRequest,
): Promise<AuthorityAnswer> {
  const given = request.headers['x-identity-header'] ?? request.headers['secret'];
  if (!isSecret(typeof given === 'string' ? given : '', parts.secret)) {
    return refusal(
      401,
      'unauthorized',
      'The header X-IDENTITY-HEADER (or secret) does not hold the secret of this server.',
    );
  }
  return giveToken(parts, request.method === 'POST' ? request.form : request.query);
}

const loopback = /^(127\.|::1$|::ffff:127\.)/;

/** *IMDS 2018-02-01: the header `Metadata: true`, and no proxy on the way.* */
export async function instanceMetadataToken(
  parts: ManagedIdentityParts,
  request: AuthorityRequest,
): Promise<AuthorityAnswer> {
  if (request.headers['metadata']?.toString().toLowerCase() !== 'true') {
    return refusal(400, 'invalid_request', 'Required metadata header not specified.');
  }
  const isForwarded = ['x-forwarded-for', 'forwarded', 'via'].some((name) => request.headers[name] !== undefined);
  // What a proxy of this machine hands on names the host that the proxy was asked for.
  if (isForwarded || !isNamedLoopback(request.headers['host']) || !loopback.test(request.remoteAddress ?? '')) {
    return refusal(403, 'forbidden', 'Only processes of this machine get a token here.');
  }
  return giveToken(parts, request.query);
}

function isNamedLoopback(host: string | string[] | undefined): boolean {
  const url = typeof host === 'string' ? URL.parse(`http://${host}`) : null;
  return url !== null && isLoopback(url.hostname.replace(/^\[|\]$/g, ''));
}

async function giveToken(
  { authority, objectId }: ManagedIdentityParts,
  parameters: URLSearchParams,
): Promise<AuthorityAnswer> {
  try {
    const fields = fieldsOf(parameters);
    fields.require('resource');
    const asked = readAsked(authority, fieldsOf(new URLSearchParams({ resource: fields.require('resource') })));
    const identity = await findIdentity(authority.engine, objectId);
    const wanted =
      fields.get('client_id') ?? fields.get('clientid') ?? fields.get('object_id') ?? fields.get('principal_id');
    const names = [objectId, identity?.appId];
    if (identity?.appId === undefined || (wanted !== undefined && !names.includes(wanted.toLowerCase()))) {
      return refusal(400, 'invalid_request', 'Identity not found.');
    }
    const { appId } = identity;
    const token = await issueAccessToken(authority, { identity, clientId: appId, proof: 'certificate', asked });
    const seconds = Math.floor(authority.now() / 1000);
    return jsonAnswer({
      access_token: token,
      client_id: appId,
      expires_in: String(accessTokenSeconds),
      expires_on: String(seconds + accessTokenSeconds),
      not_before: String(seconds),
      resource: asked.resource,
      token_type: 'Bearer',
    });
  } catch (error) {
    if (error instanceof OAuthError) return refusal(400, error.error, `AADSTS${error.number}: ${error.message}`);
    throw error;
  }
}

export function inventIdentitySecret(): string {
  return `lzm_${randomBytes(32).toString('base64url')}`;
}

function isSecret(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function refusal(status: number, error: string, description: string): AuthorityAnswer {
  return jsonAnswer({ error, error_description: description, statusCode: status, message: description }, status);
}
