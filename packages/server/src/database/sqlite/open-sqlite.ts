import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Engine, Preparation, Transaction } from '../engine.ts';
import { findSchema } from './migrate.ts';
import { createMutex } from '../mutex.ts';
import { checkOrigin } from '../origin.ts';
import { createReaderPool } from './reader-pool.ts';
import { inSnapshot, openSqliteConnection } from './connection.ts';
import { sqliteFailure } from './failure.ts';
import { createSqliteGroups } from './group.ts';
import { kyselyOver } from '../kysely-over.ts';
import { openSqliteWriter, type Durability, type WriterTransaction } from './writer.ts';

export interface SqliteOptions {
  /** The database file. Its folder is made if need be, and belongs to this process alone while the engine is open. */
  readonly path: string;
  /** The module that a reader thread runs: it calls `serveReads` with the reads of every room. */
  readonly readerThread: URL;
}

/**
 * The embedded engine: a connection for quick reads on this thread, the writing one in a thread of its own, and more for
 * reading in reader threads. A mutex orders transactions and groups, because both use the writing connection.
 */
export async function openSqlite({ path, readerThread }: SqliteOptions): Promise<Engine> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = lockFolder(dirname(path));
  try {
    // A connection that writes changes the journal's mode, so whose database it is has to be known before.
    if (existsSync(path)) readOrigin(path);
    const writer = await openSqliteWriter(path);
    const reader = openSqliteConnection(path, 'read');
    const threads = createReaderPool({ path, readerThread });
    const mutex = createMutex();
    const readMutex = createMutex();
    const groups = createSqliteGroups();
    const db = kyselyOver(reader, 'sqlite');

    type Work<T> = (tx: WriterTransaction, onCommit: Transaction['onCommit']) => Promise<T>;

    /** A transaction, and what follows its commit. The mutex must be held. */
    async function commitAlone<T>(durability: Durability, work: Work<T>): Promise<T> {
      const actions: (() => void)[] = [];
      try {
        const result = await writer.transaction(durability, (tx) => work(tx, (action) => actions.push(action)));
        for (const action of actions) action();
        return result;
      } catch (error) {
        throw sqliteFailure(error);
      }
    }

    /** One transaction at a time; what follows its commit runs before the next one begins. */
    function inTransaction<T>(durability: Durability, work: Work<T>): Promise<T> {
      return mutex.run(() => commitAlone(durability, work));
    }

    /** Writes what is prepared and fixes the state that a read will see, with no other write in between. */
    function prepared(preparation: Preparation, fix: () => void | Promise<void>): Promise<void> {
      return mutex.run(async () => {
        await commitAlone('relaxed', (tx, onCommit) => preparation.write(groups.over(tx, onCommit)));
        await fix();
      });
    }

    return {
      db,
      ownership: 'sole',
      snapshot: (work, preparation) =>
        readMutex.run(async () => {
          if (preparation === undefined) return inSnapshot(reader, () => work(db));
          // Mostly nothing is missing, and then a read does not wait for a commit that is under way.
          const whole = await inSnapshot(reader, async () =>
            (await preparation.isMissing(db)) ? undefined : { result: await work(db) },
          );
          if (whole !== undefined) return whole.result;
          return inSnapshot(
            reader,
            () => work(db),
            (fix) => prepared(preparation, fix),
          );
        }),
      run: (read, args, preparation) =>
        threads.run(read, args, preparation === undefined ? undefined : (fix) => prepared(preparation, fix)),
      transaction: (work) =>
        inTransaction('durable', (tx, onCommit) =>
          work({
            db: kyselyOver(tx, 'sqlite'),
            onCommit,
            // Transactions take turns: nobody else writes until the commit.
            locked: (query) => query,
          }),
        ),
      group: (work, { durability = 'durable' } = {}) =>
        inTransaction(durability, (tx, onCommit) => work(groups.over(tx, onCommit))),
      close: () =>
        mutex.run(async () => {
          await threads.close();
          reader.close();
          await writer.close();
          lock.close();
        }),
    };
  } catch (error) {
    lock.close();
    throw cannotOpenSqlite(path, error);
  }
}

/** SQLite's own words do not say which file they are about. */
export function cannotOpenSqlite(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error;
  return new Error(`The database ${path} cannot be opened: ${error.message}.`, { cause: error });
}

function readOrigin(path: string): void {
  const connection = openSqliteConnection(path, 'read');
  try {
    checkOrigin(findSchema(connection));
  } finally {
    connection.close();
  }
}

/**
 * Holds a folder for this process through an exclusive lock on a small database in it. The operating system lets go of it
 * when the process ends, however it ends; a file with a process id would not survive a container's restart.
 */
export function lockFolder(folder: string): { close(): void } {
  const lock = new DatabaseSync(join(folder, 'lazuli.lock'), { timeout: 0 });
  try {
    lock.exec('pragma journal_mode = delete; begin exclusive');
    return lock;
  } catch (error) {
    lock.close();
    if ((error as { errcode?: unknown }).errcode !== 5) throw error;
    throw new Error(
      `Another Lazuli process uses the data directory ${folder}: stop it first, or give this one a directory of its own with --data-dir.`,
      { cause: error },
    );
  }
}
