import { createHash } from 'node:crypto';
import type { AuthorizationSource } from '@lazuli/client';
import type { TokenCredential } from '@lazuli/client/azure';
import { configPath, readConfig, removeConfig, writeConfig, type ConfigFile } from './config-file.ts';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Who has signed in with `lazuli login`, and where: an account is for one server or one cloud, and what proves it goes to the
 * hosts of that alone. It is kept in `accounts.json`, its tokens in a file beside it; nobody else can read either.
 */
export interface Account {
  /** The origin of a server, or the name of a cloud. */
  readonly place: string;
  /** Hosts that may see its tokens; `*.` stands for any name below. */
  readonly hosts: readonly string[];
  readonly user: { readonly name: string; readonly type: 'user' | 'servicePrincipal' | 'managedIdentity' | 'token' };
  readonly tenantId?: string;
  readonly signIn: SignIn;
}

/** How its tokens are got. */
export type SignIn =
  | { readonly kind: 'token'; readonly token: string }
  | ({ readonly kind: 'user'; readonly clientId?: string } & Authority)
  | ({ readonly kind: 'secret'; readonly clientId: string; readonly clientSecret: string } & Authority)
  | ({ readonly kind: 'certificate'; readonly clientId: string; readonly certificatePath: string } & Authority)
  | { readonly kind: 'identity'; readonly clientId?: string; readonly scope: string };

export interface Authority {
  readonly scope: string;
  readonly authorityHost?: string;
  readonly tenantId?: string;
  /** An issuer of OpenID Connect, in place of host and tenant. */
  readonly issuer?: string;
}

type World = Pick<Surroundings, 'env'>;

export function listAccounts(world: World): readonly Account[] {
  const file = readConfig('accounts.json', world) as { readonly accounts?: readonly Account[] } | undefined;
  return file?.accounts ?? [];
}

export function keepAccount(account: Account, world: World): void {
  const others = listAccounts(world).filter(({ place }) => place !== account.place);
  writeConfig('accounts.json', { accounts: [...others, account] }, world);
}

export function removeAccount({ place }: Account, world: World): void {
  const others = listAccounts(world).filter((account) => account.place !== place);
  if (others.length === 0) removeConfig('accounts.json', world);
  else writeConfig('accounts.json', { accounts: others }, world);
  forgetTokens(place, world);
}

/** Who signs in again may be somebody else. */
export function forgetTokens(place: string, world: World): void {
  removeConfig(tokenFile(place), world);
}

/** The account whose tokens are meant for the host of this address. */
export function findAccount(url: string, world: World): Account | undefined {
  const host = /^[a-z]+:\/\/([^/?#]+)/i.exec(url)?.[1]?.toLowerCase();
  if (host === undefined) return undefined;
  const isMeant = (pattern: string): boolean =>
    pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern.toLowerCase();
  return listAccounts(world).find(({ hosts }) => hosts.some(isMeant));
}

/** What an account proves itself with, to its own hosts. */
export function accountAuthorization(account: Account, world: World): AuthorizationSource {
  const { signIn, hosts, place } = account;
  if (signIn.kind === 'token') {
    return {
      header: async ({ origin }) => (origin === place ? `Bearer ${signIn.token}` : undefined),
    };
  }
  let opened: Promise<AuthorizationSource> | undefined;
  return {
    async header(target, options) {
      opened ??= openAuthorization(account.place, signIn, hosts, world);
      return (await opened).header(target, options);
    },
  };
}

type AskingSignIn = Exclude<SignIn, { kind: 'token' }>;

async function openAuthorization(place: string, signIn: AskingSignIn, hosts: readonly string[], world: World) {
  const { azureAuthorization } = await import('@lazuli/client/azure');
  const credential = await credentialOf(place, signIn, world, {
    // No other command opens a browser: nobody may be there.
    open: async () => {
      throw new CommandError(1, `The sign-in to ${place} has ended; run lazuli login again.`);
    },
  });
  return azureAuthorization({ credential, scope: signIn.scope, allowedHosts: hosts, environment: {} });
}

export interface Asking {
  /** How a person is asked; default: in the browser of this machine. */
  readonly open?: (url: string) => Promise<void>;
  readonly deviceCode?: (message: string) => void;
}

/** The credential of an account, whose tokens are kept in a file of its own. */
export async function credentialOf(
  place: string,
  signIn: AskingSignIn,
  world: World,
  { open, deviceCode }: Asking = {},
): Promise<TokenCredential> {
  const azure = await import('@lazuli/client/azure');
  const { environmentFetch } = await import('@lazuli/client');
  const around = {
    environment: world.env,
    fetch: environmentFetch(world.env),
    cacheFile: configPath(tokenFile(place), world),
  };
  const { scope: _, kind, ...facts } = signIn;
  const options = { ...facts, ...around };
  switch (kind) {
    case 'secret':
      return azure.clientSecretCredential(options as typeof signIn & typeof around);
    case 'certificate':
      return azure.clientCertificateCredential(options as typeof signIn & typeof around);
    case 'identity':
      return azure.managedIdentityCredential(options);
    case 'user':
      return deviceCode === undefined
        ? azure.interactiveBrowserCredential({ ...options, ...(open === undefined ? {} : { open }) })
        : azure.deviceCodeCredential({ ...options, prompt: ({ message }) => deviceCode(message) });
  }
}

function tokenFile(place: string): ConfigFile {
  return `tokens-${createHash('sha256').update(place).digest('hex').slice(0, 16)}.json`;
}
