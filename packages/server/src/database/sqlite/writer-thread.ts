import type { SQLInputValue } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { migrate } from './migrate.ts';
import { openSqliteConnection, type SqliteConnection } from './connection.ts';
import {
  openedId,
  type Durability,
  type WriterAnswer,
  type WriterFailure,
  type WriterRequest,
  type WriterResponse,
} from './writer.ts';

/** What the writer thread runs: the other end of writer.ts. */
const port = parentPort;
if (port === null) throw new TypeError('The writer runs in a worker thread.');

try {
  const connection = openSqliteConnection((workerData as { path: string }).path, 'write');
  migrate(connection);
  const answer = createWriter(connection);
  port.on('message', (request: WriterRequest | 'close') => {
    if (request === 'close') {
      connection.close();
      port.close();
    } else {
      port.postMessage(answer(request));
    }
  });
  port.postMessage({ id: openedId, rows: [], changes: 0 } satisfies WriterResponse);
} catch (error) {
  port.postMessage({ id: openedId, failure: failureOf(error) } satisfies WriterResponse);
}

function createWriter({ raw, prepare, all, query }: SqliteConnection) {
  let synchronous: Durability = 'durable';

  function begin(durability: Durability): void {
    if (durability !== synchronous) {
      raw.exec(`pragma synchronous = ${durability === 'durable' ? 'full' : 'normal'}`);
      synchronous = durability;
    }
    prepare('begin immediate').run();
  }

  function perform({ begin: durability, steps, last }: WriterRequest): Omit<WriterAnswer, 'id'> {
    if (durability !== undefined) begin(durability);
    for (const { sql, rows } of steps) {
      const statement = prepare(sql);
      for (const row of rows) statement.run(...(row as SQLInputValue[]));
    }
    switch (last.kind) {
      case 'query':
        return query(last.sql, last.parameters);
      case 'each':
        return { rows: last.keys.map((key) => all(last.sql, key)[0]), changes: 0 };
      case 'commit':
        prepare('commit').run();
        return { rows: [], changes: 0 };
      case 'rollback':
        // A full disk makes SQLite roll back by itself.
        if (raw.isTransaction) prepare('rollback').run();
        return { rows: [], changes: 0 };
    }
  }

  return (request: WriterRequest): WriterResponse => {
    try {
      return { id: request.id, ...perform(request) };
    } catch (error) {
      return { id: request.id, failure: failureOf(error) };
    }
  };
}

function failureOf(error: unknown): WriterFailure {
  const message = error instanceof Error ? error.message : String(error);
  const errcode = (error as { errcode?: unknown } | null)?.errcode;
  return typeof errcode === 'number' ? { message, errcode } : { message };
}
