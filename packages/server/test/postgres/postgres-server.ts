import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, withClient, type PostgresCluster } from '../../../../bench/postgres-server.ts';

/** A PostgreSQL server of the tests' own, on a free port of loopback. */
export interface PostgresServer extends AsyncDisposable {
  readonly cluster: PostgresCluster;
  /** A new, empty database; gives its URL. */
  createDatabase(): Promise<string>;
  /** SIGKILL to the server and to all processes that it has started. */
  kill(): Promise<void>;
  /** What `pg_ctl stop -m fast` does: connections are ended, nothing is left to recover. */
  stop(): Promise<void>;
  /** Starts it again after that, on the same port. */
  start(): Promise<void>;
}

/** Starts one with these settings; durable unless they say otherwise. Its files lie in `folder`, where one is given. */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  givenFolder?: string,
): Promise<PostgresServer> {
  const undo = new AsyncDisposableStack();
  const folder = givenFolder ?? (await mkdtemp(join(tmpdir(), 'lazuli-postgres-')));
  if (givenFolder === undefined) undo.defer(() => rm(folder, { recursive: true, force: true }));
  // The server runs as another user where this process is root.
  await chmod(folder, 0o711);
  let cluster = await startCluster(folder, undo, settings);
  let count = 0;
  return {
    get cluster() {
      return cluster;
    },
    async createDatabase() {
      const name = `test_${process.pid}_${++count}`;
      await withClient(cluster.maintenance, (client) => client.query(`create database ${name}`));
      return cluster.urlOf(name).href;
    },
    async kill() {
      const { child, ended } = cluster.server;
      const postmaster = child.pid;
      if (postmaster === undefined) throw new Error('PostgreSQL does not run.');
      // Stopped, it starts no others while these are looked for.
      child.kill('SIGSTOP');
      const children = childrenOf(postmaster);
      for (const pid of [postmaster, ...children]) kill(pid);
      await ended;
      while (children.some(exists)) await sleep(5);
    },
    async stop() {
      cluster.server.child.kill('SIGINT');
      await cluster.server.ended;
    },
    async start() {
      cluster = await startCluster(folder, undo, settings, cluster.port);
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}

function childrenOf(parent: number): number[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, ppid]) => (ppid === parent && pid !== undefined ? [pid] : []));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ESRCH') throw error; // It has ended by itself.
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
