import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ClientSecretCredential, type TokenCredential as AzureTokenCredential } from '@azure/identity';
import { createClient } from '@lazuli/client';
import {
  azureAuthorization,
  azureCredential,
  setLogLevel,
  SignInError,
  type AzureCredentialOptions,
} from '@lazuli/client/azure';
import { newFolder } from './certificates.ts';
import { walkForms } from './form-walker.ts';
import { app, startAuthority, type TestAuthority } from './test-authority.ts';

const scope = 'https://management.azure.com/.default';
let authority: TestAuthority;
beforeAll(async () => {
  authority = await startAuthority();
});
afterAll(() => authority[Symbol.asyncDispose]());
afterEach(() => setLogLevel(undefined));

/** Nothing that signs in: no tools on PATH, and an identity endpoint that is not there. */
const bare = { PATH: '/nowhere', AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:1', CI: 'true' };
const application = () => ({
  AZURE_AUTHORITY_HOST: authority.origin,
  AZURE_TENANT_ID: app.tenantId,
  AZURE_CLIENT_ID: app.clientId,
  AZURE_CLIENT_SECRET: app.clientSecret,
});

function toolPath(name: string, script: string): string {
  const folder = newFolder();
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return `${folder}:/bin`;
}
const signedInCli = () =>
  toolPath('az', `echo '{"accessToken": "by-az", "expires_on": ${Math.floor(Date.now() / 1000) + 3600}}'`);
const signedInPowerShell = () => toolPath('pwsh', `echo '{"Token": "by-pwsh", "ExpiresOn": "2131-01-01T00:00:00Z"}'`);

async function failureOf(options: AzureCredentialOptions): Promise<SignInError> {
  const error: unknown = await azureCredential(options)
    .getToken(scope)
    .catch((reason: unknown) => reason);
  if (error instanceof SignInError) return error;
  throw new Error(`It did not fail as it should: ${String(error)}`);
}

const order = [
  'environment',
  'workload identity',
  'managed identity',
  'Azure CLI',
  'Azure PowerShell',
  'interactive browser',
];

test('credentials are tried in their order, and an error tells of each its state, its time and what would fix it', async () => {
  const error = await failureOf({ environment: bare });
  expect(error.errorCode).toBe('UNAUTHENTICATED');
  expect(error.attempts.map(({ credential }) => credential)).toEqual(order);
  for (const { state, milliseconds, reason, fix } of error.attempts) {
    expect(state).toBe('unavailable');
    expect(milliseconds).toBeGreaterThanOrEqual(0);
    expect(error.message).toContain(`${state}, ${milliseconds} ms. ${reason}`);
    expect(error.message).toContain(`To use it: ${fix}`);
  }
  expect(error.message).toMatch(/^Nothing here can sign in to https:\/\/management\.azure\.com\.\n {2}environment/);
  expect(error.message).toContain('az login');
});

test('the first that signs in is remembered', async () => {
  const lines: string[] = [];
  setLogLevel('debug');
  const options = {
    environment: { ...bare, PATH: signedInPowerShell() },
    writeLog: (line: string) => lines.push(line),
  };
  const credential = azureCredential(options);
  const tokens = await Promise.all([
    credential.getToken(scope),
    credential.getToken('other'),
    credential.getToken(scope),
  ]);
  expect(tokens.map((token) => token?.token)).toEqual(['by-pwsh', 'by-pwsh', 'by-pwsh']);
  const tried = lines.flatMap((line) => /trying (.*) for/.exec(line)?.[1] ?? []);
  expect(tried).toEqual(order.slice(0, 5));
});

test('an environment that is set up comes first, and a managed identity before the tools', async () => {
  const environment = { ...bare, ...application(), PATH: signedInCli() };
  expect((await azureCredential({ environment }).getToken(scope))?.token).toMatch(/^token-/);
  expect((await azureCredential({ environment: { ...bare, PATH: signedInCli() } }).getToken(scope))?.token).toBe(
    'by-az',
  );
});

describe('a credential that is set up and refused', () => {
  const wrong = () => ({ ...bare, ...application(), AZURE_CLIENT_SECRET: 'wrong-secret', PATH: signedInCli() });

  test('stops the chain with its reason, though a later one would sign in', async () => {
    const error = await failureOf({ environment: wrong() });
    expect(error.failure).toBe('rejected');
    expect(error.attempts.map(({ credential, state }) => [credential, state])).toEqual([['environment', 'rejected']]);
    expect(error.message).toMatch(/^Signing in by environment was refused: .*AADSTS7000215/);
    expect(error.message).not.toContain('wrong-secret');
  });

  test('is passed over with continueOnRejected', async () => {
    const credential = azureCredential({ environment: wrong(), continueOnRejected: true });
    expect((await credential.getToken(scope))?.token).toBe('by-az');
  });

  test('may be a certificate whose password is wrong', async () => {
    const file = join(newFolder(), 'broken.pfx');
    writeFileSync(file, 'x');
    const { AZURE_CLIENT_SECRET: _, ...rest } = wrong();
    const error = await failureOf({ environment: { ...rest, AZURE_CLIENT_CERTIFICATE_PATH: file } });
    expect(error.message).toContain('neither a PEM nor a PKCS#12 file');
  });
});

test('variables that are set in part are not a refusal', async () => {
  const { AZURE_CLIENT_SECRET: _, ...rest } = application();
  const error = await failureOf({ environment: { ...bare, ...rest } });
  expect(error.attempts[0]).toMatchObject({ credential: 'environment', state: 'unavailable' });
});

test('AZURE_TOKEN_CREDENTIALS narrows the chain', async () => {
  const tried = async (chosen: string): Promise<string[]> =>
    (await failureOf({ environment: { ...bare, AZURE_TOKEN_CREDENTIALS: chosen } })).attempts.map(
      ({ credential }) => credential,
    );
  expect(await tried('prod')).toEqual(order.slice(0, 3));
  expect(await tried('dev')).toEqual(order.slice(3));
  expect(await tried('AzureCliCredential')).toEqual(['Azure CLI']);
  await expect(azureCredential({ environment: { AZURE_TOKEN_CREDENTIALS: 'all' } }).getToken(scope)).rejects.toThrow(
    'is dev, prod, or one of',
  );
});

describe('unattended', () => {
  test.each([
    ['CI', { CI: 'true', DISPLAY: ':0' }, 'CI is set'],
    ['neither a terminal nor a desktop', {}, 'there is neither a terminal nor a desktop'],
    ['LAZULI_INTERACTIVE=never', { LAZULI_INTERACTIVE: 'never', DISPLAY: ':0' }, 'LAZULI_INTERACTIVE is never'],
  ])('(%s) no browser is opened, and what to configure is said at once', async (_, variables, why) => {
    const opened = join(newFolder(), 'opened');
    const BROWSER = join(newFolder(), 'browser');
    writeFileSync(BROWSER, `#!/bin/sh\ntouch ${opened}\n`, { mode: 0o755 });
    const environment = { ...bare, CI: undefined, BROWSER, ...variables };
    const { attempts } = await failureOf({ environment });
    expect(attempts.at(-1)).toMatchObject({ credential: 'interactive browser', state: 'unavailable' });
    expect(attempts.at(-1)?.reason).toBe(
      `Nobody is asked, because ${why}. Unattended, sign in with a service principal or a managed identity.`,
    );
    expect(() => statSync(opened)).toThrow('ENOENT');
  });

  test('a browser that was asked for signs in last, though nobody seems to be there', async () => {
    const folder = newFolder();
    const BROWSER = join(folder, 'browser');
    writeFileSync(BROWSER, `#!/bin/sh\necho "$1" > ${folder}/url\n`, { mode: 0o755 });
    const { AZURE_CLIENT_SECRET: _, ...variables } = application();
    const environment = { ...bare, ...variables, BROWSER, LAZULI_INTERACTIVE: 'always' };
    const token = azureCredential({ environment, clientId: app.clientId }).getToken(scope);
    const told = (): string => readFileSync(join(folder, 'url'), { encoding: 'utf8', flag: 'a+' });
    await expect.poll(told).toMatch(/\n$/);
    await walkForms(told().trim());
    expect((await token)?.token).toMatch(/^token-/);
  });

  test('a browser that was asked for and is not there is told at once', async () => {
    const environment = { ...bare, BROWSER: '/nowhere/browser' };
    const { attempts } = await failureOf({ environment, interactive: 'always' });
    expect(attempts.at(-1)?.reason).toMatch(/^The browser '\/nowhere\/browser' cannot be started/);
  });
});

describe('the log', () => {
  test.each([
    ['AZURE_LOG_LEVEL', { AZURE_LOG_LEVEL: 'verbose' }],
    ['DEBUG', { DEBUG: 'express,lazuli:*' }],
  ])('with %s tells which credential was tried and why it failed, without secrets', async (_, variables) => {
    const lines: string[] = [];
    const environment = { ...bare, ...application(), ...variables, AZURE_CLIENT_SECRET: 'wrong-secret' };
    await failureOf({ environment, writeLog: (line) => lines.push(line), continueOnRejected: true });
    const text = lines.join('\n');
    for (const name of order) {
      expect(text).toContain(`trying ${name} for ${scope}`);
      expect(text).toMatch(new RegExp(`${name}: (unavailable|rejected) after \\d+ ms`));
    }
    expect(text).toContain('Invalid client secret …');
    expect(text).not.toContain('wrong-secret');
  });

  test('is silent otherwise', async () => {
    const lines: string[] = [];
    await failureOf({ environment: bare, writeLog: (line) => lines.push(line) });
    expect(lines).toEqual([]);
  });

  test('cuts tokens', async () => {
    const lines: string[] = [];
    setLogLevel('debug');
    const jwt = `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.c2ln`;
    const PATH = toolPath('az', `echo "ERROR: ${jwt} is too old" >&2; exit 1`);
    const { message } = await failureOf({ environment: { ...bare, PATH }, writeLog: (line) => lines.push(line) });
    expect(message).toContain('eyJ… is too old');
    expect(`${message}${lines.join('')}`).not.toContain(jwt);
  });
});

describe('as the authorization of a client', () => {
  const workspaceUrl =
    'https://westeurope.api.azureml.ms/mlflow/v2.0/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w';
  const answering =
    (seen: (string | null)[]): typeof fetch =>
    async (_, request) => {
      seen.push(new Headers(request?.headers).get('authorization'));
      return new Response('{"experiments": []}');
    };

  test('nothing is asked before the first operation, and the operations that follow sign in once', async () => {
    const before = authority.requests.length;
    const seen: (string | null)[] = [];
    const environment: Record<string, string> = { ...bare };
    const client = createClient({
      url: workspaceUrl,
      authorization: azureAuthorization({ environment }),
      fetch: answering(seen),
    });
    expect(authority.requests.length).toBe(before);
    // What is set after the client was made counts.
    Object.assign(environment, application());
    await Promise.all(
      ['a', 'b', 'c'].map((filter) => client.experiments.searchExperiments({ max_results: 1, filter })),
    );
    await client.experiments.searchExperiments({ max_results: 1 });
    expect(authority.requests.length - before).toBe(1);
    expect(seen).toHaveLength(4);
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toMatch(/^Bearer token-/);
    expect(authority.tokenRequests.at(-1)?.['scope']).toBe(scope);
  });

  const header = async (url: string, options: Parameters<typeof azureAuthorization>[0] = {}) =>
    await azureAuthorization({ environment: { ...bare, ...application() }, ...options }).header(new URL(url), {});

  test.each([
    'https://management.azure.com/subscriptions',
    'https://westeurope.api.azureml.ms/mlflow/v2.0',
    'https://id.workspace.westeurope.api.azureml.ms/mlflow/v2.0',
    'https://westeurope.experiments.azureml.net/',
  ])('a token goes to %s', async (url) => {
    expect(await header(url)).toMatch(/^Bearer token-/);
  });

  test.each([
    'https://example.org/',
    'https://api.azureml.ms.example.org/',
    'https://evil-api.azureml.ms/',
    'https://api.azureml.ms/',
    'https://westeurope.api.azureml.ms:8443/',
    'https://endpoint.westeurope.inference.ml.azure.com/score',
    'https://westeurope.api.ml.azure.cn/',
    'http://westeurope.api.azureml.ms/',
    'http://localhost:5000/',
  ])('a token does not go to %s', async (url) => {
    const before = authority.requests.length;
    await expect(header(url)).rejects.toThrow(`is not sent to ${new URL(url).host}: `);
    expect(authority.requests.length).toBe(before);
  });

  test('other hosts may be allowed by name, and the audience of a token is one of its own', async () => {
    expect(await header('https://mlflow.example.org/', { allowedHosts: ['mlflow.example.org'] })).toMatch(/^Bearer/);
    const environment = { ...bare, ...application(), LAZULI_TOKEN_HOSTS: 'a.example.org, localhost:5000' };
    expect(await header('http://localhost:5000/', { environment })).toMatch(/^Bearer/);
    expect(await header('https://mlflow.example.org/', { scope: 'https://mlflow.example.org/.default' })).toMatch(
      /^Bearer/,
    );
    // It is then no token of the cloud.
    await expect(header('https://management.azure.com/', { scope: 'api://lazuli/.default' })).rejects.toThrow(
      'is not sent to',
    );
  });

  test('a credential of @azure/identity serves', async () => {
    const { tenantId, clientId, clientSecret } = app;
    const { origin } = authority;
    const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
      authorityHost: origin,
      disableInstanceDiscovery: true,
    });
    expect(await header(workspaceUrl, { credential })).toMatch(/^Bearer token-/);
    expect(authority.requests.at(-2)).toContain('.well-known/openid-configuration');
  });

  test('the chain serves where an Azure SDK takes a credential', async () => {
    const credential: AzureTokenCredential = azureCredential({ environment: { ...bare, ...application() } });
    expect((await credential.getToken(scope))?.token).toMatch(/^token-/);
  });

  test('a credential of another maker serves, and gets the signal', async () => {
    const asked: unknown[] = [];
    const credential = {
      getToken: async (scopes: string | string[], options?: { abortSignal?: AbortSignal }) => {
        asked.push([scopes, options?.abortSignal]);
        return { token: 'foreign', expiresOnTimestamp: Date.now() + 1000 };
      },
    };
    const { signal } = new AbortController();
    const source = azureAuthorization({ credential, environment: {} });
    expect(await source.header(new URL(workspaceUrl), { signal })).toBe('Bearer foreign');
    expect(asked).toEqual([[scope, signal]]);
  });
});
