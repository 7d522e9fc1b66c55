import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The port of the PostgreSQL server that all tests share. */
    postgresPort: number;
  }
}

/**
 * One PostgreSQL server for a whole run of tests; each test makes a database of its own in it. What is tested on it is
 * behaviour, so it does without syncs; tests of crashes start their own.
 */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres({
    flags: ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'max_connections=300'],
  });
  provide('postgresPort', server.port);
  return () => server.stop();
}
