import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { azureCliCredential, azurePowerShellCredential } from '@lazuli/client/azure';
import { newFolder } from './certificates.ts';

const scope = 'https://management.azure.com/.default';

/** A folder for PATH with a stand-in for a tool; the rest of PATH leads to the shell alone. */
function pathWith(tool: string, script: string): { PATH: string; folder: string } {
  const folder = newFolder();
  writeFileSync(join(folder, tool), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}:/bin`, folder };
}

const expired = Math.floor(Date.now() / 1000) + 3000;

test('Azure CLI is asked for the resource, the tenant and the subscription, from a folder where nothing lies in wait', async () => {
  const { PATH, folder } = pathWith(
    'az',
    `echo "$(pwd) $*" > $(dirname $0)/asked; echo '{"accessToken": "by-az", "expires_on": ${expired}, "expiresOn": "2001-01-01"}'`,
  );
  const credential = azureCliCredential({ tenantId: 'contoso.com', subscription: 'sub-1', environment: { PATH } });
  expect(await credential.getToken(scope)).toMatchObject({ token: 'by-az', expiresOnTimestamp: expired * 1000 });
  expect(readFileSync(join(folder, 'asked'), 'utf8')).toMatch(
    /^(\/usr)?\/bin account get-access-token --output json --resource https:\/\/management\.azure\.com --tenant contoso\.com --subscription sub-1\n$/,
  );
});

test('an Azure CLI of older days tells when its token expires in local time', async () => {
  const { PATH } = pathWith('az', `echo '{"accessToken": "by-az", "expiresOn": "2031-05-06 07:08:09.000000"}'`);
  const token = await azureCliCredential({ environment: { PATH } }).getToken(scope);
  expect(token?.expiresOnTimestamp).toBe(new Date(2031, 4, 6, 7, 8, 9).getTime());
});

test.each([
  ['is not there', 'other', '', 'Azure CLI is not installed'],
  [
    'has nobody signed in',
    'az',
    `echo "ERROR: Please run 'az login' to setup account." >&2; exit 1`,
    'Nobody is signed in',
  ],
  [
    'has a session that ended',
    'az',
    'echo "ERROR: AADSTS70043: The refresh token has expired." >&2; exit 1',
    'AADSTS70043',
  ],
  ['prints something else', 'az', 'echo hello', 'Azure CLI gave no token'],
])('an Azure CLI that %s leaves it to the next credential', async (_, tool, script, words) => {
  const failure = azureCliCredential({ environment: { PATH: pathWith(tool, script).PATH } }).getToken(scope);
  await expect(failure).rejects.toMatchObject({
    failure: 'unavailable',
    message: expect.stringContaining(words) as string,
  });
});

test('what a shell could read is not handed to Azure CLI', async () => {
  const { PATH } = pathWith('az', 'exit 1');
  const credential = azureCliCredential({ tenantId: 'x & calc', environment: { PATH } });
  await expect(credential.getToken(scope)).rejects.toThrow("'x & calc' cannot be handed to Azure CLI");
});

test('PowerShell is asked by a script that reads its question from the environment', async () => {
  const { PATH } = pathWith(
    'pwsh',
    `[ "$1 $2 $3" = "-NoProfile -NonInteractive -Command" ] || exit 1
case "$4" in *Get-AzAccessToken*) ;; *) exit 1 ;; esac
echo "{\\"Token\\": \\"for $AZURE_IDENTITY_POWERSHELL_RESOURCE in $AZURE_IDENTITY_POWERSHELL_TENANT_ID\\", \\"ExpiresOn\\": \\"2031-05-06T07:08:09.0000000Z\\"}"`,
  );
  const credential = azurePowerShellCredential({ tenantId: 'contoso.com', environment: { PATH } });
  expect(await credential.getToken(scope)).toMatchObject({
    token: 'for https://management.azure.com in contoso.com',
    expiresOnTimestamp: Date.UTC(2031, 4, 6, 7, 8, 9),
  });
});

test.each([
  ['is not there', 'other', '', 'PowerShell is not installed'],
  [
    'lacks its module',
    'pwsh',
    "echo 'The specified module Az.Accounts was not loaded' >&2; exit 1",
    'lacks the module Az.Accounts',
  ],
  [
    'has nobody signed in',
    'pwsh',
    "echo 'Run Connect-AzAccount to login.' >&2; exit 1",
    'Nobody is signed in to Azure PowerShell',
  ],
])('a PowerShell that %s leaves it to the next credential', async (_, tool, script, words) => {
  const failure = azurePowerShellCredential({ environment: { PATH: pathWith(tool, script).PATH } }).getToken(scope);
  await expect(failure).rejects.toMatchObject({
    failure: 'unavailable',
    message: expect.stringContaining(words) as string,
  });
});
