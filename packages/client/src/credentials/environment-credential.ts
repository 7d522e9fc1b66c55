import { unavailable, type TokenSource } from './credential.ts';
import {
  clientCertificateSource,
  clientSecretSource,
  userPasswordSource,
  workloadIdentitySource,
} from './service-principal.ts';
import type { SignInContext } from './sign-in-context.ts';

/** *Azure SDKs: a secret counts before a certificate, and that before user name and password.* */
export function environmentSource(authorityHost: string, context: SignInContext): TokenSource {
  const env = context.environment;
  const [tenantId, clientId] = [env['AZURE_TENANT_ID'], env['AZURE_CLIENT_ID']];
  const clientSecret = env['AZURE_CLIENT_SECRET'];
  const certificatePath = env['AZURE_CLIENT_CERTIFICATE_PATH'];
  const [username, password] = [env['AZURE_USERNAME'], env['AZURE_PASSWORD']];
  if (!tenantId || !clientId) {
    const missing = [...(tenantId ? [] : ['AZURE_TENANT_ID']), ...(clientId ? [] : ['AZURE_CLIENT_ID'])];
    return missingSource(`${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not set.`);
  }
  const application = { authorityHost, tenantId, clientId };
  if (clientSecret) return clientSecretSource({ ...application, clientSecret }, context);
  if (certificatePath) {
    const certificate = {
      certificatePath,
      certificatePassword: env['AZURE_CLIENT_CERTIFICATE_PASSWORD'],
      sendCertificateChain: /^(true|1)$/i.test(env['AZURE_CLIENT_SEND_CERTIFICATE_CHAIN'] ?? '') ? 'always' : 'never',
    } as const;
    return clientCertificateSource({ ...application, ...certificate }, context);
  }
  if (username && password) return userPasswordSource({ ...application, username, password }, context);
  return missingSource('Neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set.');
}

export function environmentWorkloadIdentitySource(authorityHost: string, context: SignInContext): TokenSource {
  const env = context.environment;
  const [tenantId, clientId] = [env['AZURE_TENANT_ID'], env['AZURE_CLIENT_ID']];
  const tokenFilePath = env['AZURE_FEDERATED_TOKEN_FILE'];
  if (!tenantId || !clientId || !tokenFilePath)
    return missingSource('AZURE_FEDERATED_TOKEN_FILE, AZURE_TENANT_ID and AZURE_CLIENT_ID are not all set.');
  return workloadIdentitySource({ authorityHost, tenantId, clientId, tokenFilePath }, context);
}

function missingSource(reason: string): TokenSource {
  return async () => {
    throw unavailable(reason);
  };
}
