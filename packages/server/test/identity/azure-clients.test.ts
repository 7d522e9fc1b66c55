import { spawn } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClientCertificate, identitySecretFile } from '@lazuli/server';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anApplication, anExperiment, aUser, bearer, formOf } from './authority-fixture.ts';
import { startPlatformIssuer, workload } from './platform-issuer.ts';
import { signedInTools } from './signed-in-tools.ts';
import { startSecureAuthority, type SecureAuthority } from './secure-authority.ts';

/** Microsoft's `@azure/identity`, unmodified, in processes of its own. */
let server: SecureAuthority;
let own: string;
beforeAll(async () => {
  server = await startSecureAuthority({ imds: 'on' });
  own = `${server.url}/.default`;
});
afterAll(() => server[Symbol.asyncDispose]());

/** No identity of a machine on the way to the developer's tools. */
const nobodyElse = { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:1' };
const publicArm = 'https://management.azure.com/.default';

interface Line {
  readonly token?: string;
  readonly error?: string;
  readonly userCode?: string;
  readonly verificationUri?: string;
  readonly inMinutes?: number;
}

const program = join(import.meta.dirname, 'azure-identity-program.ts');

async function getTokens(
  args: readonly string[],
  env: Record<string, string>,
  onLine: (line: Line) => void = () => undefined,
): Promise<Line[]> {
  const child = spawn(process.execPath, [program, ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: server.dataDir,
      NODE_EXTRA_CA_CERTS: server.caFile,
      AZURE_AUTHORITY_HOST: server.url,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: Line[] = [];
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    onLine(line);
  }
  return lines;
}

async function expectGood(lines: readonly Line[], objectId: string, count = 1): Promise<void> {
  expect(lines.filter(({ error }) => error !== undefined)).toEqual([]);
  const tokens = lines.flatMap(({ token }) => (token === undefined ? [] : [token]));
  expect(tokens).toHaveLength(count);
  for (const token of tokens) {
    expect(decodeJwt(token)['oid']).toBe(objectId);
    const answer = await fetch(`${server.plainUrl}${anExperiment}`, { headers: bearer(token) });
    expect(answer.status).toBe(200);
  }
}

describe('@azure/identity gets a token', () => {
  test('with a secret, through EnvironmentCredential and DefaultAzureCredential, and says what is wrong with one', async () => {
    const { appId, secret, object } = await anApplication(server, 'with-secret');
    const env = { AZURE_TENANT_ID: 'adfs', AZURE_CLIENT_ID: appId, AZURE_CLIENT_SECRET: secret };
    await expectGood(await getTokens(['environment', own, publicArm], env), object.object_id, 2);
    await expectGood(await getTokens(['default', own], env), object.object_id);
    const [wrong] = await getTokens(['environment', own], { ...env, AZURE_CLIENT_SECRET: 'wrong' });
    expect(wrong?.error).toContain('AADSTS7000215');
  });

  test('with a certificate, in plain PEM and in PEM under a password', async () => {
    const { directory } = server.client;
    const { object } = await directory.createServicePrincipal({ display_name: 'with-certificate' });
    const { certificate, privateKey } = await createClientCertificate('with-certificate', Date.now() + 86_400_000);
    await directory.addCertificate({ object: object.object_id, certificate });
    const plain = join(server.dataDir, 'plain.pem');
    await writeFile(plain, `${privateKey}\n${certificate}\n`);
    const locked = join(server.dataDir, 'locked.pem');
    const encrypted = createPrivateKey(privateKey).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'open sesame',
    });
    await writeFile(locked, `${encrypted.toString()}\n${certificate}\n`);
    const env = { AZURE_TENANT_ID: 'adfs', AZURE_CLIENT_ID: object.app_id ?? '' };
    await expectGood(
      await getTokens(['environment', own], { ...env, AZURE_CLIENT_CERTIFICATE_PATH: plain }),
      object.object_id,
    );
    await expectGood(
      await getTokens(['environment', own], {
        ...env,
        AZURE_CLIENT_CERTIFICATE_PATH: locked,
        AZURE_CLIENT_CERTIFICATE_PASSWORD: 'open sesame',
        AZURE_CLIENT_SEND_CERTIFICATE_CHAIN: 'true',
      }),
      object.object_id,
    );
  });

  test('with a user name and a password', async () => {
    const { userName, password, object } = await aUser(server, 'pat');
    const env = {
      AZURE_TENANT_ID: 'adfs',
      AZURE_CLIENT_ID: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
      AZURE_USERNAME: userName,
      AZURE_PASSWORD: password,
    };
    await expectGood(await getTokens(['environment', own], env), object.object_id);
  });

  test('as a managed identity, of App Service, of Azure Machine Learning and of a virtual machine', async () => {
    const secret = (await readFile(identitySecretFile(server.dataDir), 'utf8')).trim();
    const { object } = await server.client.directory.getDirectoryObject({ object: 'managed-identity' });
    const endpoint = `${server.plainUrl}/msi/token`;
    const appService = { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: secret };
    await expectGood(await getTokens(['managed', publicArm], appService), object.object_id);
    await expectGood(await getTokens(['default', publicArm], appService), object.object_id);
    const machineLearning = {
      MSI_ENDPOINT: endpoint,
      MSI_SECRET: secret,
      DEFAULT_IDENTITY_CLIENT_ID: object.app_id ?? '',
    };
    await expectGood(await getTokens(['managed', publicArm], machineLearning), object.object_id);
    const virtualMachine = { AZURE_POD_IDENTITY_AUTHORITY_HOST: server.plainUrl };
    await expectGood(await getTokens(['managed', publicArm], virtualMachine), object.object_id);
    const [refused] = await getTokens(['managed', publicArm], { ...appService, IDENTITY_HEADER: 'wrong' });
    expect(refused?.error).toBeDefined();
  });

  test('with the token of a platform, through WorkloadIdentityCredential, DefaultAzureCredential and ClientAssertionCredential', async () => {
    await using platform = await startPlatformIssuer();
    const { directory } = server.client;
    const { object } = await directory.createServicePrincipal({ display_name: 'in-a-pod' });
    const { issuer } = platform;
    await directory.addFederatedCredential({ object: object.object_id, issuer, subject: workload });
    const file = join(server.dataDir, 'platform-token');
    await writeFile(file, await platform.token());
    const env = {
      AZURE_TENANT_ID: 'adfs',
      AZURE_CLIENT_ID: object.app_id ?? '',
      AZURE_FEDERATED_TOKEN_FILE: file,
    };
    await expectGood(await getTokens(['workload', own, publicArm], env), object.object_id, 2);
    await expectGood(await getTokens(['default', own], env), object.object_id);
    await expectGood(await getTokens(['assertion', own], env), object.object_id);
    await writeFile(file, await platform.token({ sub: 'somebody else' }));
    const [refused] = await getTokens(['workload', own], env);
    expect(refused?.error).toContain('AADSTS700213');
  });

  test('through Azure CLI and Azure PowerShell, by themselves and as steps of DefaultAzureCredential', async () => {
    const { appId, secret, object } = await anApplication(server, 'developer');
    const { url, caFile } = server;
    const tools = await signedInTools(server.dataDir, { url, caFile, appId, secret });
    const onPath = (folder: string) => ({ PATH: `${folder}:/usr/bin:/bin`, ...nobodyElse });
    await expectGood(await getTokens(['azure-cli', publicArm, own], onPath(tools.az)), object.object_id, 2);
    await expectGood(await getTokens(['azure-powershell', publicArm, own], onPath(tools.pwsh)), object.object_id, 2);
    // Each asks for an identity of the machine first, again and again: the waiting goes on at the same time.
    const [byCli = [], byPowerShell = [], [none] = []] = await Promise.all(
      [tools.az, tools.pwsh, '/nowhere'].map((folder) => getTokens(['default', publicArm], onPath(folder))),
    );
    await expectGood(byCli, object.object_id);
    await expectGood(byPowerShell, object.object_id);
    expect(none?.error).toMatch(/Azure CLI could not be found.*Unable to execute PowerShell/s);
  });

  test('by a device code, and refreshes it for another resource without asking again', async () => {
    const { userName, password, object } = await aUser(server, 'dora');
    const approve = async ({ userCode = '', verificationUri = '' }: Line) => {
      const path = new URL(verificationUri).pathname;
      const { fields, cookie } = formOf(await server.request('GET', path));
      const form = new URLSearchParams({ ...fields, user_code: userCode, username: userName, password });
      await server.request('POST', path, form.toString(), {
        cookie,
        'content-type': 'application/x-www-form-urlencoded',
      });
    };
    let prompts = 0;
    const lines = await getTokens(['device', own, publicArm], {}, (line) => {
      if (line.userCode === undefined) return;
      prompts += 1;
      void approve(line);
    });
    expect(prompts).toBe(1);
    await expectGood(lines, object.object_id, 2);
  });

  const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  test.skipIf(browser === undefined && process.env['CI'] === undefined)(
    'by a browser in which the user signs in',
    async () => {
      const { userName, password, object } = await aUser(server, 'bea');
      // The command is run by a shell script that knows nothing of Node's options.
      const command = join(server.dataDir, 'browser.sh');
      const script = join(import.meta.dirname, 'sign-in-browser.ts');
      await writeFile(
        command,
        `#!/bin/sh\n'${process.execPath}' '${script}' "$1" >'${server.dataDir}/browser.log' 2>&1 &\n`,
      );
      await chmod(command, 0o700);
      const lines = await getTokens(['browser', own, publicArm], {
        BROWSER: command,
        LAZULI_TEST_USER: userName,
        LAZULI_TEST_PASSWORD: password,
        LAZULI_TEST_CHROMIUM: browser ?? '',
      });
      await expectGood(lines, object.object_id, 2);
    },
  );
});
