import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Client } from '@lazuli/client';
import { expect, inject, test } from 'vitest';
import { withClient } from '../../../../bench/postgres-server.ts';
import { databaseOnSharedPostgres } from '../postgres/test-databases.ts';
import { startServer, type TestServer } from '../server-fixture.ts';
import { raceLimitMs } from './races.ts';

/**
 * Two sides from which clients come to one database. On PostgreSQL these are two servers, which share nothing but the
 * database and the folder of artifacts: that both live in the process of the test changes nothing, since all that a server
 * remembers belongs to its composition. On SQLite one process owns the database, so the sides are two clients of one server.
 */
export interface TwoSides {
  readonly a: TestServer;
  readonly b: TestServer;
  readonly both: readonly [TestServer, TestServer];
  /** Asks the database itself, past the servers. */
  readonly query: DatabaseQuery;
}

export type DatabaseQuery = (sql: string) => Promise<Record<string, unknown>[]>;

export async function withTwoSides<T>(
  flags: Record<string, string>,
  body: (sides: TwoSides) => Promise<T>,
  dataDir?: string,
): Promise<T> {
  const isPostgres = inject('engine') === 'postgres';
  let query: DatabaseQuery;
  let result: T;
  {
    await using a = await startServer(dataDir === undefined ? flags : { ...flags, 'data-dir': dataDir });
    await using second = isPostgres ? await startServer({ ...flags, 'data-dir': a.dataDir }) : undefined;
    const b = second ?? a;
    query = isPostgres ? onPostgres(await databaseOnSharedPostgres(a.dataDir)) : onSqlite(a.dataDir);
    result = await body({ a, b, both: [a, b], query });
  }
  // PostgreSQL ends a deadlock by itself after a second, and the servers do that work again: nothing else would tell.
  // Asked when the servers are gone, because a connection reports what it counted when it ends.
  if (isPostgres) expect(await deadlocks(query)).toBe(0);
  return result;
}

/** A test with two sides; at its end no two transactions may have waited for each other. */
export function onTwoSides(
  name: string,
  body: (sides: TwoSides) => Promise<void>,
  { flags = {}, timeoutMs = raceLimitMs }: { flags?: Record<string, string>; timeoutMs?: number } = {},
): void {
  test(name, { timeout: timeoutMs }, () => withTwoSides(flags, body));
}

async function deadlocks(query: DatabaseQuery): Promise<number> {
  const [row] = await query('select deadlocks from pg_stat_database where datname = current_database()');
  return Number(row?.['deadlocks']);
}

function onPostgres(url: string): DatabaseQuery {
  return (sql) => withClient(new URL(url), async (client) => (await client.query<Record<string, unknown>>(sql)).rows);
}

function onSqlite(dataDir: string): DatabaseQuery {
  return async (sql) => {
    using database = new DatabaseSync(join(dataDir, 'lazuli.db'), { readOnly: true });
    return database.prepare(sql).all();
  };
}

/** Lets both sides learn all that they remember of a run. */
export async function warm(clients: readonly Client[], run_id: string): Promise<void> {
  for (const client of clients) {
    await client.runs.logBatch({
      run_id,
      metrics: [{ key: 'warm', value: 1, timestamp: 1 }],
      tags: [{ key: 'warm', value: 'yes' }],
    });
  }
}

let count = 0;

/** A name that no other test of this process uses. */
export function uniqueName(stem: string): string {
  return `${stem} ${++count}`;
}

/** A new run that both sides know. */
export async function warmRun({ a, b }: TwoSides, experimentId?: string): Promise<string> {
  const experiment_id =
    experimentId ?? (await a.client.experiments.createExperiment({ name: uniqueName('warm') })).experiment_id;
  const { run } = await a.client.runs.createRun({ experiment_id, start_time: 1 });
  await warm([a.client, b.client], run.info.run_id);
  return run.info.run_id;
}
