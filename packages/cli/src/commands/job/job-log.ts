import { copyFileSync, createWriteStream, mkdtempSync, openAsBlob, rmSync, statSync, type WriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { environmentFetch, MlflowError, type Client } from '@lazuli/client';
import { serverUrl, type ConnectionOptions } from '../../connection.ts';
import { CommandError } from '../../output.ts';
import type { Surroundings } from '../../surroundings.ts';

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
export function openJobLog(put: (content: Blob) => Promise<void>): JobLog {
  const folder = mkdtempSync(join(tmpdir(), 'lazuli-job-'));
  const file = join(folder, 'std_log.txt');
  const stream = createWriteStream(file);
  let kept = -1;

  async function keep(): Promise<void> {
    const { size } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0 };
    if (size === kept) return;
    // A file that grows while it is sent cannot be read as a Blob.
    const copy = `${file}.copy`;
    copyFileSync(file, copy);
    await put(await openAsBlob(copy));
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

/** Keeps it by a signed URL, because the files of the run may lie in any store that the server reaches. */
export function putLog(
  client: Client,
  run: { readonly experimentId: string; readonly runId: string },
  options: ConnectionOptions,
  surroundings: Surroundings,
): (content: Blob) => Promise<void> {
  const { origin } = new URL(serverUrl(options, surroundings));
  const send = environmentFetch(surroundings.env);
  return async (content) => {
    const reserved = await client.runHistory
      .reserveRunArtifacts({ experiment: run.experimentId, run_id: run.runId, paths: [{ path: logPath }] })
      .catch((error: unknown) => {
        if (error instanceof MlflowError && unreached.includes(error.errorCode)) return undefined;
        throw error;
      });
    const { contentUri } = reserved?.artifactContentInformation[logPath] ?? {};
    if (contentUri === undefined) return;
    // The address is the one that the server knows itself by; the way that has led here will do.
    const { pathname, search } = new URL(contentUri);
    const headers = { 'content-type': 'text/plain', 'x-ms-blob-type': 'BlockBlob' };
    const response = await send(origin + pathname + search, { method: 'PUT', headers, body: content });
    if (!response.ok)
      throw new CommandError(1, `The output could not be kept: the server answered ${response.status}.`);
  };
}

/** Where clients write artifacts themselves there is no server to take them. */
const unreached: readonly string[] = ['NOT_IMPLEMENTED', 'INVALID_PARAMETER_VALUE'];
