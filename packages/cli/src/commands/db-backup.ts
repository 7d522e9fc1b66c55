import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandError } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';

interface BackupOptions {
  readonly dataDir?: string;
  readonly backendStoreUri?: string;
  readonly config?: string;
}

/** `lazuli db backup`: a copy of a SQLite database, on which a server may run. */
export function describeBackup(command: Command, surroundings: Surroundings): void {
  command
    .command('backup <file>')
    .description('Copy a SQLite database to a file, while a server runs on it or not')
    .helpOption('--help', 'show this help')
    .option('--data-dir <folder>', 'the data directory (default: ./lazuli-data)')
    .option('--backend-store-uri <uri>', 'the database, where it lies elsewhere')
    .option('--config <file>', 'the file of settings')
    .addHelpText(
      'after',
      `
Artifacts are files; copy them after the database. A PostgreSQL database is backed up with pg_dump.

  lazuli db backup /backups/lazuli-$(date +%F).db --data-dir /var/lib/lazuli
  rsync -a /var/lib/lazuli/artifacts/ /backups/artifacts/`,
    )
    .action(async (file: string, options: BackupOptions) => {
      await backUp(resolve(surroundings.workingDir, file), options, surroundings);
    });
}

async function backUp(target: string, options: BackupOptions, surroundings: Surroundings): Promise<void> {
  const { backUpSqlite } = await import('@lazuli/server');
  const { readSettings } = await import('./serve.ts');
  const { dataDir, backendStoreUri, config } = options;
  // Nothing listens here, so a setting for another address than loopback is no reason to refuse.
  const flags = { 'data-dir': dataDir, 'backend-store-uri': backendStoreUri, config, host: '127.0.0.1', workers: '1' };
  const { database } = readSettings(flags, surroundings);
  if (database.kind === 'postgres') {
    throw new CommandError(
      2,
      'This is a PostgreSQL database: back it up with pg_dump, which a server does not disturb.',
    );
  }
  try {
    const { bytes } = await backUpSqlite(database.path, target);
    surroundings.output.remark(`${database.path} is backed up to ${target}, ${bytes} bytes.`);
  } catch (error) {
    throw new CommandError(1, error instanceof Error ? error.message : String(error), { cause: error });
  }
}
