import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';

/** A platform that gives its workloads tokens, as Kubernetes and CI services do. */
export interface PlatformIssuer extends AsyncDisposable {
  readonly issuer: string;
  token(
    claims?: Record<string, unknown>,
    change?: { readonly key?: KeyObject; readonly kid?: string },
  ): Promise<string>;
}

export const workload = 'system:serviceaccount:training:train';

export async function startPlatformIssuer(): Promise<PlatformIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const server = createServer((request, response) => {
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` },
      '/keys': { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'platform', use: 'sig' }] },
    };
    const answer = answers[request.url ?? ''];
    response.statusCode = answer === undefined ? 404 : 200;
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    token(claims = {}, { key = privateKey, kid = 'platform' } = {}) {
      const seconds = Math.floor(Date.now() / 1000);
      const usual = {
        iss: issuer,
        sub: workload,
        aud: 'api://AzureADTokenExchange',
        iat: seconds,
        exp: seconds + 3600,
      };
      return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: 'RS256', kid }).sign(key);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
