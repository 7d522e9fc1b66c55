/** Sign-in to Azure for Node, Deno and Bun: the chain, its credentials one by one, and clouds. */
export { azureAuthorization } from './credentials/azure-authorization.ts';
export type { AzureAuthorizationOptions } from './credentials/azure-authorization.ts';
export {
  azureCliCredential,
  azureCredential,
  azurePowerShellCredential,
  clientCertificateCredential,
  clientSecretCredential,
  deviceCodeCredential,
  interactiveBrowserCredential,
  managedIdentityCredential,
  userPasswordCredential,
  workloadIdentityCredential,
} from './credentials/azure-credential.ts';
export type {
  AzureCredentialOptions,
  DeviceCodeOptions,
  InteractiveBrowserOptions,
} from './credentials/azure-credential.ts';
export type { Interactive } from './credentials/attendance.ts';
export { builtInClouds, resolveCloud } from './credentials/clouds.ts';
export type { Cloud, ResolveCloudOptions } from './credentials/clouds.ts';
export { SignInError } from './credentials/credential.ts';
export type { AccessToken, SignInAttempt, SignInFailure, TokenCredential } from './credentials/credential.ts';
export type { DeviceCodePrompt } from './credentials/device-code.ts';
export { setLogLevel } from './credentials/sign-in-log.ts';
export type { LogLevel } from './credentials/sign-in-log.ts';
export type { SignInOptions } from './credentials/sign-in-context.ts';
