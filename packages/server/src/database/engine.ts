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
  /**
   * 'sole': only this process writes, so what it remembers of the database is so. 'shared': other processes write to it as
   * well, and what is remembered is a guess.
   */
  readonly ownership: 'sole' | 'shared';
  /** A quick read of several queries that see one state of the database. */
  snapshot<T>(work: (db: Db) => Promise<T>, preparation?: Preparation): Promise<T>;
  run<Args, Result>(read: Read<Args, Result>, args: Args, preparation?: Preparation): Promise<Result>;
  /** `work` runs again where it lost a race against another transaction; it must change nothing but the database. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Throws `Outdated` where something that the group remembered and required is no longer so. */
  group<T>(work: (tx: GroupTransaction) => Promise<T>, options?: GroupOptions): Promise<T>;
  close(): Promise<void>;
}

export interface GroupOptions {
  /** `relaxed` answers before the commit is on disk: only for rows that can be rebuilt from durable ones. */
  readonly durability?: 'durable' | 'relaxed';
  /** `ask`: decide on what the database says and not on what is remembered of it. */
  readonly memory?: 'trust' | 'ask';
}

/**
 * What has to be written before a read. Nothing else is written between it and the state that the read sees, so the read
 * finds neither less than was prepared nor half of what came later. It may be lost in a crash, as `relaxed` groups may.
 */
export interface Preparation {
  /** Whether something is missing in the state that a read would see as it is; then the read waits for the writers. */
  isMissing(db: Db): Promise<boolean>;
  write(tx: GroupTransaction): Promise<void>;
}

/** Another process has changed what a group remembered: nothing was written. */
export class Outdated extends Error {}

/** A handle that stores take as their first argument: a connection, or a transaction that they take part in. */
export type Db = Kysely<Tables>;

export interface Transaction {
  readonly db: Db;
  /** Makes a select lock its rows against other writers until the commit. Rows of several keys must come in key order. */
  readonly locked: <Query extends Lockable<Query>>(query: Query) => Query;
  /**
   * Runs after the commit and before the next transaction begins, so that no later write decides on a cache that this one
   * made stale. Not run when the transaction fails.
   */
  readonly onCommit: (action: () => void) => void;
}

export interface Lockable<Query> {
  forNoKeyUpdate(): Query;
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
    /** The row that is there must be equal in these columns; otherwise the group is `Outdated`. */
    readonly equal?: readonly string[];
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
  /** Decisions are made on these rows: a group that asks locks them until its commit, in the order of this column. */
  readonly lockedBy?: string;
}

/** What must be so of rows that are remembered. */
export interface SetRequirement {
  readonly table: keyof Tables;
  readonly by: Readonly<Record<string, 'int64'>>;
  /** Columns and the texts that they must hold. */
  readonly holds: Readonly<Record<string, string>>;
}

/** Texts that get a number the first time that they are seen, and keep it. */
export interface SetIntern {
  readonly table: 'metric_keys';
  readonly identity: string;
  readonly columns: Readonly<Record<string, 'int64' | 'text'>>;
}

/**
 * The transaction that a group of logging requests shares.
 *
 * `memory` tells what a cache is worth in it. 'exact': it is right. 'guess': it was right once; whatever is decided on it
 * must be required, so that the commit fails with `Outdated` where it is wrong, and nothing may be refused because of it.
 * 'none': only what this transaction selects counts.
 */
export interface GroupTransaction {
  readonly memory: 'exact' | 'guess' | 'none';
  /** For each key the row that it names, or undefined. */
  select(statement: SetSelect, keys: readonly (readonly ColumnValue[])[]): Promise<(Row | undefined)[]>;
  /** Rows that must be there, and be so, until the commit. Keys may repeat. */
  require(statement: SetRequirement, keys: readonly (readonly number[])[]): void;
  /** The number of each text; keys must not repeat. */
  intern(statement: SetIntern, keys: readonly (readonly ColumnValue[])[]): Promise<number[]>;
  write(statement: SetWrite, rows: readonly (readonly ColumnValue[])[]): Promise<void>;
  /** Each row holds the key's columns, then the new values. */
  update(statement: SetUpdate, rows: readonly (readonly ColumnValue[])[]): Promise<void>;
  remove(statement: SetRemove, keys: readonly (readonly ColumnValue[])[]): Promise<void>;
  /** The next `count` values of a table's identity column, never given out before. */
  allocate(table: 'runs', count: number): Promise<number[]>;
  readonly onCommit: (action: () => void) => void;
}

export type Row = Readonly<Record<string, ColumnValue>>;
