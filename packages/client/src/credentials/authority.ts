import { setTimeout as pause } from 'node:timers/promises';
import { isLoopback } from '../loopback.ts';
import { failureCode, isTransientFailure } from '../retry-policy.ts';
import { reasonOf, rejected, SignInError, type AccessToken } from './credential.ts';
import type { SignInContext } from './sign-in-context.ts';

/**
 * Who gives tokens: Microsoft Entra ID or a service of its shape, whose paths follow from the tenant, or any issuer of
 * OpenID Connect, whose paths are read from its discovery document.
 */
export interface AuthorityOptions {
  /** Origin of a service of Entra's shape; default: the cloud's login host. */
  readonly authorityHost?: string | undefined;
  readonly tenantId?: string | undefined;
  /** A foreign issuer of OpenID Connect, in place of host and tenant. */
  readonly issuer?: string | undefined;
}

export interface Endpoints {
  readonly token: string;
  readonly authorize: string | undefined;
  readonly deviceCode: string | undefined;
}

export interface Authority {
  /** Names it in messages and cache keys. */
  readonly name: string;
  endpoints(signal: AbortSignal): Promise<Endpoints>;
}

export function createAuthority(options: AuthorityOptions, { fetch }: Pick<SignInContext, 'fetch'>): Authority {
  if (options.issuer !== undefined) return foreignAuthority(secureUrl(options.issuer), fetch);
  const host = new URL(secureUrl(options.authorityHost ?? 'https://login.microsoftonline.com')).origin;
  const tenant = options.tenantId ?? 'organizations';
  // *Azure: letters, digits, dots and dashes.*
  if (!/^[\w.-]+$/.test(tenant)) throw rejected(`'${tenant}' is not the id or domain of a tenant.`);
  const base = `${host}/${tenant}/oauth2/v2.0`;
  const endpoints = { token: `${base}/token`, authorize: `${base}/authorize`, deviceCode: `${base}/devicecode` };
  return { name: `${host}/${tenant}`, endpoints: async () => endpoints };
}

function foreignAuthority(issuer: string, fetch: typeof globalThis.fetch): Authority {
  const name = issuer.replace(/\/+$/, '');
  let known: Endpoints | undefined;
  return {
    name,
    async endpoints(signal) {
      known ??= await discover(name, fetch, signal);
      return known;
    },
  };
}

async function discover(issuer: string, fetch: typeof globalThis.fetch, signal: AbortSignal): Promise<Endpoints> {
  const url = `${issuer}/.well-known/openid-configuration`;
  const document = await askForJson(fetch, url, { signal });
  const text = (name: string): string | undefined => {
    const value = document.body[name];
    return typeof value === 'string' ? value : undefined;
  };
  const [named, token] = [text('issuer'), text('token_endpoint')];
  if (document.status !== 200 || named === undefined || token === undefined)
    throw rejected(`${url} is not the discovery document of an issuer of OpenID Connect.`);
  // *OpenID Connect Discovery 4.3: the issuer named there is exactly the one asked for.*
  if (named.replace(/\/+$/, '') !== issuer) throw rejected(`${url} names another issuer, ${named}.`);
  const optional = (name: string): string | undefined => {
    const value = text(name);
    return value === undefined ? undefined : secureUrl(value);
  };
  return {
    token: secureUrl(token),
    authorize: optional('authorization_endpoint'),
    deviceCode: optional('device_authorization_endpoint'),
  };
}

/** Secrets travel encrypted, or do not leave the machine. */
export function secureUrl(text: string): string {
  if (!URL.canParse(text))
    throw rejected(`The authority '${text}' is not a URL; it reads like https://login.microsoftonline.com.`);
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    throw rejected(`The authority ${text} has to use https.`);
  return text;
}

export interface TokenAnswer extends AccessToken {
  readonly refreshToken: string | undefined;
}

/** What an authority says no with. */
export class AuthorityRefusal extends SignInError {
  /** OAuth's own code: `authorization_pending`. */
  readonly oauthError: string;

  constructor(oauthError: string, message: string) {
    super('rejected', message);
    this.oauthError = oauthError;
  }
}

/** Asks the token endpoint. Rejects with an `AuthorityRefusal` that says what to do about it. */
export async function requestToken(
  authority: Authority,
  fields: Readonly<Record<string, string>>,
  context: SignInContext,
  signal: AbortSignal,
): Promise<TokenAnswer> {
  const { token: url } = await authority.endpoints(signal);
  context.log.debug(`POST ${url}, ${fields['grant_type'] ?? ''} for ${fields['scope'] ?? fields['resource'] ?? ''}`);
  const answer = await postForm(url, fields, context, signal);
  if (answer.status !== 200) throw refusal(url, answer, context);
  return readTokenAnswer(url, answer.body, context);
}

export function readTokenAnswer(url: string, body: JsonObject, { log }: Pick<SignInContext, 'log'>): TokenAnswer {
  const token = body['access_token'];
  if (typeof token !== 'string' || token === '') throw rejected(`${url} answered without an access token.`);
  log.hide(token);
  const refreshToken = typeof body['refresh_token'] === 'string' ? body['refresh_token'] : undefined;
  if (refreshToken !== undefined) log.hide(refreshToken);
  const now = Date.now();
  const refreshIn = Number(body['refresh_in'] ?? NaN);
  return {
    token,
    refreshToken,
    expiresOnTimestamp: expiryOf(body, now),
    ...(Number.isFinite(refreshIn) ? { refreshAfterTimestamp: now + refreshIn * 1000 } : {}),
  };
}

/** *Entra: expires_in in seconds; managed identities: expires_on since 1970; each a number or its digits.* */
function expiryOf(body: JsonObject, now: number): number {
  const within = Number(body['expires_in'] ?? NaN);
  if (Number.isFinite(within)) return now + within * 1000;
  const at = body['expires_on'];
  const seconds = Number(at ?? NaN);
  if (Number.isFinite(seconds)) return seconds * 1000;
  const date = typeof at === 'string' ? Date.parse(at) : NaN;
  // OAuth leaves the lifetime open; a short guess only costs another request.
  return Number.isFinite(date) ? date : now + 10 * 60_000;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonAnswer {
  readonly status: number;
  readonly body: JsonObject;
}

export function postForm(
  url: string,
  fields: Readonly<Record<string, string>>,
  { fetch }: Pick<SignInContext, 'fetch'>,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<JsonAnswer> {
  return askForJson(fetch, url, { method: 'POST', body: new URLSearchParams(fields), headers, signal });
}

const tries = 4;

/** *Azure SDKs: four requests at most, as Retry-After says.* A grant that was seen may be sent again: answers are no orders. */
async function askForJson(
  fetch: typeof globalThis.fetch,
  url: string,
  request: RequestInit & { signal: AbortSignal },
): Promise<JsonAnswer> {
  for (let attempt = 1; ; attempt++) {
    let wait: number;
    try {
      const response = await fetch(url, { redirect: 'error', ...request });
      const isPassing = response.status === 429 || response.status >= 500;
      if (!isPassing || attempt === tries) return { status: response.status, body: objectOf(await response.text()) };
      await response.body?.cancel();
      const asked = Number(response.headers.get('retry-after') ?? NaN);
      wait = Number.isFinite(asked) ? Math.min(asked * 1000, 10_000) : backoff(attempt);
    } catch (error) {
      if (request.signal.aborted || attempt === tries || !isTransientFailure(error)) {
        const isUntrusted = /SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)/.test(failureCode(error) ?? '');
        const hint = isUntrusted ? '. Give the certificate of its issuer in NODE_EXTRA_CA_CERTS.' : '';
        throw rejected(`${new URL(url).origin} cannot be reached: ${reasonOf(error)}${hint}`, error);
      }
      wait = backoff(attempt);
    }
    await pause(wait, undefined, { signal: request.signal });
  }
}

function backoff(attempt: number): number {
  return 200 * 2 ** attempt * (0.5 + Math.random() / 2);
}

export function objectOf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
  } catch {
    return {};
  }
}

/** What to do about the refusals that people meet. *Entra: numbers of AADSTS errors.* */
const advice: Readonly<Record<string, string>> = {
  '7000215': 'The client secret is wrong: it has to be the value of a secret, not its id.',
  '7000222': 'The client secret has expired: make a new one.',
  '700016': 'No application in this tenant has this client id: check AZURE_CLIENT_ID and AZURE_TENANT_ID.',
  '90002': 'There is no such tenant: check AZURE_TENANT_ID and the cloud.',
  '700027': 'The certificate is not registered for this application, or it has expired.',
  '700024': 'The assertion is not valid yet or any more: check the clock of this machine.',
  '50126': 'User name or password is wrong.',
  '50076': 'The account wants a second factor, which only an interactive sign-in can give.',
  '65004': 'The consent was declined.',
  '500011': 'The authority does not know this audience: check the cloud and the scope.',
};

/** The error that an answer of an authority stands for, with what to do about it. */
export function refusal(
  url: string,
  { status, body }: JsonAnswer,
  { log }: Pick<SignInContext, 'log'>,
): AuthorityRefusal {
  const error = typeof body['error'] === 'string' ? body['error'] : `status ${status}`;
  const told = typeof body['error_description'] === 'string' ? body['error_description'] : '';
  const [description = ''] = told.split(/\r?\n/);
  const numbers = [...description.matchAll(/AADSTS(\d+)/g)].map(([, number]) => number ?? '');
  const hints = numbers.flatMap((number) => advice[number] ?? []);
  const words = [`${new URL(url).origin} refused: ${error}.`, ...hints, description];
  return new AuthorityRefusal(error, log.mask(words.filter((word) => word !== '').join(' ')));
}
