import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { withClient } from '../../bench/postgres-server.ts';
import { freePort } from '../../bench/free-port.ts';
import { hasEnded, startProcess, type OwnedProcess } from '../../bench/owned-process.ts';
import type { Authority } from './certificates.ts';
import { blockOfGuide } from './guide.ts';
import type { Tools } from './tools.ts';

/** PostgreSQL and pgbouncer as the guide sets them up, both behind TLS. */
export interface Database {
  readonly port: number;
  readonly password: string;
  /** The role's URL with these parameters, on PostgreSQL itself. */
  url(database?: string, host?: string, parameters?: Readonly<Record<string, string>>): string;
  /** The superuser's. */
  readonly admin: URL;
}

const run = promisify(execFile);
const ending = { ask: 'SIGINT', limitMs: 30_000, force: 'SIGQUIT' } as const;

/** PostgreSQL and pgbouncer refuse to run as root; then they run as Debian's user of the former. */
export async function serviceUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string): Promise<number> => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}

export async function startDatabase(
  tools: Tools,
  folder: string,
  authority: Authority,
  undo: AsyncDisposableStack,
): Promise<Database> {
  const user = await serviceUser();
  const home = await ownFolder(join(folder, 'postgres'), user);
  const data = join(home, 'data');
  const adminPassword = randomBytes(16).toString('hex');
  const passwordFile = await ownFile(join(home, 'password'), adminPassword, user);
  const plan = { cwd: home, logFile: join(folder, 'postgres.log'), ending, ...(user === undefined ? {} : { user }) };
  const access = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8'];
  const initdb = startProcess(undo, {
    ...plan,
    command: [tools.initdb, `--pgdata=${data}`, '--locale=C.UTF-8', ...access],
  });
  if ((await initdb.ended) !== 0) throw new Error(`initdb failed:\n${await initdb.lastWords()}`);

  const signed = await authority.sign('localhost');
  const certificate = await ownFile(join(home, 'server.pem'), await readFile(signed.certificate, 'utf8'), user);
  const key = await ownFile(join(home, 'server.key'), await readFile(signed.key, 'utf8'), user);
  // Nobody gets in without TLS.
  await ownFile(
    join(data, 'pg_hba.conf'),
    'hostssl all all 127.0.0.1/32 scram-sha-256\nhostssl all all ::1/128 scram-sha-256\n',
    user,
  );
  const port = await freePort();
  const settings = {
    listen_addresses: 'localhost',
    unix_socket_directories: '',
    ssl: 'on',
    ssl_cert_file: certificate,
    ssl_key_file: key,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = startProcess(undo, { ...plan, command: [tools.postgres, '-D', data, '-p', String(port), ...flags] });
  const password = randomBytes(12).toString('hex');
  const urlOf = (
    name: string,
    secret: string,
    database: string,
    host: string,
    parameters: Readonly<Record<string, string>>,
  ): string => `postgres://${name}:${secret}@${host}:${port}/${database}?${new URLSearchParams(parameters).toString()}`;
  const verified = { sslmode: 'verify-full', sslrootcert: authority.certificate };
  const admin = new URL(urlOf('postgres', adminPassword, 'postgres', 'localhost', verified));
  await untilAnswers(server, () => withClient(admin, (client) => client.query('select 1')));
  return {
    port,
    password,
    admin,
    url: (database = 'lazuli', host = 'localhost', parameters = verified) =>
      urlOf('lazuli', password, database, host, parameters),
  };
}

/** The role and the database, by the guide's SQL. */
export async function createLazuliDatabase({ admin, password }: Database): Promise<void> {
  const sql = await blockOfGuide('sql', 'create role lazuli', { 'change-me': password });
  await withClient(admin, async (client) => {
    await client.query('drop database if exists lazuli with (force)');
    await client.query('drop role if exists lazuli');
    for (const statement of sql.split(';').filter((text) => text.trim() !== '')) await client.query(statement);
  });
}

export interface Pooler {
  readonly url: string;
  readonly process: OwnedProcess;
}

/** pgbouncer with the guide's file; without the line for prepared statements where they are off. */
export async function startPooler(
  tools: Tools,
  folder: string,
  database: Database,
  authority: Authority,
  preparedStatements: 'on' | 'off',
  undo: AsyncDisposableStack,
): Promise<Pooler> {
  const user = await serviceUser();
  const home = await ownFolder(join(folder, 'pgbouncer'), user);
  const port = await freePort();
  const signed = await authority.sign('localhost');
  const ca = await ownFile(join(home, 'ca.pem'), await readFile(authority.certificate, 'utf8'), user);
  const certificate = await ownFile(join(home, 'own.pem'), await readFile(signed.certificate, 'utf8'), user);
  const key = await ownFile(join(home, 'own.key'), await readFile(signed.key, 'utf8'), user);
  const users = await ownFile(join(home, 'userlist.txt'), `"lazuli" "${database.password}"\n`, user);
  const text = await blockOfGuide('ini', '[pgbouncer]', {
    'host=db.example.org port=5432': `host=localhost port=${database.port}`,
    'listen_port = 6432': `listen_port = ${port}\nunix_socket_dir =`,
    '/etc/pgbouncer/userlist.txt': users,
    '/etc/pgbouncer/ca.pem': ca,
    '/etc/pgbouncer/pgbouncer.pem': certificate,
    '/etc/pgbouncer/pgbouncer.key': key,
    ...(preparedStatements === 'on' ? {} : { 'max_prepared_statements = 200\n': '' }),
  });
  const file = await ownFile(join(home, 'pgbouncer.ini'), text, user);
  const logFile = join(folder, 'pgbouncer.log');
  const server = startProcess(undo, {
    command: [tools.pgbouncer, file],
    cwd: home,
    logFile,
    // INT waits for clients to leave, TERM does not, in every version.
    ending: { ask: 'SIGTERM', limitMs: 5_000, force: 'SIGKILL' },
    ...(user === undefined ? {} : { user }),
  });
  const parameters = new URLSearchParams({ sslmode: 'verify-full', sslrootcert: authority.certificate });
  const url = `postgres://lazuli:${database.password}@localhost:${port}/lazuli?${parameters.toString()}`;
  await untilAnswers(server, () => withClient(new URL(url), (client) => client.query('select 1')));
  return { url, process: server };
}

async function untilAnswers(server: OwnedProcess, question: () => Promise<unknown>): Promise<void> {
  const limit = performance.now() + 60_000;
  let last: unknown;
  while (performance.now() < limit && !hasEnded(server.child)) {
    try {
      await question();
      return;
    } catch (error) {
      last = error;
      await sleep(100);
    }
  }
  throw new Error(`It did not start: ${String(last)}\n${await server.lastWords()}`);
}

async function ownFolder(path: string, user: { uid: number; gid: number } | undefined): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (user !== undefined) await chown(path, user.uid, user.gid);
  return path;
}

async function ownFile(path: string, text: string, user: { uid: number; gid: number } | undefined): Promise<string> {
  await writeFile(path, text);
  await chmod(path, 0o600);
  if (user !== undefined) await chown(path, user.uid, user.gid);
  return path;
}
