import { Worker } from 'node:worker_threads';
import { MlflowError, type ErrorCode } from '@lazuli/contract';
import type { Read } from '../engine.ts';

/**
 * Reader threads: each has its own read-only connection, so whatever scans leaves the event loop free. They start when the
 * first read comes and take turns by the shortest queue.
 */
export interface ReaderPool {
  run<Args, Result>(read: Read<Args, Result>, args: Args): Promise<Result>;
  close(): Promise<void>;
}

export interface ReadRequest {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
}

export type ReadResponse =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly refusal: { readonly errorCode: ErrorCode; readonly message: string } }
  | { readonly id: number; readonly failure: unknown };

const threadCount = 2;

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve: (result: unknown) => void; reject: (error: unknown) => void }>;
}

export function createReaderPool({ path, readerThread }: { path: string; readerThread: URL }): ReaderPool {
  const threads: Thread[] = [];
  let nextId = 0;
  let closed = false;

  function start(): Thread {
    const worker = new Worker(readerThread, { workerData: { path } });
    // A thread without work must not keep the process alive.
    worker.unref();
    const thread: Thread = { worker, waiting: new Map() };
    worker.on('message', (response: ReadResponse) => {
      const read = thread.waiting.get(response.id);
      thread.waiting.delete(response.id);
      if (thread.waiting.size === 0) worker.unref();
      if (read === undefined) return;
      if ('result' in response) read.resolve(response.result);
      else if ('refusal' in response)
        read.reject(new MlflowError(response.refusal.errorCode, response.refusal.message));
      else read.reject(response.failure);
    });
    const fail = (error: unknown): void => {
      const index = threads.indexOf(thread);
      if (index >= 0) threads.splice(index, 1);
      for (const { reject } of thread.waiting.values()) reject(error);
      thread.waiting.clear();
    };
    worker.on('error', fail);
    worker.on('exit', () => fail(new Error('A reader thread ended.')));
    threads.push(thread);
    return thread;
  }

  function leastBusy(): Thread {
    const idle = threads.find((thread) => thread.waiting.size === 0);
    if (idle !== undefined) return idle;
    if (threads.length < threadCount) return start();
    return threads.reduce((best, thread) => (thread.waiting.size < best.waiting.size ? thread : best));
  }

  return {
    run<Args, Result>(read: Read<Args, Result>, args: Args) {
      if (closed) return Promise.reject(new MlflowError('TEMPORARILY_UNAVAILABLE', 'The server is stopping.'));
      const thread = leastBusy();
      const id = nextId++;
      return new Promise<Result>((resolve, reject) => {
        thread.waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
        thread.worker.ref();
        thread.worker.postMessage({ id, name: read.name, args } satisfies ReadRequest);
      });
    },
    async close() {
      closed = true;
      await Promise.all(threads.map((thread) => thread.worker.terminate()));
    },
  };
}
