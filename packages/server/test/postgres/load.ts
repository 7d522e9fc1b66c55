import { setTimeout as sleep } from 'node:timers/promises';
import { MlflowError } from '@lazuli/client';
import { expect } from 'vitest';
import { emptyBooks, work, type Books } from '../crash/logged-work.ts';
import { startProcess, type ServerProcess } from '../crash/server-process.ts';

/** Clients that log through one server and send again what fails, until they are stopped; and what they lived through. */
export interface Load {
  readonly books: Books;
  readonly failures: readonly unknown[];
  /** How long the slowest request took that was answered, or that failed. */
  readonly slowestMs: number;
  /** How long it takes from now until each client has had so many answers. */
  untilEachHas(answers: number): Promise<number>;
  /** Each client ends with the request that it is at, answered or not. */
  stop(): Promise<void>;
}

const pauseMs = 50;

export async function startLoad(server: ServerProcess, name: string, clients = 4): Promise<Load> {
  const { experiment_id } = await server.client.experiments.createExperiment({ name });
  const books = emptyBooks(experiment_id, 'doubtful');
  const failures: unknown[] = [];
  const answers = Array.from({ length: clients }, () => 0);
  let slowestMs = 0;
  let isStopped = false;
  const ended = Promise.all(
    answers.map((_, client) => {
      let sent = performance.now();
      return work(
        server.client,
        books,
        `${name} ${client}`,
        () => (answers[client] = (answers[client] ?? 0) + 1),
        async (after) => {
          slowestMs = Math.max(slowestMs, performance.now() - sent);
          if (after !== 'answer') {
            failures.push(after.failure);
            // Nobody sends again what was refused for good.
            if (!isUnavailable(after.failure)) isStopped = true;
            if (!isStopped) await sleep(pauseMs);
          }
          sent = performance.now();
          return !isStopped;
        },
      );
    }),
  );
  return {
    books,
    failures,
    get slowestMs() {
      return slowestMs;
    },
    async untilEachHas(wanted) {
      const start = performance.now();
      const before = [...answers];
      const isDone = (): boolean => answers.every((count, client) => count - (before[client] ?? 0) >= wanted);
      while (!isDone()) {
        if (isStopped) throw new Error('The clients have stopped.', { cause: failures.at(-1) });
        await sleep(5);
      }
      return performance.now() - start;
    },
    async stop() {
      isStopped = true;
      await ended;
    },
  };
}

function isUnavailable(failure: unknown): boolean {
  return failure instanceof MlflowError && failure.errorCode === 'TEMPORARILY_UNAVAILABLE';
}

/** Every failure was one that clients send again. */
export function expectOnlyUnavailable({ failures }: Load): void {
  for (const failure of failures) {
    expect(failure).toBeInstanceOf(MlflowError);
    expect(failure).toMatchObject({ errorCode: 'TEMPORARILY_UNAVAILABLE', status: 503 });
    // It was the server that said so.
    expect((failure as MlflowError).requestId).toBeDefined();
  }
}

/** A server as a user starts it, on this database. */
export function startOn(url: string, dataDir: string): Promise<ServerProcess> {
  return startProcess({ dataDir, flags: ['--database-url', url, '--log-level', 'fatal'] });
}

export interface HealthWatch {
  readonly checks: number;
  readonly slowestMs: number;
  stop(): Promise<void>;
}

/** Asks all the time whether a server lives; any other answer than yes fails `stop`. */
export function watchHealth({ url }: ServerProcess): HealthWatch {
  const stopped = new AbortController();
  let checks = 0;
  let slowestMs = 0;
  const watching = (async () => {
    while (!stopped.signal.aborted) {
      const sent = performance.now();
      const response = await fetch(`${url}/health`);
      expect([response.status, await response.text()]).toEqual([200, 'OK']);
      slowestMs = Math.max(slowestMs, performance.now() - sent);
      checks++;
      await sleep(100);
    }
  })();
  watching.catch(() => undefined);
  return {
    get checks() {
      return checks;
    },
    get slowestMs() {
      return slowestMs;
    },
    async stop() {
      stopped.abort();
      await watching;
    },
  };
}
