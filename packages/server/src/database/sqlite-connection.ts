import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type QueryResult,
} from 'kysely';
import { exactInt64, MlflowError } from '@lazuli/contract';
import type { Row } from './engine.ts';
import type { Tables } from './schema.ts';

/**
 * One SQLite connection: prepared statements by their text, and Kysely on top of it.
 *
 * Integers come back as numbers. A row that holds one which a double cannot express makes node:sqlite refuse; the
 * statement then runs once more with bigints, so only those rare rows pay for them.
 */
export interface SqliteConnection {
  readonly raw: DatabaseSync;
  readonly db: Kysely<Tables>;
  readonly all: (sql: string, parameters: readonly unknown[]) => Row[];
  readonly prepare: (sql: string) => StatementSync;
  close(): void;
}

/** Milliseconds that a statement waits for another connection's lock; the writer's own lock is never contended. */
const busyTimeoutMs = 5_000;
const cachedStatements = 500;

export function openSqliteConnection(path: string, mode: 'write' | 'read'): SqliteConnection {
  const raw = new DatabaseSync(path, { readOnly: mode === 'read', timeout: busyTimeoutMs });
  // *MLflow: LIKE compares case*; SQLite's LIKE folds it unless told otherwise.
  raw.exec('pragma case_sensitive_like = on; pragma temp_store = memory; pragma cache_size = -32768');
  if (mode === 'write') {
    // FULL: a commit returns after fdatasync. The log is folded into the database every 16 MB.
    raw.exec(`pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
      pragma wal_autocheckpoint = 4096; pragma journal_size_limit = 67108864`);
  }
  const statements = new Map<string, StatementSync>();

  function prepare(sql: string): StatementSync {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = raw.prepare(sql);
      if (statements.size >= cachedStatements) {
        const oldest = statements.keys().next();
        if (!oldest.done) statements.delete(oldest.value);
      }
      statements.set(sql, statement);
    }
    return statement;
  }

  const connection: SqliteConnection = {
    raw,
    prepare,
    all: (sql, parameters) => selectAll(prepare(sql), parameters as SQLInputValue[]),
    db: new Kysely<Tables>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createIntrospector: (db) => new SqliteIntrospector(db),
        createQueryCompiler: () => new SqliteQueryCompiler(),
        createDriver: () => ({
          init: async () => {},
          acquireConnection: () => Promise.resolve(kyselyConnection),
          releaseConnection: async () => {},
          // Transactions are the engine's: it orders them and runs what follows a commit.
          beginTransaction: refuseTransaction,
          commitTransaction: refuseTransaction,
          rollbackTransaction: refuseTransaction,
          destroy: async () => {},
        }),
      },
    }),
    close() {
      statements.clear();
      raw.close();
    },
  };

  const kyselyConnection = {
    executeQuery: <R>(query: CompiledQuery): Promise<QueryResult<R>> =>
      Promise.try(() => runQuery(prepare(query.sql), query.parameters as SQLInputValue[]) as QueryResult<R>),
    // eslint-disable-next-line require-yield -- Kysely asks for a generator
    async *streamQuery(): AsyncGenerator<never> {
      throw new TypeError('Page by key instead of streaming: a stream holds a read transaction open.');
    },
  };
  return connection;
}

/** Lets all queries of `work` see one state of the database. The connection must not be used for anything else meanwhile. */
export async function inSnapshot<T>(connection: SqliteConnection, work: () => Promise<T>): Promise<T> {
  connection.prepare('begin').run();
  try {
    return await work();
  } finally {
    connection.prepare('commit').run();
  }
}

async function refuseTransaction(): Promise<never> {
  throw new TypeError('Use Engine.transaction instead of Kysely transactions.');
}

function runQuery(statement: StatementSync, parameters: SQLInputValue[]): QueryResult<unknown> {
  if (statement.columns().length > 0) return { rows: selectAll(statement, parameters) };
  const { changes } = statement.run(...parameters);
  return { rows: [], numAffectedRows: BigInt(changes) };
}

function selectAll(statement: StatementSync, parameters: SQLInputValue[]): Row[] {
  try {
    return statement.all(...parameters);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_OUT_OF_RANGE') throw error;
    statement.setReadBigInts(true);
    try {
      return statement.all(...parameters).map(withExactIntegers);
    } finally {
      statement.setReadBigInts(false);
    }
  }
}

function withExactIntegers(row: Record<string, unknown>): Row {
  const narrowed: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(row)) {
    narrowed[column] = typeof value === 'bigint' ? exactInt64(value) : value;
  }
  return narrowed as Row;
}

/** SQLite's primary result codes for a database that cannot be written at the moment: busy, I/O error, disk full. */
const passingCodes = new Set([5, 10, 13]);

/** A failure of the engine as clients should see it: what may pass is 503, which they retry. */
export function sqliteFailure(error: unknown): unknown {
  const errcode = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof errcode !== 'number' || !passingCodes.has(errcode & 0xff)) return error;
  const reason = (errcode & 0xff) === 13 ? 'the disk is full' : 'the database cannot be written';
  return new MlflowError('TEMPORARILY_UNAVAILABLE', `Nothing was stored: ${reason}. Try again later.`, {
    cause: error,
  });
}
