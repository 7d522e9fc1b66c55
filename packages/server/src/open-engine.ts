import type { DatabaseStatus, SchemaStep } from './database/database-status.ts';
import type { Engine } from './database/engine.ts';
import type { PostgresPoolOptions } from './database/postgres/pool.ts';
import { readSqliteStatus, upgradeSqlite } from './database/sqlite/administer.ts';
import { openSqlite } from './database/sqlite/open-sqlite.ts';
import type { Settings } from './settings/parse-settings.ts';

/** The engine that the settings name, and what can be done with its database without a server. */
/** What the database is, whether or not servers use it; changes nothing. */
export async function readDatabaseStatus(settings: Settings): Promise<DatabaseStatus> {
  const { database } = settings;
  if (database.kind === 'sqlite') return readSqliteStatus(database.path);
  const { readPostgresStatus } = await import('./database/postgres/administer.ts');
  return readPostgresStatus(poolOptions(database, settings));
}

/** Brings the database to this program's schema, as a server does when it starts; gives the steps that were missing. */
export async function upgradeDatabase(settings: Settings): Promise<readonly SchemaStep[]> {
  const { database } = settings;
  if (database.kind === 'sqlite') return upgradeSqlite(database.path);
  const { upgradePostgres } = await import('./database/postgres/administer.ts');
  return upgradePostgres(poolOptions(database, settings));
}

export async function openEngine(settings: Settings): Promise<Engine> {
  const { database } = settings;
  if (database.kind === 'postgres') {
    // The driver is loaded by those who use it.
    const { openPostgres } = await import('./database/postgres/open-postgres.ts');
    return openPostgres(poolOptions(database, settings));
  }
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return openSqlite({
    path: database.path,
    readerThread: new URL(`./reader-thread.${extension}`, import.meta.url),
  });
}

function poolOptions(
  { url }: { readonly url: string },
  { databasePoolSize, databasePreparedStatements }: Settings,
): PostgresPoolOptions {
  return { url, size: databasePoolSize, preparedStatements: databasePreparedStatements };
}
