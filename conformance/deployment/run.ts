/**
 * `npm run deployment`: what docs/guides/postgresql.md describes, with the guide's own files, on Debian's packages. PostgreSQL
 * behind TLS, pgbouncer in transaction mode, three servers, haproxy; clients that log while servers are killed and
 * restarted and a backup is made. Twice: with prepared statements off, and with them on where pgbouncer can carry them;
 * `--statements on|off` does one of both. One line a check; the last one is `N passed, N failed`.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { parseArgs, promisify } from 'node:util';
import { createClient } from '@lazuli/client';
import { withClient } from '../../bench/postgres-server.ts';
import { acknowledgedSoFar, auditBackup } from '../../packages/server/test/crash/backup-audit.ts';
import { audit } from '../../packages/server/test/crash/logged-work.ts';
import { createAuthority, type Authority } from './certificates.ts';
import { createLazuliDatabase, startDatabase, startPooler, type Database } from './database.ts';
import { startLoad, untilAcknowledged, type Target } from './load.ts';
import { lazuli, startBalancer, startServers, type TrackingServer } from './servers.ts';
import { findTools, versionOf, type Tools } from './tools.ts';

const clients = 50;
const artifactBytes = 50 * 1024 * 1024;
const run = promisify(execFile);
const count = { passed: 0, failed: 0 };

/** Does a check; what it returns is told behind its name. */
async function check(what: string, work: () => Promise<string | undefined>): Promise<void> {
  const start = performance.now();
  try {
    const figures = await work();
    count.passed++;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`ok - ${what} [${seconds} s${figures === undefined ? '' : `; ${figures}`}]`);
  } catch (error) {
    count.failed++;
    const text = error instanceof Error ? error.message : String(error);
    console.log(`not ok - ${what}\n${text.slice(0, 4_000).replace(/^/gm, '    ')}`);
  }
}

function must(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}

const { statements: chosen } = parseArgs({ options: { statements: { type: 'string' } } }).values;
const tools = await findTools();
if (typeof tools === 'string') {
  console.log(`# SKIP ${tools}`);
} else {
  await deploy(tools).catch((error: unknown) => {
    count.failed++;
    console.log(`not ok - the deployment can be set up\n${String(error).replace(/^/gm, '    ')}`);
  });
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed === 0 ? 0 : 1;

async function deploy(tools: Tools): Promise<void> {
  await using undo = new AsyncDisposableStack();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void undo.disposeAsync().finally(() => process.exit(1)));
  }
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-deployment-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  // Services run as another user where this process is root.
  await chmod(folder, 0o755);
  const pooler = await versionOf(tools.pgbouncer, '--version');
  const versions = [await versionOf(tools.postgres, '--version'), pooler, await versionOf(tools.haproxy, '-v')];
  console.log(`# ${versions.join(', ')}`);

  const authority = await createAuthority(tools.openssl, folder, 'authority');
  const stranger = await createAuthority(tools.openssl, folder, 'stranger');
  setDefaultCACertificates([...getCACertificates('default'), await readFile(authority.certificate, 'utf8')]);
  const database = await startDatabase(tools, folder, authority, undo);

  await createLazuliDatabase(database);
  await tlsChecks(database, authority, stranger);
  if (chosen !== 'on') await round(tools, folder, database, authority, 'off', undo);
  if (!carriesStatements(pooler))
    console.log(`# ${pooler} has no max_prepared_statements, which came with 1.21: not tried`);
  else if (chosen !== 'off') await round(tools, folder, database, authority, 'on', undo);
}

function carriesStatements(version: string): boolean {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}

async function tlsChecks(database: Database, authority: Authority, stranger: Authority): Promise<void> {
  const list = (url: string) => lazuli(['token', 'list', '--database-url', url]);
  const refused = async (url: string, reason: RegExp): Promise<string> => {
    const { status, stderr } = await list(url);
    must(status === 1, `It ended with ${status}: ${stderr}`);
    must(reason.test(stderr), `It does not say why: ${stderr}`);
    must(!stderr.includes(database.password), `It tells the password: ${stderr}`);
    return stderr.trim().split('\n').at(-1) ?? '';
  };
  const parameters = (sslmode: string, { certificate }: Authority) => ({ sslmode, sslrootcert: certificate });
  await check('verify-full takes a server with the right name and authority', async () => {
    const { status, stderr } = await list(database.url());
    must(status === 0, stderr);
    return undefined;
  });
  await check('verify-full refuses a server with another name', () =>
    refused(database.url('lazuli', '127.0.0.1', parameters('verify-full', authority)), /does not match certificate/),
  );
  await check('verify-ca takes a server with another name', async () => {
    const { status, stderr } = await list(database.url('lazuli', '127.0.0.1', parameters('verify-ca', authority)));
    must(status === 0, stderr);
    return undefined;
  });
  await check('verify-ca refuses a server of another authority', () =>
    refused(database.url('lazuli', 'localhost', parameters('verify-ca', stranger)), /certificate/),
  );
  await check('require takes a server whoever it is', async () => {
    const { status, stderr } = await list(database.url('lazuli', '127.0.0.1', { sslmode: 'require' }));
    must(status === 0, stderr);
    return undefined;
  });
  await check('without TLS a PostgreSQL that wants it lets nobody in', () =>
    refused(database.url('lazuli', 'localhost', { sslmode: 'disable' }), /no encryption/),
  );
}

/** Everything with servers whose statements have names, or have none. */
async function round(
  tools: Tools,
  parent: string,
  database: Database,
  authority: Authority,
  preparedStatements: 'on' | 'off',
  all: AsyncDisposableStack,
): Promise<void> {
  // Part of the whole, so that a signal ends this, too.
  await using undo = all.use(new AsyncDisposableStack());
  const folder = await mkdtemp(join(parent, `${preparedStatements}-`));
  await chmod(folder, 0o755);
  const called = (what: string): string => `${what} (statements ${preparedStatements})`;
  await createLazuliDatabase(database);
  const pooler = await startPooler(tools, folder, database, authority, preparedStatements, undo);
  const created = await lazuli(['token', 'create', '--role', 'Owner', '--database-url', database.url()]);
  must(created.status === 0, created.stderr);
  const token = created.stdout.trim();
  const servers = await startServers(3, { databaseUrl: pooler.url, preparedStatements, folder }, undo);
  const { port } = await startBalancer(tools, folder, servers, authority, undo);
  const target = { url: `https://localhost:${port}`, token };

  await check(called('the balancer passes on the name that the guide gives the servers, and no other'), async () => {
    const answers = [await statusUnder('mlflow.example.org', target), await statusUnder('evil.example.net', target)];
    must(answers.join() === '200,403', `They were answered with ${answers.join(' and ')}.`);
    return undefined;
  });
  await check(called(`${clients} clients log, and read what they have logged`), () => logAndRead(target, servers));
  await check(called('a large artifact goes up through the balancer and comes down from every server'), () =>
    transferArtifact(target, servers),
  );
  await check(called('clients with retries do not notice that a server is killed'), async () => {
    const load = await startLoad(target, clients, 'kill');
    const [victim] = servers;
    await untilAcknowledged(load.books, 500);
    victim?.process().child.kill('SIGKILL');
    await untilAcknowledged(load.books, 1_000);
    await victim?.start();
    await untilAcknowledged(load.books, 500);
    await load.stop();
    must(load.requestsFailed.length === 0, load.requestsFailed.join('\n'));
    await audit(createClient(target), load.books);
    return `${load.books.acknowledgements} acknowledged, ${load.attemptsFailed.length} attempts sent again`;
  });
  await check(called('a rolling restart fails no request, not even a first attempt'), async () => {
    const load = await startLoad(target, clients, 'rolling restart');
    await untilAcknowledged(load.books, 200);
    for (const server of servers) {
      const leaving = server.process();
      leaving.child.kill('SIGTERM');
      const code = await leaving.ended;
      must(code === 0, `A server ended with ${code}: ${await leaving.lastWords()}`);
      await server.start();
      // As long as the balancer takes to take it up again.
      await sleep(2_000);
    }
    await untilAcknowledged(load.books, 200);
    await load.stop();
    must(load.attemptsFailed.length === 0, `${load.attemptsFailed.length}:\n${load.attemptsFailed.join('\n')}`);
    await audit(createClient(target), load.books);
    return `${load.books.acknowledgements} acknowledged`;
  });
  await check(called('a dump taken while clients log is restored with all that was acknowledged before it'), () =>
    backUpAndRestore(tools, folder, database, target, undo),
  );
  await check(called('`lazuli db status` knows the database'), async () => {
    const { status, stdout, stderr } = await lazuli([
      'db',
      'status',
      '--query',
      'version',
      '--database-url',
      database.url(),
    ]);
    must(status === 0, stdout + stderr);
    return `schema ${stdout.trim()}`;
  });
}

async function statusUnder(host: string, { url, token }: Target): Promise<number> {
  const headers = { host, authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/api/2.0/mlflow/experiments/get?experiment_id=0`, { headers, servername: 'localhost' });
    sent.on('error', reject).on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.end();
  });
}

async function logAndRead(target: Target, servers: readonly TrackingServer[]): Promise<string> {
  const load = await startLoad(target, clients, 'clients');
  const start = performance.now();
  await untilAcknowledged(load.books, 5_000);
  const seconds = (performance.now() - start) / 1000;
  await load.stop();
  must(load.attemptsFailed.length === 0, load.attemptsFailed.join('\n'));
  const client = createClient(target);
  await audit(client, load.books);
  const { runs = [] } = await client.runs.searchRuns({
    experiment_ids: [load.books.experimentId],
    filter: `metrics.loss >= 0 and params."batch 1 0" like 'v%' and tags.worker = '7'`,
    order_by: ['metrics.loss DESC'],
  });
  must(runs.length > 0, 'The search finds nothing.');
  const shares = await Promise.all(servers.map((server) => requestsOf(server, target.token)));
  must(
    shares.every((share) => share > 500),
    `The servers took ${shares.join(', ')} requests.`,
  );
  return `${Math.round(5_000 / seconds)} requests a second, taken by the servers: ${shares.join(', ')}`;
}

async function requestsOf({ url }: TrackingServer, token: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
  const counts = [...text.matchAll(/^lazuli_http_request_duration_seconds_count\{[^}]*\/runs\/[^}]*\} (\d+)/gm)];
  return counts.reduce((sum, [, value]) => sum + Number(value), 0);
}

async function transferArtifact(target: Target, servers: readonly TrackingServer[]): Promise<string> {
  const client = createClient(target);
  const { experiment_id } = await client.experiments.createExperiment({ name: 'artifacts' });
  const { run } = await client.runs.createRun({ experiment_id, start_time: 1 });
  const folder = run.info.artifact_uri.replace(/^mlflow-artifacts:\/+/, '');
  const path = `/api/2.0/mlflow-artifacts/artifacts/${folder}/large.bin`;
  const headers = { authorization: `Bearer ${target.token}` };
  const bytes = randomBytes(artifactBytes);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const start = performance.now();
  const sent = await fetch(target.url + path, { method: 'PUT', headers, body: bytes });
  must(sent.status === 200, `The upload was answered with ${sent.status}: ${await sent.text()}`);
  const seconds = (performance.now() - start) / 1000;
  for (const { url } of [target, ...servers]) {
    const received = await fetch(url + path, { headers });
    const found = createHash('sha256')
      .update(Buffer.from(await received.arrayBuffer()))
      .digest('hex');
    must(found === digest, `${url} gave other bytes, with status ${received.status}.`);
  }
  return `uploaded in ${seconds.toFixed(1)} s`;
}

async function backUpAndRestore(
  tools: Tools,
  folder: string,
  database: Database,
  target: Target,
  all: AsyncDisposableStack,
): Promise<string> {
  const dump = join(folder, 'lazuli.dump');
  const load = await startLoad(target, clients, 'backed up');
  await untilAcknowledged(load.books, 1_000);
  const before = acknowledgedSoFar(load.books);
  const counted = load.books.acknowledgements;
  const start = performance.now();
  await run(tools.pgDump, ['--format=custom', `--file=${dump}`, database.url()]);
  const seconds = (performance.now() - start) / 1000;
  const meanwhile = load.books.acknowledgements - counted;
  await untilAcknowledged(load.books, 100);
  await load.stop();
  must(meanwhile > 0, 'Nothing was logged while the dump was made.');
  must(load.requestsFailed.length === 0, load.requestsFailed.join('\n'));

  await withClient(database.admin, async (client) => {
    await client.query('drop database if exists lazuli_restored with (force)');
    await client.query(`create database lazuli_restored owner lazuli encoding 'UTF8' template template0`);
  });
  const url = database.url('lazuli_restored');
  await run(tools.pgRestore, ['--exit-on-error', '--no-owner', '--jobs=4', `--dbname=${url}`, dump]);
  await using undo = all.use(new AsyncDisposableStack());
  const restored = join(folder, 'restored');
  await run('mkdir', [restored]);
  const [server] = await startServers(1, { databaseUrl: url, preparedStatements: 'on', folder: restored }, undo);
  must(server !== undefined, 'No server was started.');
  const client = createClient({ url: server?.url ?? '', token: target.token });
  await auditBackup(client, before, load.books);
  // It is a database to work on: numbers go on where they were.
  const { experiment_id } = await client.experiments.createExperiment({ name: 'after the restore' });
  await client.runs.createRun({ experiment_id, start_time: 1 });
  return `dump in ${seconds.toFixed(1)} s, ${meanwhile} requests acknowledged meanwhile`;
}
