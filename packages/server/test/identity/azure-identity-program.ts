import { readFileSync } from 'node:fs';
import {
  AzureCliCredential,
  AzurePowerShellCredential,
  ClientAssertionCredential,
  DefaultAzureCredential,
  DeviceCodeCredential,
  EnvironmentCredential,
  InteractiveBrowserCredential,
  ManagedIdentityCredential,
  type TokenCredential,
  WorkloadIdentityCredential,
} from '@azure/identity';

/**
 * Gets tokens by Microsoft's own credentials, as a program of a user would: everything is said by the environment. One line of
 * JSON for each token.
 */
const makers: Readonly<Record<string, () => TokenCredential>> = {
  environment: () => new EnvironmentCredential(),
  default: () => new DefaultAzureCredential(),
  'azure-cli': () => new AzureCliCredential(),
  'azure-powershell': () => new AzurePowerShellCredential(),
  workload: () => new WorkloadIdentityCredential(),
  assertion: () =>
    new ClientAssertionCredential('adfs', process.env['AZURE_CLIENT_ID'] ?? '', async () =>
      readFileSync(process.env['AZURE_FEDERATED_TOKEN_FILE'] ?? '', 'utf8'),
    ),
  managed: () => new ManagedIdentityCredential(),
  device: () =>
    new DeviceCodeCredential({
      tenantId: 'adfs',
      userPromptCallback: (info) => {
        console.log(JSON.stringify({ userCode: info.userCode, verificationUri: info.verificationUri }));
      },
    }),
  browser: () => new InteractiveBrowserCredential({ tenantId: 'adfs' }),
};

const [kind = '', ...scopes] = process.argv.slice(2);
const credential = makers[kind]?.();
try {
  for (const scope of scopes) {
    const token = await credential?.getToken(scope);
    console.log(
      JSON.stringify({
        scope,
        token: token?.token,
        inMinutes: ((token?.expiresOnTimestamp ?? 0) - Date.now()) / 60_000,
      }),
    );
  }
} catch (error) {
  console.log(JSON.stringify({ error: String(error) }));
}
process.exit(0);
