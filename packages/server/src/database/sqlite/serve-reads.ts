import { parentPort, workerData } from 'node:worker_threads';
import { MlflowError } from '@lazuli/contract';
import type { Read } from '../engine.ts';
import { kyselyOver } from '../kysely-over.ts';
import type { ReadRequest, ReadResponse } from './reader-pool.ts';
import { endSnapshot, fixSnapshot, openSqliteConnection } from './connection.ts';
import { sqliteFailure } from './failure.ts';

/** The other end of `createReaderPool`: answers reads by their name, on a connection of this thread's own. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of reads with different arguments
export function serveReads(reads: readonly Read<any, unknown>[]): void {
  const port = parentPort;
  if (port === null) throw new TypeError('serveReads runs in a worker thread.');
  const connection = openSqliteConnection((workerData as { path: string }).path, 'read');
  const db = kyselyOver(connection, 'sqlite');
  const byName = new Map(reads.map((read) => [read.name, read]));

  /** Whether the state that the next read sees is fixed already. */
  let isFixed = false;

  async function perform(request: ReadRequest): Promise<unknown> {
    if (request.kind === 'fix') {
      fixSnapshot(connection);
      isFixed = true;
      return undefined;
    }
    if (!isFixed) connection.prepare('begin').run();
    try {
      if (request.kind === 'forget') return undefined;
      const read = byName.get(request.name);
      if (read === undefined) throw new TypeError(`No read has the name '${request.name}'.`);
      return await read.run(db, request.args);
    } finally {
      isFixed = false;
      endSnapshot(connection);
    }
  }

  async function answer(request: ReadRequest): Promise<ReadResponse> {
    const { id } = request;
    try {
      return { id, result: await perform(request) };
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
