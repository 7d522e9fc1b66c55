import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The URL of the PostgreSQL server that all tests share, with a database from which to make others. */
    sharedPostgres: string;
  }
}

/**
 * One PostgreSQL server for a whole run of tests; each test makes a database of its own in it. What is tested on it is
 * behaviour, so it does without syncs; tests of crashes start their own.
 */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres({ fsync: 'off', full_page_writes: 'off', max_connections: '300' });
  provide('sharedPostgres', server.cluster.maintenance.href);
  return async () => {
    await server[Symbol.asyncDispose]();
  };
}
