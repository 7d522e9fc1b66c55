import type { DatabaseStatus } from '@lazuli/server';
import type { Command } from 'commander';
import { CommandError, EndWithStatus } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';
import { settingsOfPlace, withPlaceOptions, type DatabasePlace } from '../database-place.ts';
import { describeCommand, type Description } from '../command-help.ts';
import { printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import { describeBackup } from './db-backup.ts';

/**
 * `lazuli db`: the schema of a server's database, and a copy of it. A server brings it up to date when it starts; these are for those who
 * want to know before, or who let another user than the server's change tables.
 */
export function describeDb(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const subcommand = (description: Description) =>
    withOutputOptions(withPlaceOptions(describeCommand(command, description)));

  subcommand({
    usage: 'status',
    summary: 'Say which schema the database has, and what is missing',
    notes: `Nothing is changed, and servers may run. The command ends with status 0 when the database is up to date, with 1 when it
is not or cannot be read, and with 2 when a setting is wrong.`,
    examples: [
      'lazuli db status --data-dir ./lazuli-data -o table',
      'lazuli db status --database-url postgresql://db.example.org/lazuli --query version',
    ],
  }).action(async (options: DatabasePlace & OutputOptions) => {
    const print = printer(options, surroundings, columns);
    const { readDatabaseStatus, databaseName } = await import('@lazuli/server');
    const settings = await settingsOfPlace(options, surroundings);
    const status = await explained(() => readDatabaseStatus(settings));
    print(statusShown(status, databaseName(settings)));
    if (status.refusal !== undefined) throw new CommandError(1, status.refusal);
    if (status.missing.length === 0) return;
    output.remark('A server brings it up to date when it starts; so does `lazuli db upgrade`.');
    throw new EndWithStatus(1);
  });

  describeBackup(command, surroundings);
  subcommand({
    usage: 'upgrade [uri]',
    summary: 'Bring the database up to date; as with MLflow, a URI may name it',
    notes: `Applies what \`lazuli db status\` calls missing, and makes the database's tables where there are none. There is no way
back, so make a backup first. On PostgreSQL servers may run meanwhile; on SQLite none may.`,
    examples: ['lazuli db upgrade --data-dir ./lazuli-data', 'lazuli db upgrade postgresql://db.example.org/lazuli'],
  }).action(async (uri: string | undefined, given: DatabasePlace & OutputOptions) => {
    const print = printer(given, surroundings, { Version: 'version', Applied: 'name' });
    const options = uri === undefined ? given : { ...given, backendStoreUri: uri };
    const { upgradeDatabase, databaseName } = await import('@lazuli/server');
    const settings = await settingsOfPlace(options, surroundings);
    const applied = await explained(() => upgradeDatabase(settings));
    print(applied);
    output.remark(`${databaseName(settings)} ${applied.length === 0 ? 'was up to date already.' : 'is up to date.'}`);
  });
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new CommandError(1, error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const columns = {
  Engine: 'engine',
  Database: 'database',
  Schema: 'version',
  Newest: 'newest_version',
  Missing: "join(', ', missing[].name)",
};

function statusShown({ engine, isPresent, version, newest, missing }: DatabaseStatus, database: string) {
  return { engine, database, is_present: isPresent, version: version ?? null, newest_version: newest, missing };
}
