import type { TestProject } from 'vitest/node';
import { withClient } from '../../../../bench/postgres-server.ts';
import { startPostgres } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The URL of the PostgreSQL server that all tests share, with a database from which to make others. */
    sharedPostgres: string;
    /** `host:port` of a pooler in transaction mode that stands before it; servers under test go through it. */
    sharedPooler: string | undefined;
  }
}

/**
 * One PostgreSQL server for a whole run of tests; each test makes a database of its own in it. What is tested on it is
 * behaviour, so it does without syncs; tests of crashes start their own.
 *
 * `LAZULI_TEST_DATABASE_URL` names a server that runs already: another version, or Debian's. Its user may make databases;
 * those that a run makes are dropped at the end. `LAZULI_TEST_POOLER` is the address of a pooler before it.
 */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const { LAZULI_TEST_DATABASE_URL: url, LAZULI_TEST_POOLER: pooler } = process.env;
  provide('sharedPooler', pooler);
  if (url !== undefined) {
    const databases = await databasesOf(url);
    provide('sharedPostgres', url);
    return () => dropAllBut(databases, url);
  }
  const server = await startPostgres({ fsync: 'off', full_page_writes: 'off', max_connections: '300' });
  provide('sharedPostgres', server.cluster.maintenance.href);
  return async () => {
    await server[Symbol.asyncDispose]();
  };
}

async function databasesOf(url: string): Promise<string[]> {
  return withClient(new URL(url), async (client) => {
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
    return rows.map(({ datname }) => datname);
  });
}

async function dropAllBut(kept: readonly string[], url: string): Promise<void> {
  const made = (await databasesOf(url)).filter((name) => !kept.includes(name));
  await withClient(new URL(url), async (client) => {
    for (const name of made) await client.query(`drop database ${client.escapeIdentifier(name)} with (force)`);
  });
}
