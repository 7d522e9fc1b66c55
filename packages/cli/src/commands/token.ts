import { userInfo } from 'node:os';
import type { createClient as ClientMaker } from '@lazuli/client';
import type { Command } from 'commander';
import type { Surroundings } from '../surroundings.ts';
import { CommandError, moment } from '../output.ts';
import { withHelp } from '../command-help.ts';
import { printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import { takePlace, withPlace, type Calls, type Place, type PlaceOptions } from '../server-place.ts';
import { parseDuration } from '../duration.ts';

/**
 * `lazuli token`: API tokens, of a running server by its API, or of a data directory on which no server runs. The latter
 * is how the first Owner's token comes to be, before a server that asks for tokens can be called.
 */
type Tokens = Calls<ReturnType<typeof ClientMaker>['apiTokens']>;
type NewToken = Parameters<Tokens['createToken']>[0];
type ApiToken = Awaited<ReturnType<Tokens['createToken']>>['token'];

interface CreateOptions extends PlaceOptions {
  readonly role: string;
  readonly principal?: string;
  readonly workspace?: string;
  readonly expiresIn?: string;
}

const columns = {
  Token: 'token_id',
  Principal: 'principal',
  Role: 'role',
  Workspace: "workspace || '(all)'",
  Created: 'creation_time',
  Expires: "expiry_time || 'never'",
};

const roles = [
  'Owner',
  'Contributor',
  'Reader',
  'AzureML Data Scientist',
  'AzureML Compute Operator',
  'AzureML Registry User',
  'AzureML Metrics Writer',
] as const satisfies readonly NewToken['role'][];

export function describeToken(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const subcommand = (usage: string, summary: string) =>
    takePlace(command.command(usage).description(summary).helpOption('-h, --help', 'show this help'));

  withHelp(subcommand('create', 'Create a token; its secret is printed once'), {
    notes: 'The secret alone goes to stdout.',
    examples: [
      'TOKEN=$(lazuli token create --data-dir ./lazuli-data --role Owner)',
      'lazuli token create --role Contributor --principal ci --workspace team-a --expires-in 90d',
    ],
  })
    .requiredOption('--role <role>', `what it may do: ${roles.join(', ')}`)
    .option('--principal <name>', 'who it stands for in logs and as owner of runs (default: your user name)')
    .option('--workspace <name>', 'the only workspace that it is good for (default: all)')
    .option('--expires-in <time>', 'how long it is good for: 12h, 30d, 8w, 1y (default: until it is revoked)')
    .action(async (options: CreateOptions) => {
      const input = createInput(options, Date.now());
      const { token, secret } = await withPlace(options, surroundings, tokensOf('make'), (tokens) =>
        tokens.createToken(input),
      );
      output.result(secret);
      output.remark(`Token ${token.token_id}: ${describe(token)}. Keep the secret; it is not shown again.`);
    });

  withHelp(withOutputOptions(subcommand('list', 'List tokens, without their secrets')), {
    examples: ['lazuli token list -o table', `lazuli token list --query "[?principal=='ci'].token_id" -o tsv`],
  }).action(async (options: PlaceOptions & OutputOptions) => {
    const print = printer(options, surroundings, columns);
    const { tokens = [] } = await withPlace(options, surroundings, tokensOf('read'), (place) => place.listTokens({}));
    print(tokens.map(tokenShown));
  });

  withHelp(subcommand('revoke <token-id>', 'Revoke a token; it is refused from the next request on'), {
    examples: ['lazuli token revoke 3f2b8a50-6f3e-4ac0-9f5e-2f8f1f7f0d61'],
  }).action(async (tokenId: string, options: PlaceOptions) => {
    await withPlace(options, surroundings, tokensOf('read'), (tokens) => tokens.revokeToken({ token_id: tokenId }));
    output.remark(`Token ${tokenId} is revoked.`);
  });

  command.addHelpText(
    'after',
    `
A token for a running server is made by its API, as somebody who is an Owner there: LAZULI_TOKEN (or
MLFLOW_TRACKING_TOKEN) holds their token. With --data-dir it is made in the data directory itself, where no server may
run meanwhile.`,
  );
}

function tokensOf(database: 'make' | 'read'): Place<Tokens> {
  return {
    database,
    ofServer: ({ client }) => client.apiTokens,
    ofDatabase: async (settings) => (await import('@lazuli/server')).openTokens(settings),
  };
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

function describe({ principal, role, workspace, expiry_time }: ApiToken): string {
  const place = workspace === undefined ? 'every workspace' : `workspace ${workspace}`;
  const end = expiry_time === undefined ? 'until it is revoked' : `until ${moment(expiry_time)}`;
  return `${principal} is ${role} of ${place} ${end}`;
}

function tokenShown({ creation_time, expiry_time, ...token }: ApiToken) {
  return {
    ...token,
    workspace: token.workspace ?? null,
    creation_time: moment(creation_time),
    expiry_time: expiry_time === undefined ? null : moment(expiry_time),
  };
}
