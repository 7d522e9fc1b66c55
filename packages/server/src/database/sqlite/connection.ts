import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
// The writer thread starts with every server, so it loads the little that it needs of the contract.
import { exactInt64 } from '@lazuli/contract/int64';
import type { Row } from '../engine.ts';
import type { StatementResult } from '../kysely-over.ts';

/**
 * One SQLite connection with its prepared statements, found by their text.
 *
 * Integers come back as numbers. A row that holds one which a double cannot express makes node:sqlite refuse; the
 * statement then runs once more with bigints, so only those rare rows pay for them.
 */
export interface SqliteConnection {
  readonly raw: DatabaseSync;
  readonly prepare: (sql: string) => StatementSync;
  readonly all: (sql: string, parameters: readonly unknown[]) => Row[];
  /** Runs any statement: what it selects or returns, and how many rows it changed. */
  readonly query: (sql: string, parameters: readonly unknown[]) => StatementResult;
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
    // FULL: a commit returns after its sync. The log is folded into the database every 16 MB.
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

  return {
    raw,
    prepare,
    all: (sql, parameters) => selectAll(prepare(sql), parameters as SQLInputValue[]),
    query(sql, parameters) {
      const statement = prepare(sql);
      if (statement.columns().length > 0) {
        return { rows: selectAll(statement, parameters as SQLInputValue[]), changes: 0 };
      }
      return { rows: [], changes: Number(statement.run(...(parameters as SQLInputValue[])).changes) };
    },
    close() {
      statements.clear();
      raw.close();
    },
  };
}

/**
 * Lets all queries of `work` see one state of the database: that of when `hold` calls back, or of the first query. The
 * connection must not be used for anything else meanwhile.
 */
export async function inSnapshot<T>(
  connection: SqliteConnection,
  work: () => Promise<T>,
  hold?: (fix: () => void) => Promise<void>,
): Promise<T> {
  if (hold === undefined) connection.prepare('begin').run();
  else await hold(() => fixSnapshot(connection));
  try {
    return await work();
  } finally {
    endSnapshot(connection);
  }
}

/** *SQLite: a transaction sees the state of its first read, not of its `begin`.* */
export function fixSnapshot({ prepare }: SqliteConnection): void {
  prepare('begin').run();
  prepare('select 1 from schema_versions limit 1').get();
}

export function endSnapshot({ prepare }: SqliteConnection): void {
  prepare('commit').run();
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
