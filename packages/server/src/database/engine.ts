import type { Kysely } from 'kysely';
import type { Int64 } from '@lazuli/contract';
import type { Tables } from './schema.ts';

/**
 * What the two engines do differently, as verbs. Everything above this room speaks to an `Engine` and never asks which one
 * it is.
 *
 * Three ways in:
 * - `db`, `snapshot` and `run` read. `run` is for whatever may scan: on SQLite it happens in a reader thread.
 * - `transaction` changes things, one transaction after another, with the rows that it reads locked.
 * - `group` is for the logging verbs: many requests share one commit (commit-queue.ts).
 */
export interface Engine {
  readonly db: Db;
  /** A quick read of several queries that see one state of the database. */
  snapshot<T>(work: (db: Db) => Promise<T>): Promise<T>;
  run<Args, Result>(read: Read<Args, Result>, args: Args): Promise<Result>;
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** `relaxed` answers before the commit is on disk: only for rows that can be rebuilt from durable ones. */
  group<T>(work: (tx: GroupTransaction) => Promise<T>, durability?: 'durable' | 'relaxed'): Promise<T>;
  close(): Promise<void>;
}

/** A handle that stores take as their first argument: a connection, or a transaction that they take part in. */
export type Db = Kysely<Tables>;

export interface Transaction {
  readonly db: Db;
  /**
   * Runs after the commit and before the next transaction begins, so that no later write decides on a cache that this one
   * made stale. Not run when the transaction fails.
   */
  readonly onCommit: (action: () => void) => void;
}

/** A read that may take long. It is found by its name in a reader thread, so arguments and result are plain data. */
export interface Read<Args, Result> {
  readonly name: string;
  run(db: Db, args: Args): Promise<Result>;
}

export type ColumnValue = string | Int64 | Uint8Array | null;

/** A set of rows to write with one statement, or with one prepared statement in a loop: that is the engine's choice. */
export interface SetWrite {
  readonly table: keyof Tables;
  readonly columns: Readonly<Record<string, 'int64' | 'double' | 'text' | 'blob'>>;
  /** What to do with a row whose key is there: nothing, or replace the columns named (where `newer` holds, if given). */
  readonly conflict?: {
    readonly key: readonly string[];
    readonly replace?: readonly string[];
    /** Replace only where the new row is greater by these columns, compared in order. */
    readonly newerBy?: readonly string[];
  };
}

/** Columns to set on rows found by key, for many rows at once. */
export interface SetUpdate {
  readonly table: keyof Tables;
  readonly by: Readonly<Record<string, 'int64' | 'text'>>;
  readonly set: Readonly<Record<string, 'int64' | 'double' | 'text'>>;
}

/** Rows to remove by key, many at once. */
export interface SetRemove {
  readonly table: keyof Tables;
  readonly by: Readonly<Record<string, 'int64' | 'text'>>;
}

/** A select of rows by key, for many keys at once. */
export interface SetSelect {
  readonly table: keyof Tables;
  readonly by: Readonly<Record<string, 'int64' | 'text'>>;
  readonly columns: readonly string[];
}

/** The transaction that a group of logging requests shares. */
export interface GroupTransaction {
  /** For each key the row that it names, or undefined. */
  select(statement: SetSelect, keys: readonly (readonly ColumnValue[])[]): Promise<(Row | undefined)[]>;
  write(statement: SetWrite, rows: readonly (readonly ColumnValue[])[]): Promise<void>;
  /** Each row holds the key's columns, then the new values. */
  update(statement: SetUpdate, rows: readonly (readonly ColumnValue[])[]): Promise<void>;
  remove(statement: SetRemove, keys: readonly (readonly ColumnValue[])[]): Promise<void>;
  /** The next `count` values of a table's identity column, never given out before. */
  allocate(table: 'runs' | 'metric_keys' | 'datasets', count: number): Promise<number[]>;
  readonly onCommit: (action: () => void) => void;
}

export type Row = Readonly<Record<string, ColumnValue>>;
