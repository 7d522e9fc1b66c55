import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startServer, type TestServer } from '../server-fixture.ts';

/**
 * A workspace of Databricks as a client sees it: MLflow's endpoints under `/api`, behind tokens that are personal or come
 * from `/oidc/v1/token`, and experiments that are named by workspace path.
 */
export interface DatabricksWorkspace extends AsyncDisposable {
  readonly url: string;
  readonly server: TestServer;
  /** How many tokens were asked for. */
  readonly tokenRequests: () => number;
}

export const personalToken = 'dapi-0123456789';
export const machine = { id: 'a-service-principal', secret: 'dose/secret' };

export async function startDatabricks(): Promise<DatabricksWorkspace> {
  const server = await startServer();
  const tokens = new Set([`Bearer ${personalToken}`, `Basic ${btoa('ada:lovelace')}`]);
  let tokenRequests = 0;

  const listener = createServer((request, response) => {
    void respond(request, response);
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '/', method = 'GET', headers } = request;
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (url === '/oidc/v1/token') {
      tokenRequests++;
      const fields = Object.fromEntries(new URLSearchParams(body));
      const proof = `Basic ${btoa(`${machine.id}:${encodeURIComponent(machine.secret)}`)}`;
      const isRight =
        headers.authorization === proof &&
        fields['grant_type'] === 'client_credentials' &&
        fields['scope'] === 'all-apis';
      const access_token = `oauth-${tokenRequests}`;
      if (isRight) tokens.add(`Bearer ${access_token}`);
      answer(
        response,
        isRight ? 200 : 401,
        isRight ? { access_token, token_type: 'Bearer', expires_in: 3600 } : { error: 'invalid_client' },
      );
      return;
    }
    if (!url.startsWith('/api/') || !tokens.has(headers.authorization ?? '')) {
      answer(response, 403, { error_code: 'PERMISSION_DENIED', message: 'Invalid access token.' });
      return;
    }
    const name = url.endsWith('/experiments/create') ? (JSON.parse(body) as { name: string }).name : '/';
    if (!name.startsWith('/')) {
      answer(response, 400, {
        error_code: 'INVALID_PARAMETER_VALUE',
        message: `Got an invalid experiment name '${name}'. An experiment name must be an absolute path within the Databricks workspace.`,
      });
      return;
    }
    const { status, text } = await server.request(method, url, body === '' ? undefined : body);
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  }

  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    server,
    tokenRequests: () => tokenRequests,
    async [Symbol.asyncDispose]() {
      listener.closeAllConnections();
      await new Promise((done) => listener.close(done));
      await server[Symbol.asyncDispose]();
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
