import { text as textOf } from 'node:stream/consumers';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  credentialOf,
  findAccount,
  forgetTokens,
  keepAccount,
  listAccounts,
  removeAccount,
  type Account,
  type Asking,
  type Authority,
  type SignIn,
} from '../accounts.ts';
import { findCloud, isCloudChosen } from '../clouds.ts';
import { accountOfCloud, isAddressGiven, isAzureMl, trackingUrl, type ConnectionOptions } from '../connection.ts';
import { CommandError } from '../output.ts';
import { withHelp } from '../command-help.ts';
import { explained, printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';
import { accountColumns, accountShown } from './account-shown.ts';

/** `lazuli login` and `lazuli logout`, with the options of `az login`: who the commands after it are, where nothing else says so. */
interface LoginOptions extends ConnectionOptions, OutputOptions {
  readonly cloud?: string;
  readonly tenant?: string;
  readonly useDeviceCode?: true;
  readonly servicePrincipal?: true;
  readonly identity?: true;
  readonly username?: string;
  readonly password?: string;
  readonly certificate?: string;
  readonly withToken?: true;
  readonly issuer?: string;
  readonly scope?: string;
}

/** Where somebody signs in: a server of Lazuli or a cloud. */
interface SignInPlace {
  readonly place: string;
  readonly hosts: readonly string[];
  readonly authority: Authority;
}

export function describeLogin(command: Command, surroundings: Surroundings): void {
  withOutputOptions(
    command
      .option('--url <url>', 'the server to sign in to (LAZULI_URL, MLFLOW_TRACKING_URI)')
      .option(
        '--cloud <name>',
        'or the cloud (default: the active one, with an azureml:// address or where none is said)',
      )
      .option('-t, --tenant <tenant>', 'the tenant (default: the one of the account)')
      .option('--use-device-code', 'with a code that is entered in a browser elsewhere')
      .option('--service-principal', 'as a service principal, with --username and --password or --certificate')
      .option('--identity', 'as the managed identity of this machine')
      .option('-u, --username <id>', 'the application id of the service principal or identity')
      .option('-p, --password <secret>', 'the secret of the service principal')
      .option('--certificate <file>', 'or its certificate with its key: PEM or PKCS#12')
      .option('--with-token', 'with an API token, which is read from standard input')
      .option('--issuer <url>', 'an issuer of OpenID Connect that the server trusts, with --username as client id')
      .option(
        '--scope <scope>',
        'what tokens are asked for (default: the server, or the resource manager of the cloud)',
      ),
  );
  withHelp(command, {
    notes: `Without another way, a browser is opened. What is remembered lies in ~/.lazuli (LAZULI_CONFIG_DIR), readable by
you alone, and goes to the hosts of this server or cloud only. LAZULI_TOKEN and MLflow's variables go before it.`,
    examples: [
      'lazuli login --url https://lazuli.example.org',
      'lazuli login --cloud AzureCloud --use-device-code',
      'lazuli login --service-principal -u 5c1ee5dc-ff86-4ba3-b2bd-24de1d1c0c4a -p "$SECRET" -t adfs',
      'lazuli login --url https://lazuli.example.org --with-token < token.txt',
    ],
  }).action(async (options: LoginOptions) => {
    const print = printer(options, surroundings, accountColumns);
    const account = await explained(() =>
      options.withToken === true ? withToken(options, surroundings) : withAuthority(options, surroundings),
    );
    keepAccount(account, surroundings);
    print(accountShown(account));
  });
}

export function describeLogout(command: Command, surroundings: Surroundings): void {
  command
    .option('--url <url>', 'the server to sign out of (LAZULI_URL, MLFLOW_TRACKING_URI)')
    .option('--cloud <name>', 'or the cloud')
    .option('--all', 'forget every account');
  withHelp(command, { examples: ['lazuli logout', 'lazuli logout --all'] }).action(
    (options: ConnectionOptions & { readonly cloud?: string; readonly all?: true }) => {
      const gone = options.all === true ? listAccounts(surroundings) : [accountOf(options, surroundings)];
      for (const account of gone) {
        removeAccount(account, surroundings);
        surroundings.output.remark(`${account.user.name} is signed out of ${account.place}.`);
      }
    },
  );
}

/** The account that commands with these options use. */
export function accountOf(
  options: ConnectionOptions & { readonly cloud?: string },
  surroundings: Surroundings,
): Account {
  const { cloud } = options;
  if (cloud !== undefined) {
    const named = listAccounts(surroundings).find(({ place }) => place.toLowerCase() === cloud.toLowerCase());
    if (named !== undefined) return named;
  } else {
    const account =
      accountOfCloud(options, surroundings) ?? findAccount(trackingUrl(options, surroundings), surroundings);
    if (account !== undefined) return account;
  }
  const place = cloud ?? trackingUrl(options, surroundings);
  throw new CommandError(3, `Nobody is signed in to ${place}; run lazuli login.`);
}

async function withToken(options: LoginOptions, surroundings: Surroundings): Promise<Account> {
  const url = trackingUrl(options, surroundings);
  if (isAzureMl(url)) throw new CommandError(2, 'An API token is one of a server: give its --url.');
  const token = (await textOf(process.stdin)).trim();
  if (token === '') throw new CommandError(2, '--with-token: there is no token on standard input.');
  const { openServer } = await import('@lazuli/client');
  const authorization = { header: async () => `Bearer ${token}` };
  const { client } = await openServer(url, {
    authorization,
    environment: surroundings.env,
    retries: { maxRetries: 0 },
  });
  await client.experiments.searchExperiments({ max_results: 1 });
  const { origin, host } = new URL(url);
  return {
    place: origin,
    hosts: [host],
    user: { name: 'an API token', type: 'token' },
    signIn: { kind: 'token', token },
  };
}

async function withAuthority(options: LoginOptions, surroundings: Surroundings): Promise<Account> {
  const chosen = await placeOf(options, surroundings);
  const authority: Authority =
    options.issuer === undefined
      ? { ...chosen.authority, ...(options.tenant === undefined ? {} : { tenantId: options.tenant }) }
      : { scope: chosen.authority.scope, issuer: options.issuer };
  const signIn = signInOf(
    options,
    { ...authority, ...(options.scope === undefined ? {} : { scope: options.scope }) },
    surroundings,
  );
  const asking: Asking = options.useDeviceCode === true ? { deviceCode: surroundings.output.remark } : {};
  forgetTokens(chosen.place, surroundings);
  const credential = await credentialOf(chosen.place, signIn, surroundings, asking);
  const token = await credential.getToken(signIn.scope);
  const claims = claimsOf(token?.token ?? '');
  const tenantId = claims['tid'] ?? options.tenant;
  const type = {
    user: 'user',
    identity: 'managedIdentity',
    secret: 'servicePrincipal',
    certificate: 'servicePrincipal',
  } as const;
  const name =
    claims['preferred_username'] ?? claims['upn'] ?? claims['name'] ?? signIn.clientId ?? claims['sub'] ?? 'unknown';
  return {
    place: chosen.place,
    hosts: chosen.hosts,
    user: { name, type: type[signIn.kind] },
    ...(tenantId === undefined ? {} : { tenantId }),
    signIn,
  };
}

function signInOf(
  options: LoginOptions,
  authority: Authority,
  { workingDir }: Surroundings,
): Exclude<SignIn, { kind: 'token' }> {
  const { username, password, certificate } = options;
  if (options.identity === true) {
    return { kind: 'identity', scope: authority.scope, ...(username === undefined ? {} : { clientId: username }) };
  }
  if (options.servicePrincipal !== true) {
    if (password !== undefined || certificate !== undefined) {
      throw new CommandError(2, 'A --password or --certificate is one of a --service-principal; people use a browser.');
    }
    return { kind: 'user', ...authority, ...(username === undefined ? {} : { clientId: username }) };
  }
  if (username === undefined) throw new CommandError(2, '--service-principal needs --username, its application id.');
  if (password !== undefined && certificate === undefined) {
    return { kind: 'secret', ...authority, clientId: username, clientSecret: password };
  }
  if (certificate !== undefined && password === undefined) {
    return { kind: 'certificate', ...authority, clientId: username, certificatePath: resolve(workingDir, certificate) };
  }
  throw new CommandError(2, '--service-principal needs one of --password and --certificate.');
}

async function placeOf(options: LoginOptions, surroundings: Surroundings): Promise<SignInPlace> {
  const isCloud =
    options.cloud !== undefined || (isCloudChosen(surroundings) && !isAddressGiven(options, surroundings));
  const url = isCloud ? undefined : trackingUrl(options, surroundings);
  if (url !== undefined && !isAzureMl(url)) return placeOfServer(url, surroundings);
  const { name, hosts, login, scope } = await findCloud(surroundings, options.cloud);
  return { place: name, hosts, authority: { scope, authorityHost: login } };
}

/** A server says in the document of its cloud what its tokens are for; its authority is where it is itself. */
async function placeOfServer(url: string, { env }: Surroundings): Promise<SignInPlace> {
  const { environmentFetch } = await import('@lazuli/client');
  const document = `${url.replace(/\/+$/, '')}/metadata/endpoints?api-version=2022-09-01`;
  const response = await environmentFetch(env)(document).catch((cause: unknown) => {
    throw new CommandError(1, `${url} is not reached: ${String((cause as Error).cause ?? cause)}`, { cause });
  });
  const { resourceManager } = (response.ok ? await response.json().catch(() => ({})) : {}) as {
    resourceManager?: string;
  };
  if (resourceManager === undefined) {
    throw new CommandError(1, `${url} has no authority to sign in with; where it knows a token, use --with-token.`);
  }
  const { origin, host } = new URL(url);
  const authority = { scope: `${resourceManager}/.default`, authorityHost: origin };
  return { place: origin, hosts: [...new Set([host, new URL(resourceManager).host])], authority };
}

/** What an access token says of who holds it; some are opaque. */
function claimsOf(token: string): Readonly<Record<string, string | undefined>> {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, string>;
  } catch {
    return {};
  }
}
