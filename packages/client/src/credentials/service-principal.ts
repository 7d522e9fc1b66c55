import { createHash, constants, randomUUID, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createAuthority, requestToken, type AuthorityOptions } from './authority.ts';
import { readClientCertificate, type ClientCertificate } from './client-certificate.ts';
import { rejected, unavailable, type TokenSource } from './credential.ts';
import type { SignInContext } from './sign-in-context.ts';

/** Applications that sign in by themselves: with a secret, a certificate, or a token that another issuer gave them. */
export interface ApplicationOptions extends AuthorityOptions {
  readonly clientId: string;
}

export interface ClientSecretOptions extends ApplicationOptions {
  readonly clientSecret: string;
}

export function clientSecretSource(options: ClientSecretOptions, context: SignInContext): TokenSource {
  const { clientId, clientSecret } = options;
  context.log.hide(clientSecret);
  const authority = createAuthority(options, context);
  // *Databricks leaves a reference to a secret as it is where the secret is missing.*
  const reference = /\{\{\s*secrets\/[^}]*\}\}/.exec(clientSecret)?.[0];
  return async (scope, signal) => {
    if (reference !== undefined)
      throw rejected(
        'AZURE_CLIENT_SECRET is an unresolved reference: it still reads {{secrets/…}}. Check that the secret scope and key exist and that this cluster may read them.',
      );
    const fields = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, scope };
    return await requestToken(authority, fields, context, signal);
  };
}

export interface ClientCertificateOptions extends ApplicationOptions {
  /** A PEM or PKCS#12 file with certificate and private key. */
  readonly certificatePath: string;
  readonly certificatePassword?: string | undefined;
  /** Sends the chain too, for applications that trust a subject and issuer. */
  readonly sendCertificateChain?: 'always' | 'never';
}

export function clientCertificateSource(options: ClientCertificateOptions, context: SignInContext): TokenSource {
  const { clientId, certificatePath, certificatePassword, sendCertificateChain = 'never' } = options;
  if (certificatePassword !== undefined) context.log.hide(certificatePassword);
  const authority = createAuthority(options, context);
  // PKCS#12 takes up to a second to open, so it is opened once.
  let certificate: Promise<ClientCertificate> | undefined;
  return async (scope, signal) => {
    certificate ??= readClientCertificate(certificatePath, certificatePassword);
    const parts = await certificate.catch((error: unknown) => {
      certificate = undefined;
      throw error;
    });
    const { token: audience } = await authority.endpoints(signal);
    const assertion = signAssertion({ clientId, audience, sendCertificateChain, ...parts });
    return await requestToken(authority, assertionGrant(clientId, assertion, scope), context, signal);
  };
}

export interface WorkloadIdentityOptions extends ApplicationOptions {
  /** A file with a token of a federated issuer; whoever writes it renews it. */
  readonly tokenFilePath: string;
}

export function workloadIdentitySource(options: WorkloadIdentityOptions, context: SignInContext): TokenSource {
  const authority = createAuthority(options, context);
  return async (scope, signal) => {
    const assertion = await readFile(options.tokenFilePath, 'utf8').catch((cause: unknown) => {
      throw unavailable(
        `The federated token at AZURE_FEDERATED_TOKEN_FILE (${options.tokenFilePath}) cannot be read.`,
        cause,
      );
    });
    context.log.hide(assertion.trim());
    return await requestToken(authority, assertionGrant(options.clientId, assertion.trim(), scope), context, signal);
  };
}

export interface UserPasswordOptions extends ApplicationOptions {
  readonly username: string;
  readonly password: string;
}

/** *Deprecated by Microsoft, and impossible with a second factor; still one of the environment's forms.* */
export function userPasswordSource(options: UserPasswordOptions, context: SignInContext): TokenSource {
  const { clientId, username, password } = options;
  context.log.hide(password);
  const authority = createAuthority(options, context);
  return async (scope, signal) =>
    requestToken(
      authority,
      { grant_type: 'password', client_id: clientId, username, password, scope },
      context,
      signal,
    );
}

function assertionGrant(clientId: string, assertion: string, scope: string): Record<string, string> {
  return {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    scope,
  };
}

interface AssertionParts extends ClientCertificate {
  readonly clientId: string;
  readonly audience: string;
  readonly sendCertificateChain: 'always' | 'never';
}

/** *Entra: a JWT of ten minutes, signed with PS256, that names the certificate by its SHA-256 thumbprint.* */
function signAssertion({ clientId, audience, key, leaf, chain, sendCertificateChain }: AssertionParts): string {
  const header = {
    alg: 'PS256',
    typ: 'JWT',
    'x5t#S256': createHash('sha256').update(leaf.raw).digest('base64url'),
    ...(sendCertificateChain === 'always' ? { x5c: [leaf, ...chain].map(({ raw }) => raw.toString('base64')) } : {}),
  };
  const now = Math.floor(Date.now() / 1000);
  const claims = { aud: audience, iss: clientId, sub: clientId, jti: randomUUID(), nbf: now, iat: now, exp: now + 600 };
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode(header)}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
  return `${signed}.${signature.toString('base64url')}`;
}
