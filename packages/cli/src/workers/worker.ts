import cluster from 'node:cluster';
import type { MetricsSnapshot } from '@lazuli/server';
import type { FromPrimary, FromWorker } from './messages.ts';
import { createQuestions } from './questions.ts';

/** A worker's line to the process that started it. */
export interface WorkerLine {
  /** Settles when there is no such process any more: nothing would replace this one, and no connections reach it. */
  readonly orphaned: Promise<void>;
  readonly otherMetrics: () => Promise<readonly MetricsSnapshot[]>;
  /** Tells that this process takes requests, and how to read its metrics from now on. */
  listening(urls: readonly string[], metrics: () => Promise<MetricsSnapshot>): void;
  /** Until then the line keeps the process alive. */
  close(): void;
}

/** More than the primary grants the others, so that this only counts when the primary itself is stuck. */
const gatherLimitMs = 3_000;

export function openWorkerLine(): WorkerLine {
  const gathering = createQuestions<readonly MetricsSnapshot[]>(gatherLimitMs);
  const orphaned = Promise.withResolvers<undefined>();
  let metrics: (() => Promise<MetricsSnapshot>) | undefined;
  // *Node: a worker that loses its primary exits at once unless this is set*; what is under way here is answered first.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;

  function send(message: FromWorker): void {
    // The primary may be gone at any moment; what it can no longer hear is no failure of this process.
    if (process.connected) process.send?.(message, undefined, {}, () => undefined);
  }

  process.on('disconnect', () => {
    gathering.giveUp();
    orphaned.resolve(undefined);
  });
  process.on('message', (message: FromPrimary) => {
    if (message.kind === 'gathered') {
      gathering.answer(message.question, message.snapshots);
    } else {
      void metrics?.().then((snapshot) => send({ kind: 'report', question: message.question, snapshot }));
    }
  });

  return {
    orphaned: orphaned.promise,
    otherMetrics: async () => (await gathering.ask((question) => send({ kind: 'gather', question }))) ?? [],
    listening(urls, read) {
      metrics = read;
      send({ kind: 'listening', urls });
    },
    close() {
      if (process.connected) process.disconnect();
    },
  };
}
