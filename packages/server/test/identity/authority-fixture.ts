import { createHash, randomBytes } from 'node:crypto';
import { decodeJwt, type JWTPayload } from 'jose';
import { startServer, type TestResponse, type TestServer } from '../server-fixture.ts';

/** A server whose authority has the origin that its clients use, and forms sent to it as clients send them. */
export const publicUrl = 'https://lazuli.example.org';
export const azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';
export const arm = 'https://management.azure.com/.default';

export interface AuthorityServer extends TestServer {
  readonly form: (
    path: string,
    fields: Record<string, string>,
    headers?: Record<string, string>,
  ) => Promise<TestResponse>;
  readonly token: (fields: Record<string, string>, headers?: Record<string, string>) => Promise<TestResponse>;
}

export async function startAuthority(flags: Record<string, string> = {}): Promise<AuthorityServer> {
  return asAuthority(await startServer({ 'public-url': publicUrl, ...flags }));
}

export function asAuthority(server: TestServer): AuthorityServer {
  const form: AuthorityServer['form'] = (path, fields, headers = {}) =>
    server.request('POST', path, new URLSearchParams(fields).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
      ...headers,
    });
  return { ...server, form, token: (fields, headers) => form('/adfs/oauth2/v2.0/token', fields, headers) };
}

/** A service principal with a secret, as the fields of a request. */
export async function anApplication({ client: { directory } }: TestServer, name = 'ci') {
  const { object } = await directory.createServicePrincipal({ display_name: name });
  const { secret, credential } = await directory.createSecret({ object: object.object_id });
  const appId = object.app_id ?? '';
  const fields = { grant_type: 'client_credentials', client_id: appId, client_secret: secret, scope: arm };
  return { object, appId, secret, credential, fields };
}

export async function aUser({ client: { directory } }: TestServer, name = 'ann') {
  const userName = `${name}@example.org`;
  const { object, password = '' } = await directory.createUser({ user_name: userName, display_name: name });
  return { object, userName, password };
}

export async function accessToken(server: AuthorityServer, fields: Record<string, string>): Promise<string> {
  const { json } = await server.token(fields);
  return (json as { access_token: string }).access_token;
}

export function claimsOf(response: TestResponse): JWTPayload {
  return decodeJwt((response.json as { access_token: string }).access_token);
}

/** The error of the authority with its number. */
export function refusal({ status, json }: TestResponse): { status: number; error: string; code: number } {
  const { error, error_codes } = json as { error: string; error_codes: number[] };
  return { status, error, code: error_codes[0] ?? 0 };
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

export const anExperiment = '/api/2.0/mlflow/experiments/get?experiment_id=0';

export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** A browser on the sign-in page: what it asked for, and what it sends back with the page's form. */
export function authorizeQuery(challenge: string, change: Record<string, string> = {}): URLSearchParams {
  return new URLSearchParams({
    client_id: azureCli,
    redirect_uri: 'http://localhost:8400',
    response_type: 'code',
    response_mode: 'query',
    scope: `${arm} openid profile offline_access`,
    state: 'st&te',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...change,
  });
}

export const authorizePath = '/common/oauth2/v2.0/authorize';

export async function openSignIn(server: TestServer, query: URLSearchParams) {
  const page = await server.request('GET', `${authorizePath}?${query.toString()}`);
  return { page, ...formOf(page) };
}

/** The hidden fields and the cookie of a page. */
export function formOf({ text, headers }: TestResponse): { fields: Record<string, string>; cookie: string } {
  const fields: Record<string, string> = {};
  const { 'set-cookie': set } = headers;
  const cookie = typeof set === 'string' ? set : '';
  for (const [, name = '', value = ''] of text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)) {
    fields[name] = value.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'");
  }
  return { fields, cookie: cookie.split(';')[0] ?? '' };
}

/** Signs in by the page and gives the code that the client receives. */
export async function aCode(
  server: AuthorityServer,
  user: { userName: string; password: string },
  query: URLSearchParams,
): Promise<string> {
  const { fields, cookie } = await openSignIn(server, query);
  const answer = await server.form(
    authorizePath,
    { ...fields, username: user.userName, password: user.password, decision: 'sign-in' },
    { cookie },
  );
  return new URL(String(answer.headers['location'])).searchParams.get('code') ?? '';
}
