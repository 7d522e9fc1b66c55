import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Engine } from '../src/database/engine.ts';
import { openPostgres } from '../src/database/postgres/open-postgres.ts';
import { openSqlite } from '../src/database/sqlite/open-sqlite.ts';
import { newDatabase } from './postgres/test-databases.ts';

/** A database of a test's own, of the kind that the engine under test keeps. */
export interface TestDatabase extends AsyncDisposable {
  /** Opens it, again if need be; SQLite's only when nobody else has it open. */
  open(): Promise<Engine>;
}

/** No test with an engine of its own reads in a thread. */
const noThread = new URL('data:text/javascript,');

export async function createTestDatabase(): Promise<TestDatabase> {
  if (inject('engine') === 'postgres') {
    const url = await newDatabase();
    return {
      open: () => openPostgres({ url, size: 2, preparedStatements: 'on' }),
      // It goes with the server.
      [Symbol.asyncDispose]: async () => {},
    };
  }
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-engine-'));
  return {
    open: () => openSqlite({ path: join(folder, 'data', 'lazuli.db'), readerThread: noThread }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** An empty database, open. */
export async function openTestEngine(): Promise<Engine & AsyncDisposable> {
  const database = await createTestDatabase();
  const engine = await database.open();
  return {
    ...engine,
    async [Symbol.asyncDispose]() {
      await engine.close();
      await database[Symbol.asyncDispose]();
    },
  };
}
