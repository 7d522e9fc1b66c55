import { MlflowError } from '@lazuli/contract';
import { isLoopback } from '../loopback.ts';
import type { AuthorizationSource } from '../transport.ts';
import { azureCredential, type AzureCredentialOptions } from './azure-credential.ts';
import { resolveCloud, type Cloud } from './clouds.ts';
import { resourceOf, type TokenCredential } from './credential.ts';
import { createSignInContext } from './sign-in-context.ts';

/**
 * Azure sign-in as what a transport asks for its `Authorization` header. Nothing happens before the first request. A token
 * opens more than the server that it is sent to, so it goes only to hosts of the cloud, or of the audience that it is
 * meant for, over https; other hosts have to be allowed by name.
 */
export interface AzureAuthorizationOptions extends AzureCredentialOptions {
  /** Any `TokenCredential`, of `@azure/identity` for instance; default: the chain of `azureCredential`. */
  readonly credential?: TokenCredential;
  /** Default: the resource manager's of the cloud, `https://management.azure.com/.default`. */
  readonly scope?: string;
  /** Further hosts that may see the token: `mlflow.example.org`, `localhost:5443`. Also: `LAZULI_TOKEN_HOSTS`. */
  readonly allowedHosts?: readonly string[];
}

export function azureAuthorization(options: AzureAuthorizationOptions = {}): AuthorizationSource {
  let opened: Promise<Opened> | undefined;
  return {
    async header(target, { signal }) {
      opened ??= open(options).catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      const { credential, scope, hosts, cloud } = await opened;
      if (!isMeantFor(target, hosts)) throw refusedHost(target, scope, cloud);
      const token = await credential.getToken(scope, signal === undefined ? {} : { abortSignal: signal });
      if (token === null) throw new MlflowError('UNAUTHENTICATED', `The credential has no token for ${scope}.`);
      return `Bearer ${token.token}`;
    },
  };
}

interface Opened {
  readonly credential: TokenCredential;
  readonly scope: string;
  readonly cloud: Cloud;
  readonly hosts: readonly string[];
}

async function open(options: AzureAuthorizationOptions): Promise<Opened> {
  const { environment, fetch } = createSignInContext(options);
  const cloud = await resolveCloud({ name: options.cloud, environment, fetch });
  const scope = options.scope ?? cloud.scope;
  const audience = resourceOf(scope);
  const allowed = (environment['LAZULI_TOKEN_HOSTS'] ?? '').split(/[\s,]+/).filter((host) => host !== '');
  return {
    credential: options.credential ?? azureCredential(options),
    scope,
    cloud,
    hosts: [
      ...(scope === cloud.scope ? cloud.hosts : []),
      ...(audience.startsWith('https://') ? [new URL(audience).host] : []),
      ...(options.allowedHosts ?? []),
      ...allowed,
    ],
  };
}

function isMeantFor({ protocol, hostname, host }: URL, hosts: readonly string[]): boolean {
  if (protocol !== 'https:' && !isLoopback(hostname)) return false;
  return hosts.some((pattern) => {
    const wanted = pattern.toLowerCase();
    return wanted.startsWith('*.')
      ? host.endsWith(wanted.slice(1)) && host.length > wanted.length - 1
      : host === wanted;
  });
}

function refusedHost({ protocol, host }: URL, scope: string, cloud: Cloud): MlflowError {
  const rule =
    protocol === 'https:'
      ? `it is no host of ${cloud.name}. If you trust it, name it in 'allowedHosts' or LAZULI_TOKEN_HOSTS, or choose its cloud with AZUREML_CURRENT_CLOUD.`
      : 'a token is sent over https only.';
  return new MlflowError('PERMISSION_DENIED', `The token for ${resourceOf(scope)} is not sent to ${host}: ${rule}`);
}
