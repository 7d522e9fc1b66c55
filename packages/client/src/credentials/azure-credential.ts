import { createHash } from 'node:crypto';
import { attendanceOf, type Interactive } from './attendance.ts';
import { createAuthority, type AuthorityOptions } from './authority.ts';
import { cachedCredential } from './cached-credential.ts';
import { resolveCloud, type Cloud } from './clouds.ts';
import { credentialChain, type ChainStep } from './credential-chain.ts';
import { unavailable, type TokenCredential, type TokenSource } from './credential.ts';
import { azureCliSource, azurePowerShellSource, type DeveloperToolOptions } from './developer-tools.ts';
import { signInByDeviceCode, type DeviceCodeFlow } from './device-code.ts';
import { environmentSource, environmentWorkloadIdentitySource } from './environment-credential.ts';
import { browserCommand, signInByBrowser, type BrowserFlow } from './interactive-browser.ts';
import { managedIdentitySource, type ManagedIdentityOptions } from './managed-identity.ts';
import {
  clientCertificateSource,
  clientSecretSource,
  userPasswordSource,
  workloadIdentitySource,
  type ClientCertificateOptions,
  type ClientSecretOptions,
  type UserPasswordOptions,
  type WorkloadIdentityOptions,
} from './service-principal.ts';
import { createSignInContext, type SignInContext, type SignInOptions } from './sign-in-context.ts';
import { developerClientId, userSource } from './user-session.ts';

/**
 * A service principal with its secret. As with every credential, nothing is read or asked before a token is wanted, and tokens
 * are cached.
 *
 * @example
 * ```ts
 * const { AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId, AZURE_CLIENT_SECRET: clientSecret } = process.env;
 * const authorization = azureAuthorization({ credential: clientSecretCredential({ tenantId, clientId, clientSecret }) });
 * setTrackingUri('azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/…', { authorization });
 * ```
 */
export function clientSecretCredential(options: ClientSecretOptions & SignInOptions): TokenCredential {
  return lazily('client secret', options, (context) => clientSecretSource(options, context));
}

/** A service principal with its certificate, a PEM or PKCS#12 file. */
export function clientCertificateCredential(options: ClientCertificateOptions & SignInOptions): TokenCredential {
  return lazily('client certificate', options, (context) => clientCertificateSource(options, context));
}

/** A service principal with a token that another issuer gave it, read anew from its file for each sign-in. */
export function workloadIdentityCredential(options: WorkloadIdentityOptions & SignInOptions): TokenCredential {
  return lazily('workload identity', options, (context) => workloadIdentitySource(options, context));
}

/** A user by name and password, which Microsoft advises against. */
export function userPasswordCredential(options: UserPasswordOptions & SignInOptions): TokenCredential {
  return lazily('user password', options, (context) => userPasswordSource(options, context));
}

/** The identity that Azure gives to the machine or service that this runs on. */
export function managedIdentityCredential(options: ManagedIdentityOptions & SignInOptions = {}): TokenCredential {
  return lazily('managed identity', options, (context) => managedIdentitySource(options, context));
}

/** Who is signed in to the Azure CLI. */
export function azureCliCredential(options: DeveloperToolOptions & SignInOptions = {}): TokenCredential {
  return lazily('Azure CLI', options, (context) => azureCliSource(options, context));
}

/** Who is signed in to Azure PowerShell. */
export function azurePowerShellCredential(options: DeveloperToolOptions & SignInOptions = {}): TokenCredential {
  return lazily('Azure PowerShell', options, (context) => azurePowerShellSource(options, context));
}

interface UserOptions extends AuthorityOptions, SignInOptions {
  /** Default: the public client of Azure's developer tools. */
  readonly clientId?: string | undefined;
}

export type DeviceCodeOptions = UserOptions & Pick<DeviceCodeFlow, 'prompt'>;

/** A person who signs in on another device, with a code. */
export function deviceCodeCredential(options: DeviceCodeOptions = {}): TokenCredential {
  return lazily('device code', options, (context) => deviceCodeSource(options, context));
}

export type InteractiveBrowserOptions = UserOptions & Pick<BrowserFlow, 'limit' | 'open'>;

/** A person who signs in with the browser of this machine. */
export function interactiveBrowserCredential(options: InteractiveBrowserOptions = {}): TokenCredential {
  return lazily('interactive browser', options, (context) => browserSource(options, context));
}

function deviceCodeSource(options: DeviceCodeOptions, context: SignInContext): TokenSource {
  const session = userSession(options, context);
  return userSource(signInByDeviceCode({ ...session, prompt: options.prompt }, context), session, context);
}

function browserSource(options: InteractiveBrowserOptions, context: SignInContext): TokenSource {
  const session = userSession(options, context);
  const dialect = options.issuer === undefined ? 'Entra' : 'plain';
  const flow = { ...session, dialect, limit: options.limit, open: options.open } as const;
  return userSource(signInByBrowser(flow, context), session, context);
}

function userSession(options: UserOptions, context: SignInContext) {
  const authority = createAuthority(options, context);
  const clientId = options.clientId ?? developerClientId;
  return { authority, clientId, key: `user ${authority.name} ${clientId}` };
}

function lazily(
  name: string,
  options: SignInOptions,
  sourceOf: (context: SignInContext) => TokenSource,
): TokenCredential {
  let credential: TokenCredential | undefined;
  return {
    async getToken(scopes, given) {
      if (credential === undefined) {
        const context = createSignInContext(options);
        credential = cachedCredential(sourceOf(context), context, { key: keyOf(name, options) });
      }
      return await credential.getToken(scopes, given);
    },
  };
}

/** The same for the same identity, so that a file of tokens serves the next process; it gives no secret away. */
function keyOf(name: string, facts: object): string {
  const entries = Object.entries(facts).filter(([, value]) => typeof value === 'string');
  return `${name} ${createHash('sha256').update(JSON.stringify(entries.sort())).digest('hex')}`;
}

export interface AzureCredentialOptions extends SignInOptions {
  /** Default: `AZUREML_CURRENT_CLOUD`, else AzureCloud. */
  readonly cloud?: string | undefined;
  /** The tenant that tools and browser sign in to; default: `AZURE_TENANT_ID`, else the one of the account. */
  readonly tenantId?: string | undefined;
  /** The application that the browser signs in to. */
  readonly clientId?: string | undefined;
  readonly managedIdentityClientId?: string | undefined;
  /** Whether a browser may be opened; default: `LAZULI_INTERACTIVE`, else `auto`: where somebody seems to be there. */
  readonly interactive?: Interactive | undefined;
  /** Tries the next credential also after one that is set up and was refused. */
  readonly continueOnRejected?: boolean;
  readonly prompt?: DeviceCodeFlow['prompt'];
}

/**
 * Tries the environment (service principal), workload identity, managed identity, Azure CLI, Azure PowerShell and a browser
 * one by one, and remembers the first that signs in. Rejects with a `SignInError` that lists every attempt.
 *
 * @example
 * ```ts
 * const credential = azureCredential(); // AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, for instance
 * const token = await credential.getToken('https://management.azure.com/.default');
 * console.log(new Date(token?.expiresOnTimestamp ?? 0));
 * ```
 */
export function azureCredential(options: AzureCredentialOptions = {}): TokenCredential {
  let chain: Promise<TokenCredential> | undefined;
  return {
    async getToken(scopes, given = {}) {
      chain ??= openChain(options).catch((error: unknown) => {
        chain = undefined;
        throw error;
      });
      return await (await chain).getToken(scopes, given);
    },
  };
}

async function openChain(options: AzureCredentialOptions): Promise<TokenCredential> {
  const context = createSignInContext(options);
  const { environment, fetch, log } = context;
  const cloud = await resolveCloud({ name: options.cloud, environment, fetch });
  log.debug(`cloud ${cloud.name}, authority ${cloud.login}`);
  const steps = chosenSteps(stepsOf(options, cloud, context), environment['AZURE_TOKEN_CREDENTIALS']);
  return credentialChain(steps, { log, onRejected: options.continueOnRejected === true ? 'go on' : 'stop' });
}

interface Step extends ChainStep {
  /** *Azure SDKs: what AZURE_TOKEN_CREDENTIALS calls it, and the group that it belongs to.* */
  readonly className: string;
  readonly group: 'prod' | 'dev';
}

interface StepPlan extends Omit<Step, 'credential'> {
  /** Who signs in by it: what its cached tokens are kept under. */
  readonly facts: object;
  readonly source: () => TokenSource;
}

function stepsOf(options: AzureCredentialOptions, cloud: Cloud, context: SignInContext): Step[] {
  const env = context.environment;
  const tenantId = options.tenantId ?? (env['AZURE_TENANT_ID'] || undefined);
  const authorityHost = hostOf(env['AZURE_AUTHORITY_HOST']) ?? cloud.login;
  const user = { authorityHost, tenantId, clientId: options.clientId };
  const managed = { clientId: options.managedIdentityClientId ?? (env['AZURE_CLIENT_ID'] || undefined) };
  const application = Object.fromEntries(Object.entries(env).filter(([name]) => /^AZURE_(?!LOG)/.test(name)));
  const steps: readonly StepPlan[] = [
    {
      name: 'environment',
      className: 'EnvironmentCredential',
      group: 'prod',
      fix: 'set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH)',
      facts: application,
      source: () => environmentSource(authorityHost, context),
    },
    {
      name: 'workload identity',
      className: 'WorkloadIdentityCredential',
      group: 'prod',
      fix: 'set AZURE_FEDERATED_TOKEN_FILE, AZURE_TENANT_ID and AZURE_CLIENT_ID',
      facts: application,
      source: () => environmentWorkloadIdentitySource(authorityHost, context),
    },
    {
      name: 'managed identity',
      className: 'ManagedIdentityCredential',
      group: 'prod',
      fix: 'run on Azure with an identity assigned: az vm identity assign',
      facts: { ...managed, endpoint: env['IDENTITY_ENDPOINT'] ?? env['MSI_ENDPOINT'] },
      source: () => managedIdentitySource(managed, context),
    },
    {
      name: 'Azure CLI',
      className: 'AzureCliCredential',
      group: 'dev',
      fix: 'az login',
      facts: { tenantId },
      source: () => azureCliSource({ tenantId }, context),
    },
    {
      name: 'Azure PowerShell',
      className: 'AzurePowerShellCredential',
      group: 'dev',
      fix: 'Connect-AzAccount',
      facts: { tenantId },
      source: () => azurePowerShellSource({ tenantId }, context),
    },
    {
      name: 'interactive browser',
      className: 'InteractiveBrowserCredential',
      group: 'dev',
      fix: 'run it in a terminal or on a desktop, or set LAZULI_INTERACTIVE=always',
      facts: user,
      source: () => attendedSource(user, options, context),
    },
  ];
  return steps.map(({ source, facts, ...step }) => {
    // Made when its turn comes, so that what is wrong with it is its own failure.
    let made: TokenSource | undefined;
    const late: TokenSource = async (scope, signal) => (made ??= source())(scope, signal);
    return {
      ...step,
      credential: cachedCredential(late, context, { key: keyOf(step.name, { authorityHost, ...facts }) }),
    };
  });
}

/** The browser where one can be opened, else a device code where there is a terminal; nothing where nobody is there. */
function attendedSource(user: UserOptions, options: AzureCredentialOptions, context: SignInContext): TokenSource {
  return async (scope, signal) => {
    const { absent, hasTerminal } = attendanceOf(options.interactive, context);
    if (absent !== undefined)
      throw unavailable(
        `Nobody is asked, because ${absent}. Unattended, sign in with a service principal or a managed identity.`,
      );
    const isRemote = browserCommand(context.environment) === undefined && hasTerminal;
    const source = isRemote
      ? deviceCodeSource({ ...user, prompt: options.prompt }, context)
      : browserSource(user, context);
    return await source(scope, signal);
  };
}

function chosenSteps(steps: readonly Step[], chosen: string | undefined): readonly Step[] {
  if (!chosen) return steps;
  const found = steps.filter(({ className, group }) => [className.toLowerCase(), group].includes(chosen.toLowerCase()));
  if (found.length > 0) return found;
  const names = steps.map(({ className }) => className).join(', ');
  throw unavailable(`AZURE_TOKEN_CREDENTIALS is dev, prod, or one of ${names}, not '${chosen}'.`);
}

function hostOf(text: string | undefined): string | undefined {
  if (!text) return undefined;
  return text.includes('://') ? text : `https://${text}`;
}
