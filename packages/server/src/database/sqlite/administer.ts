import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { databaseStatus, type DatabaseStatus, type SchemaStep } from '../database-status.ts';
import type { FoundSchema } from '../origin.ts';
import { openSqliteConnection } from './connection.ts';
import { findSchema, migrate } from './migrate.ts';
import { cannotOpenSqlite, lockFolder } from './open-sqlite.ts';

/** Looks at a database file, also beside a server that uses it, and leaves it and its folder as they are. */
export function readSqliteStatus(path: string): DatabaseStatus {
  try {
    return databaseStatus('SQLite', existsSync(path) ? findInFile(path) : undefined);
  } catch (error) {
    throw cannotOpenSqlite(path, error);
  }
}

/** Brings a database file to this program's schema, and makes it where there is none; tells which steps that took. */
export function upgradeSqlite(path: string): readonly SchemaStep[] {
  // Another program's file is refused before anything is made beside it.
  const { refusal } = readSqliteStatus(path);
  if (refusal !== undefined) throw new Error(refusal);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = lockFolder(dirname(path));
  try {
    const connection = openSqliteConnection(path, 'write');
    try {
      return migrate(connection);
    } finally {
      connection.close();
    }
  } catch (error) {
    throw cannotOpenSqlite(path, error);
  } finally {
    lock.close();
  }
}

function findInFile(path: string): FoundSchema {
  const url = pathToFileURL(path);
  // *SQLite: even who only reads makes the files of a write-ahead log, unless the database is said not to change.*
  if (!existsSync(`${path}-wal`)) url.searchParams.set('immutable', '1');
  const database = new DatabaseSync(url, { readOnly: true });
  try {
    return findSchema({ all: (sql) => database.prepare(sql).all() });
  } finally {
    database.close();
  }
}
