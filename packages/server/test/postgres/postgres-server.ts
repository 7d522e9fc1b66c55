import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster, withClient, type PostgresCluster } from '../../../../bench/postgres-server.ts';

/** A PostgreSQL server of the tests' own, on a free port of loopback. */
export interface PostgresServer extends AsyncDisposable {
  readonly cluster: PostgresCluster;
  /** A new, empty database; gives its URL. */
  createDatabase(): Promise<string>;
}

/** Starts one with these settings; durable unless they say otherwise. */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-postgres-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  // The server runs as another user where this process is root.
  await chmod(folder, 0o711);
  const cluster = await startCluster(folder, undo, settings);
  let count = 0;
  return {
    cluster,
    async createDatabase() {
      const name = `test_${process.pid}_${++count}`;
      await withClient(cluster.maintenance, (client) => client.query(`create database ${name}`));
      return cluster.urlOf(name).href;
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}
