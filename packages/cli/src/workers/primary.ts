import cluster, { type Worker } from 'node:cluster';
import type { MetricsSnapshot } from '@lazuli/server';
import type { Output } from '../output.ts';
import { onStopSignal, type StopSignal } from '../stop-signal.ts';
import { createBackoff } from './backoff.ts';
import { closeLostConnections } from './lost-connections.ts';
import type { FromPrimary, FromWorker } from './messages.ts';
import { createQuestions } from './questions.ts';

/**
 * The process that starts the workers and outlives them. It opens no database and answers no request: it accepts
 * connections and hands them to the workers in turn, replaces workers that end, and passes signals on.
 *
 * The first worker starts alone. So whatever is wrong with the settings or the database is told once, and a new
 * database is made once; a command whose first worker does not come to listen ends as that worker did.
 */
export interface WorkersOptions {
  readonly count: number;
  readonly output: Output;
  /** Called once, when all of them take requests. */
  readonly onListening: (urls: readonly string[]) => void;
}

interface WorkerEnd {
  /** In words. */
  readonly end: string;
  readonly code: number | null;
  readonly signal: string | null;
  /** Has another one started in its place; tells in how many milliseconds. */
  readonly replace: () => number;
}

/** How long a scrape waits for a worker that is busy. */
const reportLimitMs = 2_000;
/** How long a worker may take to end when it is asked to end at once. */
const endLimitMs = 1_000;

/** Runs until the last worker has ended; gives the status to end with. */
export async function runWorkers({ count, output, onListening }: WorkersOptions): Promise<number> {
  const ended = Promise.withResolvers<number>();
  const alive = new Set<Worker>();
  /** Those that take requests, and since when. */
  const listening = new Map<Worker, number>();
  const successors = new Set<NodeJS.Timeout>();
  const reports = createQuestions<MetricsSnapshot>(reportLimitMs);
  let phase: 'first' | 'others' | 'all' | 'stopping' = 'first';
  let stopSignal: StopSignal | undefined;
  let status = 0;

  function start(waitAfter: (servedMs: number) => number): void {
    const worker = cluster.fork();
    alive.add(worker);
    closeLostConnections(worker);
    worker.on('message', (message: FromWorker) => onMessage(worker, message));
    const onEnd = (code: number | null, signal: string | null): void => {
      if (!alive.delete(worker)) return;
      const since = listening.get(worker);
      const servedMs = since === undefined ? 0 : performance.now() - since;
      listening.delete(worker);
      const replace = (): number => {
        const waitMs = waitAfter(servedMs);
        const successor = setTimeout(() => {
          successors.delete(successor);
          start(waitAfter);
        }, waitMs);
        successors.add(successor);
        return waitMs;
      };
      onWorkerEnd({ end: endOf(worker, code, signal), code, signal, replace });
    };
    worker.once('exit', onEnd);
    // A process that could not be started has no id and no end; other failures are followed by one.
    worker.on('error', () => {
      if (worker.process.pid === undefined) onEnd(1, null);
    });
  }

  function onMessage(worker: Worker, message: FromWorker): void {
    switch (message.kind) {
      case 'listening':
        listening.set(worker, performance.now());
        onWorkerListening(message.urls);
        break;
      case 'report':
        reports.answer(message.question, message.snapshot);
        break;
      case 'gather':
        void gather(worker).then((snapshots) =>
          send(worker, { kind: 'gathered', question: message.question, snapshots }),
        );
        break;
    }
  }

  function onWorkerListening(urls: readonly string[]): void {
    if (phase === 'first') {
      phase = 'others';
      for (let index = 1; index < count; index += 1) start(createBackoff());
    } else if (phase === 'others' && listening.size === count) {
      phase = 'all';
      onListening(urls);
    }
  }

  async function gather(asker: Worker): Promise<MetricsSnapshot[]> {
    const others = [...listening.keys()].filter((worker) => worker !== asker);
    const snapshots = await Promise.all(
      others.map((worker) => reports.ask((question) => send(worker, { kind: 'report', question }))),
    );
    return snapshots.filter((snapshot) => snapshot !== undefined);
  }

  function onWorkerEnd({ end, code, signal, replace }: WorkerEnd): void {
    if (phase === 'stopping') {
      if (code !== 0 && signal !== stopSignal && status === 0) {
        status = 1;
        output.remark(`lazuli: ${end} while it was stopping.`);
      }
      if (alive.size === 0) ended.resolve(status);
    } else if (phase === 'first') {
      // It has said why, unless it could not.
      if (code === null) output.remark(`lazuli: ${end} before it listened.`);
      ended.resolve(code ?? 1);
    } else {
      const waitMs = replace();
      output.remark(`lazuli: ${end}; another one takes its place${waitMs === 0 ? '' : ` in ${waitMs / 1000} s`}.`);
    }
  }

  onStopSignal({
    gracefully(signal) {
      phase = 'stopping';
      stopSignal = signal;
      output.result('Stopping: requests that are under way are answered first.');
      for (const successor of successors) clearTimeout(successor);
      for (const worker of alive) worker.process.kill(signal);
      if (alive.size === 0) ended.resolve(status);
    },
    atOnce(signal, endStatus) {
      status = endStatus;
      for (const worker of alive) worker.process.kill(signal);
      setTimeout(() => {
        for (const worker of alive) worker.process.kill('SIGKILL');
      }, endLimitMs).unref();
    },
  });
  start(createBackoff());
  return ended.promise;
}

function send(worker: Worker, message: FromPrimary): void {
  // It may have ended since; then there is nobody to tell, and nothing to do about it.
  if (worker.isConnected()) worker.process.send(message, undefined, {}, () => undefined);
}

function endOf(worker: Worker, code: number | null, signal: string | null): string {
  const { pid } = worker.process;
  if (pid === undefined) return 'A worker could not be started';
  return `Worker ${pid} ended ${signal === null ? `with status ${code ?? 'unknown'}` : `by ${signal}`}`;
}
