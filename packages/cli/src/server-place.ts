import { existsSync } from 'node:fs';
import type { Client, ResourceManager } from '@lazuli/client';
import type { Settings } from '@lazuli/server';
import type { Command } from 'commander';
import { connect, connectionOf, defaultUrl, hintForNobody, resourceManagerOf } from './connection.ts';
import { settingsOfPlace, withPlaceOptions, type DatabasePlace } from './database-place.ts';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Where a command does its work: on a running server by its API, or in a data directory on which no server runs. The latter
 * is how the first Owner comes to be, before a server that asks for credentials can be called.
 */
export interface PlaceOptions extends DatabasePlace {
  readonly url?: string;
}

/** The endpoints of a group as functions alone: that is what both places have. */
export type Calls<Group> = {
  readonly [Name in keyof Group]: Group[Name] extends (input: infer Input) => infer Answer
    ? (input: Input) => Answer
    : never;
};

/** What a command needs of either place. */
export interface Place<Part> {
  /** Whether a database that is not there is made, or is a mistake. */
  readonly database: 'make' | 'read';
  readonly ofServer: (server: { readonly client: Client; readonly send: ResourceManager }) => Part;
  readonly ofDatabase: (settings: Settings) => Promise<Part & { close(): Promise<void> }>;
}

export function takePlace(command: Command): Command {
  return withPlaceOptions(
    command.option('--url <url>', `a running server (LAZULI_URL, MLFLOW_TRACKING_URI; default: ${defaultUrl})`),
  );
}

export async function withPlace<Part, Result>(
  options: PlaceOptions,
  surroundings: Surroundings,
  place: Place<Part>,
  work: (part: Part) => Promise<Result>,
): Promise<Result> {
  const offline = isOffline(options);
  if (offline && options.url !== undefined) {
    throw new CommandError(2, 'Either --url for a running server, or --data-dir for one that does not run.');
  }
  try {
    if (!offline) {
      const send = await resourceManagerOf(connectionOf(options, surroundings), surroundings);
      const { client } = await connect(options, surroundings);
      return await work(place.ofServer({ client, send }));
    }
    const part = await openDatabase(options, surroundings, place);
    try {
      return await work(part);
    } finally {
      await part.close();
    }
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error)) throw error;
    const status = 'status' in error ? error.status : undefined;
    const hint =
      status === 401
        ? ' Run lazuli login, or put the token of an Owner of this server into LAZULI_TOKEN.'
        : hintForNobody(error);
    throw new CommandError(status === 404 ? 3 : 1, `${error.message}${hint}`, { cause: error });
  }
}

/** Whether the line names a database. */
export function isOffline({ dataDir, backendStoreUri, databaseUrl, config }: PlaceOptions): boolean {
  return (dataDir ?? backendStoreUri ?? databaseUrl ?? config) !== undefined;
}

async function openDatabase<Part>(
  options: DatabasePlace,
  surroundings: Surroundings,
  { database, ofDatabase }: Place<Part>,
): Promise<Part & { close(): Promise<void> }> {
  const settings = await settingsOfPlace(options, surroundings);
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
