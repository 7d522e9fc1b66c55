import type { DatabaseStatus, SchemaStep } from '@lazuli/server';
import type { Command } from 'commander';
import { CommandError, EndWithStatus, formatTable } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';
import { settingsOfPlace, withPlaceOptions, type DatabasePlace } from '../database-place.ts';
import { describeCommand, type Description } from '../command-help.ts';
import { describeBackup } from './db-backup.ts';

/**
 * `lazuli db`: the schema of a server's database, and a copy of it. A server brings it up to date when it starts; these are for those who
 * want to know before, or who let another user than the server's change tables.
 */
export function describeDb(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const subcommand = (description: Description) => withPlaceOptions(describeCommand(command, description));

  subcommand({
    usage: 'status',
    summary: 'Say which schema the database has, and what is missing',
    notes: `Nothing is changed, and servers may run. The command ends with status 0 when the database is up to date, with 1 when it
is not or cannot be read, and with 2 when a setting is wrong.`,
    examples: [
      'lazuli db status --data-dir ./lazuli-data',
      'lazuli db status --database-url postgresql://db.example.org/lazuli',
    ],
  }).action(async (options: DatabasePlace) => {
    const { readDatabaseStatus, databaseName } = await import('@lazuli/server');
    const settings = await settingsOfPlace(options, surroundings);
    const status = await explained(() => readDatabaseStatus(settings));
    output.result(statusTable(status, databaseName(settings)));
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
  }).action(async (uri: string | undefined, given: DatabasePlace) => {
    const options = uri === undefined ? given : { ...given, backendStoreUri: uri };
    const { upgradeDatabase, databaseName } = await import('@lazuli/server');
    const settings = await settingsOfPlace(options, surroundings);
    const applied = await explained(() => upgradeDatabase(settings));
    for (const step of applied) output.result(`Applied ${describe(step)}`);
    output.result(`${databaseName(settings)} ${applied.length === 0 ? 'was up to date already.' : 'is up to date.'}`);
  });
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new CommandError(1, error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function statusTable({ engine, isPresent, version, newest, missing, refusal }: DatabaseStatus, name: string): string {
  const rows = [
    ['Engine', engine],
    ['Database', isPresent ? name : `${name} (not there yet)`],
  ];
  if (refusal === undefined) {
    rows.push(['Schema', `${version === undefined ? 'none' : `version ${version}`}, newest is version ${newest}`]);
    rows.push(['Missing', missing.length === 0 ? 'nothing' : missing.map(describe).join(', ')]);
  } else if (version !== undefined) {
    rows.push(['Schema', `version ${version}, this Lazuli knows up to version ${newest}`]);
  }
  return formatTable(rows);
}

function describe({ version, name }: SchemaStep): string {
  return `${version} (${name})`;
}
