import { existsSync } from 'node:fs';
import type { Client } from '@lazuli/client';
import type { Settings } from '@lazuli/server';
import type { Command } from 'commander';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Where a command does its work: on a running server by its API, or in a data directory on which no server runs. The latter
 * is how the first Owner comes to be, before a server that asks for credentials can be called.
 */
export interface PlaceOptions {
  readonly url?: string;
  readonly dataDir?: string;
  readonly backendStoreUri?: string;
  readonly databaseUrl?: string;
  readonly config?: string;
}

/** What a command needs of either place. */
export interface Place<Part> {
  /** Whether a database that is not there is made, or is a mistake. */
  readonly database: 'make' | 'read';
  readonly ofServer: (client: Client) => Part;
  readonly ofDatabase: (settings: Settings) => Promise<Part & { close(): Promise<void> }>;
}

const defaultUrl = 'http://127.0.0.1:5000';

export function takePlace(command: Command): Command {
  return command
    .option('--url <url>', `a running server (LAZULI_URL, MLFLOW_TRACKING_URI; default: ${defaultUrl})`)
    .option('--data-dir <folder>', 'the data directory of a server that does not run')
    .option('--backend-store-uri <uri>', 'its database, where that lies elsewhere')
    .option('--database-url <url>', 'its PostgreSQL database; servers on it may run')
    .option('--config <file>', 'its file of settings');
}

export async function withPlace<Part, Result>(
  options: PlaceOptions,
  surroundings: Surroundings,
  place: Place<Part>,
  work: (part: Part) => Promise<Result>,
): Promise<Result> {
  const offline = options.dataDir ?? options.backendStoreUri ?? options.databaseUrl ?? options.config;
  if (offline !== undefined && options.url !== undefined) {
    throw new CommandError(2, 'Either --url for a running server, or --data-dir for one that does not run.');
  }
  try {
    if (offline === undefined) return await work(place.ofServer(await clientOf(options, surroundings)));
    const part = await openDatabase(options, surroundings, place);
    try {
      return await work(part);
    } finally {
      await part.close();
    }
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error)) throw error;
    const refused = 'status' in error && error.status === 401;
    const hint = refused ? ' Put the token of an Owner of this server into LAZULI_TOKEN.' : '';
    throw new CommandError(1, `${error.message}${hint}`, { cause: error });
  }
}

export function serverUrl({ url: option }: Pick<PlaceOptions, 'url'>, { env }: Surroundings): string {
  const tracked = env['MLFLOW_TRACKING_URI'] ?? '';
  // A shell that has been set up for azureml:// names no server of ours by it.
  const url = option ?? (env['LAZULI_URL'] || (tracked.startsWith('azureml:') ? '' : tracked) || defaultUrl);
  if (!/^https?:\/\//.test(url))
    throw new CommandError(2, `${JSON.stringify(url)} is no URL of a server; give one with --url.`);
  return url;
}

export async function clientOf(
  options: Pick<PlaceOptions, 'url'>,
  surroundings: Surroundings,
  workspace?: string,
): Promise<Client> {
  const url = serverUrl(options, surroundings);
  const { env } = surroundings;
  const token = env['LAZULI_TOKEN'] || env['MLFLOW_TRACKING_TOKEN'];
  const { createClient } = await import('@lazuli/client');
  return createClient({
    url,
    ...(token === undefined ? {} : { token }),
    ...(workspace === undefined ? {} : { workspace }),
  });
}

async function openDatabase<Part>(
  { dataDir, backendStoreUri, databaseUrl, config }: PlaceOptions,
  surroundings: Surroundings,
  { database, ofDatabase }: Place<Part>,
): Promise<Part & { close(): Promise<void> }> {
  const { checkSettings } = await import('./commands/serve.ts');
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
  const { database: location } = settings;
  if (database === 'read' && location.kind === 'sqlite' && !existsSync(location.path)) {
    throw new CommandError(1, `There is no database at ${location.path}.`);
  }
  return ofDatabase(settings).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const hint = 'If a server runs there, leave out --data-dir: then --url names it, and its API does the work.';
    throw new CommandError(1, `${message}\n${hint}`, { cause: error });
  });
}
