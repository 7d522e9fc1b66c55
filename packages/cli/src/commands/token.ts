import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { createClient as ClientMaker } from '@lazuli/client';
import type { Command } from 'commander';
import type { Surroundings } from '../surroundings.ts';
import { CommandError, formatTable } from '../output.ts';
import { parseDuration } from '../duration.ts';
import { clientOf, defaultUrl } from '../running-server.ts';

/**
 * `lazuli token`: API tokens, of a running server by its API, or of a data directory on which no server runs. The latter
 * is how the first Owner's token comes to be, before a server that asks for tokens can be called.
 */
type Tokens = ReturnType<typeof ClientMaker>['apiTokens'];
type NewToken = Parameters<Tokens['createToken']>[0];
type ApiToken = Awaited<ReturnType<Tokens['createToken']>>['token'];

interface PlaceOptions {
  readonly url?: string;
  readonly dataDir?: string;
  readonly backendStoreUri?: string;
  readonly databaseUrl?: string;
  readonly config?: string;
}

interface CreateOptions extends PlaceOptions {
  readonly role: string;
  readonly principal?: string;
  readonly workspace?: string;
  readonly expiresIn?: string;
}

const roles = ['Owner', 'Contributor', 'Reader'] as const;

export function describeToken(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const subcommand = (usage: string, summary: string) =>
    command
      .command(usage)
      .description(summary)
      .helpOption('--help', 'show this help')
      .option('--url <url>', `a running server (LAZULI_URL, MLFLOW_TRACKING_URI; default: ${defaultUrl})`)
      .option('--data-dir <folder>', 'the data directory of a server that does not run')
      .option('--backend-store-uri <uri>', 'its database, where that lies elsewhere')
      .option('--database-url <url>', 'its PostgreSQL database; servers on it may run')
      .option('--config <file>', 'its file of settings');

  subcommand('create', 'Create a token; its secret is printed once')
    .requiredOption('--role <role>', `what it may do: ${roles.join(', ')}`)
    .option('--principal <name>', 'who it stands for in logs and as owner of runs (default: your user name)')
    .option('--workspace <name>', 'the only workspace that it is good for (default: all)')
    .option('--expires-in <time>', 'how long it is good for: 12h, 30d, 8w, 1y (default: until it is revoked)')
    .addHelpText(
      'after',
      `
The secret alone goes to stdout:
  TOKEN=$(lazuli token create --data-dir ./lazuli-data --role Owner)
  lazuli token create --role Contributor --principal ci --workspace team-a --expires-in 90d`,
    )
    .action(async (options: CreateOptions) => {
      const input = createInput(options, Date.now());
      const { token, secret } = await withTokens(options, surroundings, 'make', (tokens) => tokens.createToken(input));
      output.result(secret);
      output.remark(`Token ${token.token_id}: ${describe(token)}. Keep the secret; it is not shown again.`);
    });

  subcommand('list', 'List tokens, without their secrets')
    .option('--json', 'as JSON')
    .action(async (options: PlaceOptions & { readonly json?: true }) => {
      const { tokens = [] } = await withTokens(options, surroundings, 'read', (place) => place.listTokens({}));
      output.result(options.json === true ? JSON.stringify(tokens, null, 2) : tokenTable(tokens));
    });

  subcommand('revoke <token-id>', 'Revoke a token; it is refused from the next request on').action(
    async (tokenId: string, options: PlaceOptions) => {
      await withTokens(options, surroundings, 'read', (tokens) => tokens.revokeToken({ token_id: tokenId }));
      output.remark(`Token ${tokenId} is revoked.`);
    },
  );

  command.addHelpText(
    'after',
    `
A token for a running server is made by its API, as somebody who is an Owner there: LAZULI_TOKEN (or
MLFLOW_TRACKING_TOKEN) holds their token. With --data-dir it is made in the data directory itself, where no server may
run meanwhile.`,
  );
}

function createInput(options: CreateOptions, now: number): NewToken {
  const role = roles.find((name) => name.toLowerCase() === options.role.toLowerCase());
  if (role === undefined) {
    throw new CommandError(2, `--role: ${JSON.stringify(options.role)} must be one of ${roles.join(', ')}`);
  }
  return {
    principal: options.principal ?? userInfo().username,
    role,
    ...(options.workspace === undefined ? {} : { workspace: options.workspace }),
    ...(options.expiresIn === undefined ? {} : { expiry_time: now + parseDuration('--expires-in', options.expiresIn) }),
  };
}

async function withTokens<Result>(
  options: PlaceOptions,
  surroundings: Surroundings,
  database: 'make' | 'read',
  work: (tokens: Tokens) => Promise<Result>,
): Promise<Result> {
  const offline = options.dataDir ?? options.backendStoreUri ?? options.databaseUrl ?? options.config;
  if (offline !== undefined && options.url !== undefined) {
    throw new CommandError(2, 'Either --url for a running server, or --data-dir for one that does not run.');
  }
  try {
    if (offline === undefined) return await work((await clientOf({ url: options.url }, surroundings)).apiTokens);
    const tokens = await tokensOfDatabase(options, surroundings, database);
    try {
      return await work(tokens);
    } finally {
      await tokens.close();
    }
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error)) throw error;
    const refused = 'status' in error && error.status === 401;
    const hint = refused ? ' Put the token of an Owner of this server into LAZULI_TOKEN.' : '';
    throw new CommandError(1, `${error.message}${hint}`, { cause: error });
  }
}

async function tokensOfDatabase(
  { dataDir, backendStoreUri, databaseUrl, config }: PlaceOptions,
  surroundings: Surroundings,
  database: 'make' | 'read',
): Promise<Tokens & { close(): Promise<void> }> {
  const { openTokens } = await import('@lazuli/server');
  const { checkSettings } = await import('./serve.ts');
  // Nothing listens here, so another address than loopback, or several workers, are no reason to refuse.
  const flags = {
    'data-dir': dataDir,
    'backend-store-uri': backendStoreUri,
    'database-url': databaseUrl,
    config,
    host: '127.0.0.1',
    workers: '1',
  };
  const settings = checkSettings(flags, surroundings);
  const { database: place } = settings;
  if (database === 'read' && place.kind === 'sqlite' && !existsSync(place.path)) {
    throw new CommandError(1, `There is no database at ${place.path}.`);
  }
  return openTokens(settings).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const hint = 'If a server runs there, leave out --data-dir: its tokens are made through --url.';
    throw new CommandError(1, `${message}\n${hint}`, { cause: error });
  });
}

function describe({ principal, role, workspace, expiry_time }: ApiToken): string {
  const place = workspace === undefined ? 'every workspace' : `workspace ${workspace}`;
  const end = expiry_time === undefined ? 'until it is revoked' : `until ${moment(expiry_time)}`;
  return `${principal} is ${role} of ${place} ${end}`;
}

function tokenTable(tokens: readonly ApiToken[]): string {
  const rows = tokens.map(({ token_id, principal, role, workspace, creation_time, expiry_time }) => [
    token_id,
    principal,
    role,
    workspace ?? '(all)',
    moment(creation_time),
    expiry_time === undefined ? 'never' : moment(expiry_time),
  ]);
  return formatTable([['TOKEN', 'PRINCIPAL', 'ROLE', 'WORKSPACE', 'CREATED', 'EXPIRES'], ...rows]);
}

function moment(time: number | bigint): string {
  return new Date(Number(time)).toISOString().replace(/\.\d+Z$/, 'Z');
}
