import { Worker } from 'node:worker_threads';
import type { ColumnValue, GroupOptions, Row } from '../engine.ts';
import type { StatementResult } from '../kysely-over.ts';

/**
 * The writing connection, in a thread of its own: a commit waits for the disk, and while it does the event loop takes the
 * requests of the next group. What a transaction writes is sent along with its next question, or with its commit, so a
 * group that asks nothing costs one message there and one back.
 *
 * Transactions must come one after the other; the engine's mutex sees to it.
 */
export interface SqliteWriter {
  transaction<T>(durability: Durability, work: (tx: WriterTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export type Durability = NonNullable<GroupOptions['durability']>;

export interface WriterTransaction {
  /** Writes rows with one statement, at the latest with the commit. Blobs change hands. */
  write(step: WriteStep, blobs?: readonly ArrayBuffer[]): void;
  query(sql: string, parameters: readonly unknown[]): Promise<StatementResult>;
  /** The first row for each key. */
  each(sql: string, keys: readonly (readonly ColumnValue[])[]): Promise<(Row | undefined)[]>;
}

export interface WriteStep {
  readonly sql: string;
  readonly rows: readonly (readonly ColumnValue[])[];
}

export interface WriterRequest {
  readonly id: number;
  /** Begins a transaction first. */
  readonly begin?: Durability;
  readonly steps: readonly WriteStep[];
  readonly last:
    | { readonly kind: 'commit' | 'rollback' }
    | { readonly kind: 'query'; readonly sql: string; readonly parameters: readonly unknown[] }
    | { readonly kind: 'each'; readonly sql: string; readonly keys: readonly (readonly ColumnValue[])[] };
}

export interface WriterAnswer {
  readonly id: number;
  readonly rows: (Row | undefined)[];
  readonly changes: number;
}

export type WriterResponse = WriterAnswer | { readonly id: number; readonly failure: WriterFailure };

/** An error as it crosses threads, with SQLite's code where it has one. */
export interface WriterFailure {
  readonly message: string;
  readonly errcode?: number;
}

/** The thread says with this id that the database is open. */
export const openedId = 0;

interface Waiting {
  readonly resolve: (answer: WriterAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export async function openSqliteWriter(path: string): Promise<SqliteWriter> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./writer-thread.${extension}`, import.meta.url), { workerData: { path } });
  const waiting = new Map<number, Waiting>();
  let nextId = openedId + 1;
  let closing = false;

  worker.on('message', (response: WriterResponse) => {
    const request = waiting.get(response.id);
    waiting.delete(response.id);
    // A thread without work must not keep the process alive.
    if (waiting.size === 0) worker.unref();
    if ('failure' in response) request?.reject(asError(response.failure));
    else request?.resolve(response);
  });
  // What the thread throws outside of a request: while it opens, the opening fails with it, and later the process ends.
  worker.on('error', (error) => {
    waiting.get(openedId)?.reject(error);
    if (!waiting.delete(openedId)) throw error;
    closing = true;
  });
  worker.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`The writer thread ended with code ${code}.`));
    waiting.clear();
    // Nothing can be stored any more: better that the process ends and is started again.
    if (!closing) throw new Error(`The writer thread ended with code ${code}.`);
  });

  function wait(id: number): Promise<WriterAnswer> {
    worker.ref();
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  }

  try {
    await wait(openedId);
  } catch (error) {
    closing = true;
    await worker.terminate();
    throw error;
  }

  return {
    async transaction(durability, work) {
      const pending = { hasBegun: false, steps: [] as WriteStep[], blobs: [] as ArrayBuffer[] };
      const send = (last: WriterRequest['last']): Promise<WriterAnswer> => {
        const { hasBegun, steps, blobs } = pending;
        Object.assign(pending, { hasBegun: true, steps: [], blobs: [] });
        const request: WriterRequest = { id: nextId++, ...(hasBegun ? {} : { begin: durability }), steps, last };
        worker.postMessage(request, blobs);
        return wait(request.id);
      };
      try {
        const result = await work({
          write(step, blobs = []) {
            pending.steps.push(step);
            pending.blobs.push(...blobs);
          },
          query: async (sql, parameters) => {
            const { rows, changes } = await send({ kind: 'query', sql, parameters });
            return { rows: rows as Row[], changes };
          },
          each: async (sql, keys) => (await send({ kind: 'each', sql, keys })).rows,
        });
        // Where nothing was asked and nothing is to be written there is nothing to commit.
        if (pending.hasBegun || pending.steps.length > 0) await send({ kind: 'commit' });
        return result;
      } catch (error) {
        Object.assign(pending, { steps: [], blobs: [] });
        // The first failure is the one to tell; a rollback that fails as well means that the thread is gone.
        if (pending.hasBegun) await send({ kind: 'rollback' }).catch(() => undefined);
        throw error;
      }
    },
    async close() {
      closing = true;
      worker.ref();
      const ended = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
      // Asked to, it closes the database, which folds the log into it; terminated, it would leave that to the next start.
      worker.postMessage('close');
      await ended;
    },
  };
}

function asError({ message, errcode }: WriterFailure): Error {
  return errcode === undefined ? new Error(message) : Object.assign(new Error(message), { errcode });
}
