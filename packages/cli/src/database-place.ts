import type { Settings } from '@lazuli/server';
import type { Command } from 'commander';
import type { Surroundings } from './surroundings.ts';

/** Where a server's data are, for a command that works on them without the server. */
export interface DatabasePlace {
  readonly dataDir?: string;
  readonly backendStoreUri?: string;
  readonly databaseUrl?: string;
  readonly config?: string;
}

export function withPlaceOptions(command: Command): Command {
  return command
    .option('--data-dir <folder>', "the server's data directory")
    .option('--backend-store-uri <uri>', 'its database, where that lies elsewhere')
    .option('--database-url <url>', 'its PostgreSQL database')
    .option('--config <file>', 'its file of settings');
}

/** Those of the settings that tell where the data are; warnings are for those who start a server. */
export async function settingsOfPlace(
  { dataDir, backendStoreUri, databaseUrl, config }: DatabasePlace,
  surroundings: Surroundings,
): Promise<Settings> {
  const { checkSettings } = await import('./commands/serve.ts');
  const flags = {
    'data-dir': dataDir,
    'backend-store-uri': backendStoreUri,
    'database-url': databaseUrl,
    config,
    // Nothing listens here: another address than loopback, or several workers, are no reason to refuse.
    host: '127.0.0.1',
    workers: '1',
  };
  return checkSettings(flags, surroundings);
}
