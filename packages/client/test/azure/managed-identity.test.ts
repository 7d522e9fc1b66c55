import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { managedIdentityCredential } from '@lazuli/client/azure';

const scope = 'https://management.azure.com/.default';

interface Seen {
  readonly method: string | undefined;
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Answer = [status: number, body: object, headers?: Record<string, string>];

/** A service of this machine that gives what the test says; without an answer it stays silent. */
async function startEndpoint(answer: (seen: Seen) => Answer | undefined) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
      const { method, headers } = request;
      const one = { method, path: pathname, query: Object.fromEntries(searchParams), headers, body };
      seen.push(one);
      const given = answer(one);
      if (given !== undefined) response.writeHead(given[0], given[2]).end(JSON.stringify(given[1]));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

const expiresOn = Math.floor(Date.now() / 1000) + 7200;
const token = { access_token: 'of-the-machine', expires_on: String(expiresOn), token_type: 'Bearer' };
const resource = 'https://management.azure.com';

test.each([
  {
    host: 'App Service',
    variables: (url: string) => ({ IDENTITY_ENDPOINT: `${url}/msi`, IDENTITY_HEADER: 'proof' }),
    asks: {
      method: 'GET',
      path: '/msi',
      query: { 'api-version': '2019-08-01', resource, client_id: 'mine' },
      headers: { 'x-identity-header': 'proof' },
    },
  },
  {
    host: 'Azure ML',
    variables: (url: string) => ({ MSI_ENDPOINT: `${url}/msi`, MSI_SECRET: 'proof' }),
    asks: {
      method: 'GET',
      query: { 'api-version': '2017-09-01', resource, clientid: 'mine' },
      headers: { secret: 'proof' },
    },
  },
  {
    host: 'Cloud Shell',
    variables: (url: string) => ({ MSI_ENDPOINT: `${url}/msi` }),
    asks: { method: 'POST', body: `resource=${encodeURIComponent(resource)}`, headers: { metadata: 'true' } },
  },
  {
    host: 'a virtual machine',
    variables: (url: string) => ({ AZURE_POD_IDENTITY_AUTHORITY_HOST: `${url}/` }),
    asks: {
      path: '/metadata/identity/oauth2/token',
      query: { 'api-version': '2018-02-01', resource, client_id: 'mine' },
      headers: { metadata: 'true' },
    },
  },
])('the identity of $host is asked in its way', async ({ variables, asks }) => {
  await using endpoint = await startEndpoint(() => [200, token]);
  const credential = managedIdentityCredential({ clientId: 'mine', environment: variables(endpoint.url) });
  expect(await credential.getToken(scope)).toMatchObject({
    token: 'of-the-machine',
    expiresOnTimestamp: expiresOn * 1000,
  });
  expect(endpoint.seen.at(-1)).toMatchObject(asks);
});

test('a host of Azure ML tells which identity is its default', async () => {
  await using endpoint = await startEndpoint(() => [200, token]);
  const environment = { MSI_ENDPOINT: endpoint.url, MSI_SECRET: 'proof', DEFAULT_IDENTITY_CLIENT_ID: 'default' };
  await managedIdentityCredential({ environment }).getToken(scope);
  expect(endpoint.seen[0]?.query['clientid']).toBe('default');
});

test('an identity that the machine does not have leaves it to the next credential', async () => {
  await using endpoint = await startEndpoint(() => [400, { error: 'invalid_request' }]);
  const environment = { IDENTITY_ENDPOINT: endpoint.url, IDENTITY_HEADER: 'proof' };
  const failure = managedIdentityCredential({ environment }).getToken(scope);
  await expect(failure).rejects.toMatchObject({ failure: 'unavailable' });
});

test('a wrong header is a refusal, in which the header is not repeated', async () => {
  await using endpoint = await startEndpoint(() => [401, { error: 'no', message: 'not proof-of-nothing' }]);
  const environment = { IDENTITY_ENDPOINT: endpoint.url, IDENTITY_HEADER: 'proof-of-nothing' };
  const failure = managedIdentityCredential({ environment }).getToken(scope);
  await expect(failure).rejects.toMatchObject({
    failure: 'rejected',
    message: expect.stringMatching(/answered 401. not …$/) as string,
  });
});

test('a machine elsewhere is told apart soon, also where something accepts and stays silent', async () => {
  await using endpoint = await startEndpoint(() => undefined);
  const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: endpoint.url };
  const start = performance.now();
  await expect(managedIdentityCredential({ environment }).getToken(scope)).rejects.toMatchObject({
    failure: 'timed out',
  });
  // A second is what it waits.
  expect(performance.now() - start).toBeLessThan(10_000);
  expect(endpoint.seen.map(({ query, headers }) => [query, headers['metadata']])).toEqual([[{}, undefined]]);
});

test('Azure Arc may not have any file of this machine sent to it', async () => {
  await using endpoint = await startEndpoint(() => [401, {}, { 'www-authenticate': 'Basic realm=/etc/passwd' }]);
  const environment = { IDENTITY_ENDPOINT: endpoint.url, IMDS_ENDPOINT: endpoint.url };
  const failure = managedIdentityCredential({ environment }).getToken(scope);
  await expect(failure).rejects.toThrow("Azure Arc names '/etc/passwd' as its key");
  expect(endpoint.seen).toHaveLength(1);
});
