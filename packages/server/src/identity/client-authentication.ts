import { timingSafeEqual, X509Certificate } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify } from 'jose';
import { plainAudience } from '../access/audiences.ts';
import { hashSecret } from '../access/token-secret.ts';
import { outOfTime } from '../access/token-times.ts';
import type { Db } from '../database/engine.ts';
import type { AuthorityParts, AuthorityRequest } from './authority.ts';
import { listCredentials, type CredentialRow, type ObjectRow } from './directory-store.ts';
import { checkFederatedAssertion, federatedIssuer, type Federation } from './federated-assertion.ts';
import type { Fields } from './fields.ts';
import { findGrant, hashGrant, insertGrant, removeExpiredGrants } from './grant-store.ts';
import { findApplicationRow } from './identities.ts';
import type { ClientProof } from './issue-tokens.ts';
import { assertionOutOfTime, OAuthError } from './oauth-error.ts';
import { loopbackRedirects } from './redirect-uri.ts';
import { readAsked } from './scopes.ts';
import { isTenant } from './tenant.ts';

/** An application that speaks to the authority, and how it has shown that it is itself. */
export interface Client {
  readonly appId: string;
  readonly displayName: string;
  readonly redirectUris: readonly string[];
  /** Its service principal; undefined where it is one of Microsoft's own programs. */
  readonly objectId: string | undefined;
}

/** Programs that users run and that have no secret. *Azure: the ids of its command line, of PowerShell and of Visual Studio Code.* */
const publicClients: Readonly<Record<string, string>> = {
  '04b07795-8ddb-461a-bbee-02f9e1bf7b46': 'Azure CLI',
  '1950a258-227b-4e31-a9cf-717495945fc2': 'Azure PowerShell',
  'aebc6443-996d-45c2-90f0-388ff96faa56': 'Visual Studio Code',
};

export async function findClient({ engine }: AuthorityParts, clientId: string): Promise<Client> {
  const name = publicClients[clientId.toLowerCase()];
  if (name !== undefined) {
    return { appId: clientId.toLowerCase(), displayName: name, redirectUris: loopbackRedirects, objectId: undefined };
  }
  const row = /^[\x21-\x7e]{1,100}$/.test(clientId) ? await findApplicationRow(engine, clientId) : undefined;
  if (row === undefined) throw unknownApplication(clientId);
  return clientOf(row, clientId);
}

function clientOf(row: ObjectRow, clientId: string): Client {
  if (row.disabled !== 0) {
    throw new OAuthError('disabled_application', `Application '${printable(clientId)}' is disabled.`);
  }
  return {
    appId: row.app_id ?? clientId,
    displayName: row.display_name,
    redirectUris: JSON.parse(row.redirect_uris) as string[],
    objectId: row.object_id,
  };
}

export interface AuthenticatedClient {
  readonly client: Client;
  readonly proof: ClientProof;
}

/** Who asks the token endpoint. An application that has a secret or a certificate must show one. */
export async function authenticateClient(
  authority: AuthorityParts,
  request: AuthorityRequest,
  fields: Fields,
): Promise<AuthenticatedClient> {
  const basic = readBasic(request.headers['authorization']);
  const assertion = fields.get('client_assertion');
  const clientId = fields.get('client_id') ?? basic?.clientId ?? claimedIssuer(assertion);
  if (clientId === undefined)
    throw new OAuthError('missing_parameter', `The request must contain the parameter 'client_id'.`);
  const client = await findClient(authority, clientId);
  const { objectId } = client;
  const credentials =
    objectId === undefined ? [] : await authority.engine.snapshot((db) => listCredentials(db, objectId));
  if (assertion !== undefined) {
    requireAssertionType(fields);
    const federations = credentials.flatMap(federationOf);
    const issuer = federatedIssuer(assertion, federations);
    if (issuer === undefined) await checkAssertion(authority, { client, credentials, assertion, fields });
    else {
      const keys = authority.issuerKeys(issuer);
      await checkFederatedAssertion(assertion, issuer, { federations, keys, now: authority.now });
    }
    return { client, proof: 'certificate' };
  }
  const secret = fields.get('client_secret') ?? basic?.secret;
  if (secret !== undefined) {
    checkSecret(credentials, secret, clientId, authority.now());
    return { client, proof: 'secret' };
  }
  if (credentials.length > 0) {
    throw new OAuthError('missing_secret', `The request must contain 'client_assertion' or 'client_secret'.`);
  }
  return { client, proof: 'none' };
}

function checkSecret(credentials: readonly CredentialRow[], secret: string, clientId: string, time: number): void {
  const given = Buffer.from(hashSecret(secret));
  let found: CredentialRow | undefined;
  for (const row of credentials) {
    const kept = Buffer.from(row.secret_hash ?? '');
    if (kept.byteLength === given.byteLength && timingSafeEqual(kept, given)) found = row;
  }
  if (found === undefined) {
    throw new OAuthError(
      'bad_secret',
      `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for app '${printable(clientId)}'.`,
    );
  }
  if (found.expiry_time <= time) {
    throw new OAuthError(
      'expired_secret',
      `The provided client secret keys for app '${printable(clientId)}' are expired.`,
    );
  }
}

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const skewSeconds = 300;
const longestAssertionMs = 24 * 3_600_000;

function requireAssertionType(fields: Fields): void {
  if (fields.require('client_assertion_type') === assertionType) return;
  throw new OAuthError('bad_assertion', `The client assertion type must be ${assertionType}.`);
}

function federationOf({ federation }: CredentialRow): Federation[] {
  return federation === null ? [] : [JSON.parse(federation) as Federation];
}

/**
 * *RFC 7523*, as Microsoft's libraries fill it in: the header names the certificate by its thumbprint (`x5t` of SHA-1,
 * `x5t#S256`), with or without padding. What else the header carries (`x5c`, `jku`, `jwk`) decides nothing: the key is the
 * one that the directory has.
 */
async function checkAssertion(
  authority: AuthorityParts,
  given: {
    readonly client: Client;
    readonly credentials: readonly CredentialRow[];
    readonly assertion: string;
    readonly fields: Fields;
  },
): Promise<void> {
  const { client, credentials, assertion, fields } = given;
  const time = authority.now();
  const certificate = certificateOf(assertion, credentials, time);
  const { payload } = await jwtVerify(assertion, certificate.publicKey, {
    algorithms: ['RS256', 'PS256'],
    issuer: client.appId,
    subject: client.appId,
    clockTolerance: skewSeconds,
    currentDate: new Date(time),
    requiredClaims: ['aud', 'exp', 'jti'],
  }).catch((error: unknown) => {
    const times = outOfTime(error, time);
    if (times !== undefined) throw assertionOutOfTime(times, error);
    throw badAssertion(error instanceof errors.JOSEError ? error.message : 'it could not be read', error);
  });
  const audiences = typeof payload.aud === 'string' ? [payload.aud] : (payload.aud ?? []);
  if (!audiences.some((audience) => isTokenEndpoint(authority, audience))) {
    throw badAssertion('its audience is not the token endpoint of this authority');
  }
  const expiryTime = (payload.exp ?? 0) * 1000;
  if (expiryTime > time + longestAssertionMs) throw badAssertion('it is good for longer than a day');
  const id = `${client.appId} ${payload.jti ?? ''}`;
  // However a request spells the resource: otherwise each spelling would be a first use.
  const resource = plainAudience(readAsked(authority, fields).resource);
  const keptUntil = Math.ceil(expiryTime) + skewSeconds * 1000;
  const [ofAny, ofThis] = await sinceFirstUses(authority, [id, `${id} ${resource}`], keptUntil);
  if (ofAny > longestReuseMs || ofThis > reuseMs) throw badAssertion('it was used before');
}

/**
 * An assertion that somebody has recorded is of no use later on. It may come again for a moment, and for another resource:
 * *MSAL keeps an assertion for nine or ten minutes; in Python it sends it for every resource and from every thread.*
 */
const reuseMs = 30_000;
const longestReuseMs = 10 * 60_000;

async function sinceFirstUses(
  { engine, now }: AuthorityParts,
  uses: readonly [string, string],
  keptUntil: number,
): Promise<[number, number]> {
  const time = now();
  return engine.transaction(async ({ db }) => {
    await removeExpiredGrants(db, time);
    const [ofAny, ofThis] = uses;
    return [time - (await firstUse(db, ofAny)), time - (await firstUse(db, ofThis))];
  });

  async function firstUse(db: Db, use: string): Promise<number> {
    const grantHash = hashGrant('assertion', use);
    const inserted = await insertGrant(db, {
      grant_hash: grantHash,
      kind: 'assertion',
      family: '',
      object_id: null,
      user_code: null,
      state: 'used',
      detail: JSON.stringify({ time }),
      expiry_time: keptUntil,
    });
    if (inserted) return time;
    const present = await findGrant(db, grantHash);
    return present === undefined ? time : (JSON.parse(present.detail) as { time: number }).time;
  }
}

function certificateOf(assertion: string, credentials: readonly CredentialRow[], time: number): X509Certificate {
  const header = readHeader(assertion);
  const wanted = ['x5t', 'x5t#S256', 'kid']
    .map((name) => header[name])
    .filter((value) => typeof value === 'string')
    .map((value) => value.replace(/=+$/, ''));
  for (const { certificate, expiry_time } of credentials) {
    if (certificate === null) continue;
    const parsed = new X509Certificate(certificate);
    const prints = [parsed.fingerprint, parsed.fingerprint256].map((print) =>
      Buffer.from(print.replaceAll(':', ''), 'hex'),
    );
    const names = prints.flatMap((print) => [print.toString('base64url'), print.toString('hex').toUpperCase()]);
    if (!wanted.some((print) => names.includes(print))) continue;
    if (expiry_time <= time) throw badAssertion(`the certificate expired on ${parsed.validToDate.toISOString()}`);
    return parsed;
  }
  throw badAssertion('the certificate with the thumbprint that it names is not registered on the application');
}

function readHeader(assertion: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(assertion);
  } catch (error) {
    throw badAssertion('it is no signed JWT', error);
  }
}

/** *Microsoft's libraries give the token endpoint as audience; some give the issuer.* */
function isTokenEndpoint({ url, tenant }: AuthorityParts, audience: string): boolean {
  const base = `${url()}/`;
  if (!audience.startsWith(base)) return false;
  const [name = '', ...rest] = audience.slice(base.length).replace(/\/$/, '').split('/');
  return isTenant(tenant, name) && ['oauth2/v2.0/token', 'oauth2/token', 'v2.0'].includes(rest.join('/'));
}

/** Only says whose key to look for; what is believed was signed. */
function claimedIssuer(assertion: string | undefined): string | undefined {
  const [, body] = assertion?.split('.') ?? [];
  if (body === undefined) return undefined;
  try {
    const { iss } = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as { iss?: unknown };
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

/** *RFC 6749, 2.3.1: both parts are form-encoded.* */
function readBasic(header: string | string[] | undefined): { clientId: string; secret: string } | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(typeof header === 'string' ? header : '') ?? [];
  if (encoded === undefined) return undefined;
  const [clientId = '', ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  try {
    return {
      clientId: decodeURIComponent(clientId),
      secret: decodeURIComponent(secret.join(':').replaceAll('+', ' ')),
    };
  } catch {
    return undefined;
  }
}

function badAssertion(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('bad_assertion', `The client assertion is refused: ${reason}.`, { cause });
}

function unknownApplication(clientId: string): OAuthError {
  return new OAuthError(
    'unknown_application',
    `Application with identifier '${printable(clientId)}' was not found in the directory.`,
  );
}

function printable(text: string): string {
  return text.slice(0, 100).replaceAll(/[^\w.@-]/g, '?');
}
