import { constants, createHash, randomUUID, verify, X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { trustedLoopbackCertificate } from './certificates.ts';

/**
 * An authority of Entra's shape over TLS: it proves secrets, assertions, codes and refresh tokens for real and keeps no
 * more than one application.
 */
export interface TestAuthority extends AsyncDisposable {
  readonly origin: string;
  /** The fields of each token request. */
  readonly tokenRequests: readonly Readonly<Record<string, string>>[];
  /** Every request's method and path. */
  readonly requests: readonly string[];
  /** Answers to give in place of the next ones: `[429, { 'retry-after': '0' }]`. */
  readonly failNext: [number, Record<string, string>][];
  /** What tokens say; to be changed by tests. */
  readonly answer: Record<string, unknown>;
}

export const app = { tenantId: randomUUID(), clientId: randomUUID(), clientSecret: 'correct~horse.battery' };

type Fields = Record<string, string>;

export async function startAuthority(certificatePem?: string): Promise<TestAuthority> {
  const server = createServer(trustedLoopbackCertificate());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  const tokenRequests: Fields[] = [];
  const requests: string[] = [];
  const failNext: [number, Record<string, string>][] = [];
  const answer: Record<string, unknown> = { expires_in: 3600 };
  const codes = new Map<string, Fields>();
  const refreshTokens = new Set<string>();
  let devicePolls = 0;

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void respond(request, response);
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', origin);
    requests.push(`${request.method} ${pathname}`);
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const failure = failNext.shift();
    if (failure !== undefined) {
      response.writeHead(...failure).end();
      return;
    }
    const fields = Object.fromEntries(new URLSearchParams(text));
    const base = `/${app.tenantId}/oauth2/v2.0`;
    if (pathname === `${base}/token`) {
      tokenRequests.push(fields);
      const refusal = refusalOf(fields);
      if (refusal === undefined) json(response, 200, tokenAnswer(fields));
      else json(response, 400, refusal);
    } else if (pathname === `${base}/devicecode`) {
      json(response, 200, {
        device_code: 'device',
        user_code: 'ABCD',
        verification_uri: `${origin}/device`,
        interval: 0,
        expires_in: 60,
      });
    } else if (pathname === `${base}/authorize`) {
      const code = randomUUID();
      codes.set(code, Object.fromEntries(searchParams));
      const { redirect_uri = '', state = '' } = Object.fromEntries(searchParams);
      response.setHeader('content-type', 'text/html');
      response.end(
        `<form method="post" action="${redirect_uri}"><input name="code" value="${code}"><input name="state" value="${state}"><button>Sign in</button></form><script>document.forms[0].submit()</script>`,
      );
    } else if (pathname === `/${app.tenantId}/v2.0/.well-known/openid-configuration`) {
      const issuer = `${origin}/${app.tenantId}/v2.0`;
      const endpoints = {
        token_endpoint: `${origin}${base}/token`,
        authorization_endpoint: `${origin}${base}/authorize`,
      };
      json(response, 200, { issuer, jwks_uri: `${origin}/keys`, ...endpoints });
    } else json(response, 404, { error: 'not_found' });
  }

  function refusalOf(fields: Fields): object | undefined {
    if (fields['client_id'] !== app.clientId) return refused(700016, 'Application not found', 'unauthorized_client');
    switch (fields['grant_type']) {
      case 'client_credentials':
        if (fields['client_assertion'] !== undefined)
          return isSigned(fields['client_assertion'])
            ? undefined
            : refused(700027, 'Assertion failed', 'invalid_client');
        return fields['client_secret'] === app.clientSecret
          ? undefined
          : refused(7000215, `Invalid client secret ${fields['client_secret'] ?? ''}`, 'invalid_client');
      case 'password':
        return fields['password'] === 'pass'
          ? undefined
          : refused(50126, 'Error validating credentials', 'invalid_grant');
      case 'urn:ietf:params:oauth:grant-type:device_code':
        return ++devicePolls % 3 === 0 ? undefined : refused(70016, 'Pending', 'authorization_pending');
      case 'authorization_code': {
        const asked = codes.get(fields['code'] ?? '');
        codes.delete(fields['code'] ?? '');
        const challenge = createHash('sha256')
          .update(fields['code_verifier'] ?? '')
          .digest('base64url');
        const isRight = asked?.['code_challenge'] === challenge && asked['redirect_uri'] === fields['redirect_uri'];
        return isRight ? undefined : refused(54005, 'Code is wrong', 'invalid_grant');
      }
      case 'refresh_token':
        return refreshTokens.delete(fields['refresh_token'] ?? '')
          ? undefined
          : refused(700082, 'Expired', 'invalid_grant');
      default:
        return refused(70003, 'Unsupported', 'unsupported_grant_type');
    }
  }

  function tokenAnswer(fields: Fields): object {
    const token = { token_type: 'Bearer', access_token: `token-${randomUUID()}`, ...answer };
    if (
      !(fields['scope'] ?? '').includes('offline_access') &&
      fields['grant_type'] !== 'urn:ietf:params:oauth:grant-type:device_code'
    )
      return token;
    const refresh_token = `refresh-${randomUUID()}`;
    refreshTokens.add(refresh_token);
    return { ...token, refresh_token };
  }

  /** *Entra: PS256, named by x5t#S256, meant for the token endpoint, ten minutes at most.* */
  function isSigned(assertion: string): boolean {
    if (assertion === 'federated') return true;
    if (certificatePem === undefined) return false;
    const [head = '', body = '', signature = ''] = assertion.split('.');
    const [header, claims] = [head, body].map(
      (part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Fields,
    );
    const certificate = new X509Certificate(certificatePem);
    const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url');
    const key = { key: certificate.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    return (
      header?.['alg'] === 'PS256' &&
      header['x5t#S256'] === thumbprint &&
      claims?.['aud'] === `${origin}/${app.tenantId}/oauth2/v2.0/token` &&
      claims['iss'] === app.clientId &&
      claims['sub'] === app.clientId &&
      Number(claims['exp']) - Date.now() / 1000 < 610 &&
      verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
    );
  }

  return {
    origin,
    tokenRequests,
    requests,
    failNext,
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function refused(code: number, words: string, error: string): object {
  return { error, error_description: `AADSTS${code}: ${words}.\r\nTrace ID: 1`, error_codes: [code] };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
