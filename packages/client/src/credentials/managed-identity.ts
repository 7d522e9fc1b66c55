import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, normalize } from 'node:path';
import { readTokenAnswer } from './authority.ts';
import {
  reasonOf,
  rejected,
  resourceOf,
  SignInError,
  unavailable,
  type AccessToken,
  type TokenSource,
} from './credential.ts';
import { requestDirectly, type DirectAnswer, type DirectRequest } from './direct-request.ts';
import type { Environment, SignInContext } from './sign-in-context.ts';

/**
 * The identity that Azure gives to a machine or service. Each kind of host has its own endpoint, announced by variables;
 * a virtual machine announces nothing and is probed, for one second in all.
 */
export interface ManagedIdentityOptions {
  /** Client id of a user-assigned identity; default: the one of the host. */
  readonly clientId?: string | undefined;
}

interface Inquiry {
  readonly url: URL;
  readonly request: Omit<DirectRequest, 'signal'>;
}

interface Host {
  readonly name: string;
  readonly isHere: (environment: Environment) => unknown;
  readonly inquiry: (resource: string, clientId: string | undefined, environment: Environment) => Inquiry;
}

/** *In the order in which Azure's SDKs look for them.* */
const hosts: readonly Host[] = [
  {
    name: 'Service Fabric',
    isHere: (env) => env['IDENTITY_ENDPOINT'] && env['IDENTITY_HEADER'] && env['IDENTITY_SERVER_THUMBPRINT'],
    inquiry: (resource, clientId, env) => ({
      url: urlOf(env['IDENTITY_ENDPOINT'], { 'api-version': '2019-07-01-preview', resource, client_id: clientId }),
      request: {
        headers: { secret: env['IDENTITY_HEADER'] ?? '' },
        thumbprint: env['IDENTITY_SERVER_THUMBPRINT'],
      },
    }),
  },
  {
    name: 'App Service',
    isHere: (env) => env['IDENTITY_ENDPOINT'] && env['IDENTITY_HEADER'],
    inquiry: (resource, clientId, env) => ({
      url: urlOf(env['IDENTITY_ENDPOINT'], { 'api-version': '2019-08-01', resource, client_id: clientId }),
      request: { headers: { 'x-identity-header': env['IDENTITY_HEADER'] ?? '' } },
    }),
  },
  {
    name: 'Azure ML',
    isHere: (env) => env['MSI_ENDPOINT'] && env['MSI_SECRET'],
    inquiry: (resource, clientId, env) => ({
      url: urlOf(env['MSI_ENDPOINT'], {
        'api-version': '2017-09-01',
        resource,
        clientid: clientId ?? env['DEFAULT_IDENTITY_CLIENT_ID'],
      }),
      request: { headers: { secret: env['MSI_SECRET'] ?? '', metadata: 'true' } },
    }),
  },
  {
    name: 'Cloud Shell',
    isHere: (env) => env['MSI_ENDPOINT'],
    inquiry: (resource, _, env) => ({
      url: urlOf(env['MSI_ENDPOINT'], {}),
      request: { method: 'POST', headers: { metadata: 'true' }, form: { resource } },
    }),
  },
  {
    name: 'Azure Arc',
    isHere: (env) => env['IDENTITY_ENDPOINT'] && env['IMDS_ENDPOINT'],
    inquiry: (resource, clientId, env) => ({
      url: urlOf(env['IDENTITY_ENDPOINT'], { 'api-version': '2020-06-01', resource, client_id: clientId }),
      request: { headers: { metadata: 'true' } },
    }),
  },
];

const virtualMachine = {
  name: 'virtual machine',
  inquiry: (resource: string, clientId: string | undefined, env: Environment): Inquiry => ({
    url: urlOf(
      `${(env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] ?? 'http://169.254.169.254').replace(/\/+$/, '')}/metadata/identity/oauth2/token`,
      { 'api-version': '2018-02-01', resource, client_id: clientId },
    ),
    request: { headers: { metadata: 'true' } },
  }),
};

export function managedIdentitySource({ clientId }: ManagedIdentityOptions, context: SignInContext): TokenSource {
  const { environment, log } = context;
  for (const name of ['IDENTITY_HEADER', 'MSI_SECRET']) log.hide(environment[name] ?? '');
  return async (scope, signal) => {
    const announced = hosts.find(({ isHere }) => Boolean(isHere(environment)));
    const { name, inquiry } = announced ?? virtualMachine;
    const { url, request } = inquiry(resourceOf(scope), clientId, environment);
    log.debug(
      `managed identity of ${announced === undefined ? 'a' : 'the host'} ${name}: ${url.origin}${url.pathname}`,
    );
    if (announced === undefined) await probe(url, signal);
    return await ask(name, url, { ...request, signal }, context);
  };
}

const probeLimit = 1000;

/** *Without the header `Metadata` the service answers 400: that it answers is what counts.* */
async function probe(url: URL, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.timeout(probeLimit);
  try {
    await requestDirectly(new URL(url.pathname, url), { signal: AbortSignal.any([signal, limit]) });
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted)
      throw new SignInError(
        'timed out',
        `Nothing answers at ${url.host} within ${probeLimit} ms: this is no virtual machine of Azure.`,
      );
    throw unavailable(`Nothing answers at ${url.host}: this is no virtual machine of Azure.`, error);
  }
}

async function ask(name: string, url: URL, request: DirectRequest, context: SignInContext): Promise<AccessToken> {
  let answer: DirectAnswer;
  try {
    answer = await requestDirectly(url, request);
    if (name === 'Azure Arc' && answer.status === 401) {
      const authorization = await arcAuthorization(answer, context);
      answer = await requestDirectly(url, { ...request, headers: { ...request.headers, authorization } });
    }
  } catch (error) {
    request.signal.throwIfAborted();
    if (error instanceof SignInError) throw error;
    throw unavailable(`The identity endpoint ${url.origin} (${name}) cannot be reached: ${reasonOf(error)}`, error);
  }
  if (answer.status === 200) return readTokenAnswer(url.origin, answer.body, context);
  const told = [answer.body['error_description'], answer.body['message'], answer.body['error']];
  const words = context.log.mask(told.find((text) => typeof text === 'string') ?? '');
  const message = `The identity endpoint ${url.origin} (${name}) answered ${answer.status}. ${words}`.trim();
  // *Azure: 400 means that this machine has no such identity.*
  throw answer.status === 401 || answer.status === 403 ? rejected(message) : unavailable(message);
}

/** *Azure Arc proves who asks by a file that only its users can read.* */
async function arcAuthorization({ headers }: DirectAnswer, { environment, log }: SignInContext): Promise<string> {
  const path = /\brealm="?([^",]+)/i.exec(headers['www-authenticate'] ?? '')?.[1]?.trim() ?? '';
  const folder =
    process.platform === 'win32'
      ? `${environment['ProgramData'] ?? 'C:\\ProgramData'}\\AzureConnectedMachineAgent\\Tokens`
      : '/var/opt/azcmagent/tokens';
  // Else whoever answers could have any file of this machine sent to it.
  if (
    normalize(path) !== path ||
    dirname(path) !== folder ||
    extname(path) !== '.key' ||
    (await stat(path)).size > 4096
  )
    throw rejected(`Azure Arc names '${path}' as its key, which is no key file of its agent.`);
  const key = await readFile(path, 'utf8');
  log.hide(key);
  return `Basic ${key}`;
}

function urlOf(base: string | undefined, query: Readonly<Record<string, string | undefined>>): URL {
  if (base === undefined || !URL.canParse(base)) throw rejected(`The identity endpoint '${base ?? ''}' is not a URL.`);
  const url = new URL(base);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  return url;
}
