import { parentPort, workerData } from 'node:worker_threads';
import { MlflowError } from '@lazuli/contract';
import type { Read } from '../engine.ts';
import { createMutex } from '../mutex.ts';
import { kyselyOver } from '../kysely-over.ts';
import type { ReadRequest, ReadResponse } from './reader-pool.ts';
import { inSnapshot, openSqliteConnection } from './connection.ts';
import { sqliteFailure } from './failure.ts';

/** The other end of `createReaderPool`: answers reads by their name, on a connection of this thread's own. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of reads with different arguments
export function serveReads(reads: readonly Read<any, unknown>[]): void {
  const port = parentPort;
  if (port === null) throw new TypeError('serveReads runs in a worker thread.');
  const connection = openSqliteConnection((workerData as { path: string }).path, 'read');
  const db = kyselyOver(connection, 'sqlite');
  const turns = createMutex();
  const byName = new Map(reads.map((read) => [read.name, read]));

  async function answer({ id, name, args }: ReadRequest): Promise<ReadResponse> {
    const read = byName.get(name);
    if (read === undefined) return { id, failure: new TypeError(`No read has the name '${name}'.`) };
    try {
      return { id, result: await turns.run(() => inSnapshot(connection, () => read.run(db, args))) };
    } catch (thrown) {
      const error = sqliteFailure(thrown);
      if (!(error instanceof MlflowError)) return { id, failure: error };
      return { id, refusal: { errorCode: error.errorCode, message: error.message } };
    }
  }

  port.on('message', (request: ReadRequest) => {
    void answer(request).then((response) => {
      const bytes = 'result' in response ? response.result : undefined;
      // Bytes change hands instead of being copied.
      port.postMessage(response, bytes instanceof Uint8Array ? [bytes.buffer as ArrayBuffer] : []);
    });
  });
}
