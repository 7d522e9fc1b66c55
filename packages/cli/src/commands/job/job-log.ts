import { copyFileSync, createWriteStream, mkdtempSync, openAsBlob, rmSync, statSync, type WriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { MlflowError, type ArtifactStore, type Server } from '@lazuli/client';

/** *Azure ML: what a job has written is the artifact `user_logs/std_log.txt` of its run.* */
export const logPath = 'user_logs/std_log.txt';

export interface JobLog {
  readonly stream: WriteStream;
  /** Keeps all of it. */
  close(): Promise<void>;
}

const shortestPauseMs = 1000;

/**
 * Takes what a job writes and keeps it as an artifact of the run, again and again while the job runs, so that others can
 * follow it. The next copy waits ten times as long as the last one took: a long log is not sent all the time.
 */
export function openJobLog(server: Server, artifactUri: string): JobLog {
  const store = storeOf(server, artifactUri);
  const folder = mkdtempSync(join(tmpdir(), 'lazuli-job-'));
  const file = join(folder, 'std_log.txt');
  const stream = createWriteStream(file);
  let kept = -1;

  async function keep(): Promise<void> {
    const { size } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0 };
    if (store === undefined || size === kept) return;
    // A file that grows while it is sent cannot be read as a Blob.
    const copy = `${file}.copy`;
    copyFileSync(file, copy);
    await store.upload([{ path: logPath, content: await openAsBlob(copy) }]);
    kept = size;
  }

  let keeping = Promise.resolve();
  let timer: NodeJS.Timeout;
  const keepLater = (pauseMs: number): void => {
    timer = setTimeout(() => {
      const start = performance.now();
      // The next copy holds what this one could not bring.
      keeping = keep()
        .catch(() => undefined)
        .then(() => {
          if (!stream.writableEnded) keepLater(Math.max(shortestPauseMs, 10 * (performance.now() - start)));
        });
    }, pauseMs);
  };
  keepLater(shortestPauseMs);

  return {
    stream,
    async close() {
      try {
        stream.end();
        clearTimeout(timer);
        await Promise.all([finished(stream), keeping]);
        await keep();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** Where clients write artifacts themselves there is no server to take them. */
function storeOf({ artifactsAt }: Server, artifactUri: string): ArtifactStore | undefined {
  try {
    return artifactsAt(artifactUri);
  } catch (error) {
    if (error instanceof MlflowError) return undefined;
    throw error;
  }
}
