import type { Command } from 'commander';
import { credentialOf, listAccounts } from '../accounts.ts';
import type { ConnectionOptions } from '../connection.ts';
import { describeCommand } from '../command-help.ts';
import { explained, printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';
import { accountColumns, accountShown } from './account-shown.ts';
import { accountOf } from './login.ts';

/** `lazuli account`: who is signed in by `lazuli login`, and where. */
interface AccountOptions extends ConnectionOptions, OutputOptions {
  readonly cloud?: string;
}

const ofPlace = (command: Command): Command =>
  withOutputOptions(
    command
      .option('--url <url>', 'the server that the account is for (LAZULI_URL, MLFLOW_TRACKING_URI)')
      .option('--cloud <name>', 'or the cloud'),
  );

export function describeAccount(command: Command, surroundings: Surroundings): void {
  ofPlace(
    describeCommand(command, {
      usage: 'show',
      summary: 'Show the account that commands use',
      examples: ['lazuli account show', 'lazuli account show --query user.name -o tsv'],
    }),
  ).action((options: AccountOptions) => {
    const print = printer(options, surroundings, accountColumns);
    print(accountShown(accountOf(options, surroundings)));
  });

  withOutputOptions(
    describeCommand(command, {
      usage: 'list',
      summary: 'List the accounts that are signed in',
      examples: ['lazuli account list -o table'],
    }),
  ).action((options: OutputOptions) => {
    printer(options, surroundings, accountColumns)(listAccounts(surroundings).map(accountShown));
  });

  ofPlace(
    describeCommand(command, {
      usage: 'get-access-token',
      summary: 'Get a token of the account, for another program',
      examples: ['curl -H "authorization: Bearer $(lazuli account get-access-token --query accessToken -o tsv)" …'],
    }),
  ).action(async (options: AccountOptions) => {
    const print = printer(options, surroundings);
    const { place, signIn, tenantId } = accountOf(options, surroundings);
    const token =
      signIn.kind === 'token'
        ? { token: signIn.token, expiresOnTimestamp: undefined }
        : await explained(async () => (await credentialOf(place, signIn, surroundings)).getToken(signIn.scope));
    print({
      accessToken: token?.token ?? null,
      expiresOn: token?.expiresOnTimestamp === undefined ? null : new Date(token.expiresOnTimestamp).toISOString(),
      tenant: tenantId ?? null,
      tokenType: 'Bearer',
    });
  });
}
