import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandError } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';
import { describeCommand } from '../command-help.ts';
import { printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import { settingsOfPlace, withPlaceOptions, type DatabasePlace } from '../database-place.ts';

/** `lazuli db backup`: a copy of a SQLite database, on which a server may run. */
export function describeBackup(command: Command, surroundings: Surroundings): void {
  const backup = describeCommand(command, {
    usage: 'backup <file>',
    summary: 'Copy a SQLite database to a file, while a server runs on it or not',
    notes: 'Artifacts are files; copy them after the database. A PostgreSQL database is backed up with pg_dump.',
    examples: [
      'lazuli db backup /backups/lazuli-$(date +%F).db --data-dir /var/lib/lazuli',
      'rsync -a /var/lib/lazuli/artifacts/ /backups/artifacts/',
    ],
  });
  withOutputOptions(withPlaceOptions(backup)).action(async (file: string, options: DatabasePlace & OutputOptions) => {
    const print = printer(options, surroundings);
    print(await backUp(resolve(surroundings.workingDir, file), options, surroundings));
  });
}

async function backUp(target: string, options: DatabasePlace, surroundings: Surroundings) {
  const { backUpSqlite } = await import('@lazuli/server');
  const { database } = await settingsOfPlace(options, surroundings);
  if (database.kind === 'postgres') {
    throw new CommandError(
      2,
      'This is a PostgreSQL database: back it up with pg_dump, which a server does not disturb.',
    );
  }
  try {
    const { bytes } = await backUpSqlite(database.path, target);
    surroundings.output.remark(`${database.path} is backed up to ${target}, ${bytes} bytes.`);
    return { database: database.path, file: target, bytes };
  } catch (error) {
    throw new CommandError(1, error instanceof Error ? error.message : String(error), { cause: error });
  }
}
