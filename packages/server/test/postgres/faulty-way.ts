import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { ServerProcess } from '../crash/server-process.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import { startOn } from './load.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';

/** Two servers on one PostgreSQL: a proxy that can do harm lies on the way of one, the way of the other is well. */
export interface FaultyWay extends AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly proxy: FaultProxy;
  /** The database, past the proxy. */
  readonly url: string;
  readonly folder: string;
  readonly server: ServerProcess;
  readonly other: ServerProcess;
}

/** One way for all tests of a file; it is well again after each. */
export function faultyWayForAllTests(): Omit<FaultyWay, 'postgres' | typeof Symbol.asyncDispose> {
  let way: FaultyWay;
  beforeAll(async () => {
    way = await startFaultyWay({ max_connections: '60' });
  });
  afterEach(() => way.proxy.heal());
  afterAll(() => way[Symbol.asyncDispose]());
  return {
    get proxy() {
      return way.proxy;
    },
    get url() {
      return way.url;
    },
    get folder() {
      return way.folder;
    },
    get server() {
      return way.server;
    },
    get other() {
      return way.other;
    },
  };
}

export async function startFaultyWay(postgresSettings: Record<string, string> = {}): Promise<FaultyWay> {
  const postgres = await startPostgres(postgresSettings);
  const proxy = await startFaultProxy(postgres.cluster.port);
  const url = await postgres.createDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-faults-'));
  const server = await startOn(proxy.through(url), join(folder, 'one'));
  const other = await startOn(url, join(folder, 'two'));
  return {
    postgres,
    proxy,
    url,
    folder,
    server,
    other,
    async [Symbol.asyncDispose]() {
      for (const one of [server, other, proxy, postgres]) await one[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
