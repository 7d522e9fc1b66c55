import { Worker } from 'node:worker_threads';
import { MlflowError, type ErrorCode } from '@lazuli/contract';
import type { Read } from '../engine.ts';

/**
 * Reader threads: each has its own read-only connection, so whatever scans leaves the event loop free. They start when the
 * first reads come; a thread has one read at a time, and reads wait for a free one in the order of arrival.
 */
export interface ReaderPool {
  /** `hold` is called when a thread is free; where its callback has settled, the state that the read sees is fixed. */
  run<Args, Result>(
    read: Read<Args, Result>,
    args: Args,
    hold?: (fix: () => Promise<void>) => Promise<void>,
  ): Promise<Result>;
  close(): Promise<void>;
}

export type ReadRequest =
  | { readonly id: number; readonly kind: 'fix' }
  | { readonly id: number; readonly kind: 'forget' }
  | { readonly id: number; readonly kind: 'read'; readonly name: string; readonly args: unknown };

export type ReadResponse =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly refusal: { readonly errorCode: ErrorCode; readonly message: string } }
  | { readonly id: number; readonly failure: unknown };

const threadCount = 2;

interface Thread {
  readonly worker: Worker;
  /** What it is asked at the moment: one thing at a time. */
  asked: { readonly resolve: (result: unknown) => void; readonly reject: (error: unknown) => void } | undefined;
  hasEnded: boolean;
}

/** A request without its number, which the pool gives. */
type Question = ReadRequest extends infer Request ? (Request extends unknown ? Omit<Request, 'id'> : never) : never;

export function createReaderPool({ path, readerThread }: { path: string; readerThread: URL }): ReaderPool {
  const threads: Thread[] = [];
  const free: Thread[] = [];
  const waiting: ((thread: Thread) => void)[] = [];
  let nextId = 0;
  let closed = false;

  function start(): Thread {
    const worker = new Worker(readerThread, { workerData: { path } });
    // A thread without work must not keep the process alive.
    worker.unref();
    const thread: Thread = { worker, asked: undefined, hasEnded: false };
    worker.on('message', (response: ReadResponse) => {
      const { asked } = thread;
      thread.asked = undefined;
      worker.unref();
      if ('result' in response) asked?.resolve(response.result);
      else if ('refusal' in response)
        asked?.reject(new MlflowError(response.refusal.errorCode, response.refusal.message));
      else asked?.reject(response.failure);
    });
    const fail = (error: unknown): void => {
      thread.hasEnded = true;
      for (const list of [threads, free]) {
        const index = list.indexOf(thread);
        if (index >= 0) list.splice(index, 1);
      }
      thread.asked?.reject(error);
      thread.asked = undefined;
    };
    worker.on('error', fail);
    worker.on('exit', () => fail(new Error('A reader thread ended.')));
    threads.push(thread);
    return thread;
  }

  async function take(): Promise<Thread> {
    const idle = free.pop();
    if (idle !== undefined) return idle;
    if (threads.length < threadCount) return start();
    return new Promise((resolve) => waiting.push(resolve));
  }

  function giveBack(thread: Thread): void {
    const next = waiting.shift();
    // Whoever waits for a thread that has ended gets a new one in its place.
    if (next !== undefined) next(thread.hasEnded ? start() : thread);
    else if (!thread.hasEnded) free.push(thread);
  }

  function ask(thread: Thread, question: Question): Promise<unknown> {
    if (closed) return Promise.reject(new MlflowError('TEMPORARILY_UNAVAILABLE', 'The server is stopping.'));
    return new Promise((resolve, reject) => {
      thread.asked = { resolve, reject };
      thread.worker.ref();
      thread.worker.postMessage({ id: nextId++, ...question } satisfies ReadRequest);
    });
  }

  async function fixed(thread: Thread, hold: (fix: () => Promise<void>) => Promise<void>): Promise<void> {
    const state = { isFixed: false };
    try {
      await hold(async () => {
        await ask(thread, { kind: 'fix' });
        state.isFixed = true;
      });
    } catch (error) {
      if (state.isFixed) await ask(thread, { kind: 'forget' });
      throw error;
    }
  }

  return {
    async run<Args, Result>(
      { name }: Read<Args, Result>,
      args: Args,
      hold?: (fix: () => Promise<void>) => Promise<void>,
    ) {
      const thread = await take();
      try {
        if (hold !== undefined) await fixed(thread, hold);
        return (await ask(thread, { kind: 'read', name, args })) as Result;
      } finally {
        giveBack(thread);
      }
    },
    async close() {
      closed = true;
      await Promise.all(threads.map((thread) => thread.worker.terminate()));
    },
  };
}
