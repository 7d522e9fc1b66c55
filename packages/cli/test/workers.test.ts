import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startPostgres, type PostgresServer } from '../../server/test/postgres/postgres-server.ts';
import { aFolder, lazuli, serving, type RunningServer } from './lazuli-process.ts';

const limit = { timeout: 60_000 };

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres({ fsync: 'off', full_page_writes: 'off' });
});
afterAll(() => postgres[Symbol.asyncDispose]());

interface LogLine {
  readonly pid: number;
  readonly msg?: string;
  readonly path?: string;
}

function logOf(stderr: string): LogLine[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LogLine);
}

function sentencesOf(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
}

/** The workers that have said that they started; a process writes its log once a second. */
function startedWorkers(server: RunningServer): number[] {
  return logOf(server.stderr())
    .filter(({ msg }) => msg === 'server has started')
    .map(({ pid }) => pid);
}

async function workersOf(server: RunningServer, count: number): Promise<number[]> {
  await vi.waitUntil(() => startedWorkers(server).length === count, limit);
  return startedWorkers(server);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** With what is said to servers that share a database, so that nothing warns. */
const quietly = ['--database-pool-size', '4', '--artifacts-destination', 'artifacts'];

async function startWorkers(count: number, cwd: string): Promise<RunningServer> {
  const url = await postgres.createDatabase();
  return serving(['--workers', String(count), '--database-url', url, ...quietly], { cwd });
}

/** On a connection of its own, so that the primary chooses a worker for it. */
function ask(server: RunningServer, path: string, limitMs = 15_000): Promise<Response> {
  return fetch(`${server.url}${path}`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(limitMs) });
}

async function scrape(server: RunningServer): Promise<(series: string) => number> {
  const text = await (await ask(server, '/metrics')).text();
  const samples = new Map(
    text.split('\n').map((line): [string, number] => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
  return (series) => samples.get(series) ?? NaN;
}

function isRefused(error: unknown): boolean {
  return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED';
}

interface HalfRequest extends Disposable {
  complete(): Promise<string>;
}

/** A request that a worker has begun to read. */
async function halfARequest(server: RunningServer): Promise<HalfRequest> {
  const { hostname, port } = new URL(server.url);
  const socket: Socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  const body = '{"name": "under way"}';
  socket.write(
    `POST /api/2.0/mlflow/experiments/create HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
  );
  await vi.waitUntil(() => text.includes('100 Continue'), limit);
  return {
    async complete() {
      socket.write(body);
      await closed;
      return text;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

describe('lazuli serve --workers', () => {
  test('spreads requests over its processes, and a scrape of any answers for all', async () => {
    using folder = aFolder();
    await using server = await startWorkers(3, folder.path);
    const workers = await workersOf(server, 3);
    expect(new Set(workers).size).toBe(3);
    expect(workers).not.toContain(server.pid);

    for (let index = 0; index < 30; index += 1) expect((await ask(server, '/version')).status).toBe(200);
    const series = 'lazuli_http_request_duration_seconds_count{method="GET",route="/version",status="200"}';
    for (let index = 0; index < 4; index += 1) {
      const sample = await scrape(server);
      expect(sample(series)).toBe(30);
      expect(sample('lazuli_workers')).toBe(3);
      expect(sample('lazuli_build_info{version="0.1.0",mlflow_version="3.17.0"}')).toBe(1);
      expect(sample('process_resident_memory_bytes')).toBeGreaterThan(3 * 40e6);
      expect(sample('process_start_time_seconds')).toBeLessThanOrEqual(Date.now() / 1000);
      expect(sample('nodejs_eventloop_utilization_ratio')).toBeLessThanOrEqual(1);
    }

    server.kill('SIGTERM');
    const { status, stdout, stderr } = await server.end;
    expect({ status, sentences: sentencesOf(stderr) }).toEqual({ status: 0, sentences: [] });
    expect(stdout.match(/listens on/g)).toHaveLength(1);
    expect(stdout.match(/Stopping/g)).toHaveLength(1);
    const answering = logOf(stderr).filter(({ path }) => path === '/version');
    expect(answering).toHaveLength(30);
    expect(new Set(answering.map(({ pid }) => pid))).toEqual(new Set(workers));
    expect(workers.filter(isAlive)).toEqual([]);
  });

  test('answers on while a worker is killed under load, and has another one in its place', async () => {
    using folder = aFolder();
    await using server = await startWorkers(2, folder.path);
    const workers = await workersOf(server, 2);
    const outcomes: { readonly at: number; readonly ms: number; readonly status: number | undefined }[] = [];
    let isOver = false;
    const clients = Array.from({ length: 4 }, async (_, client) => {
      for (let index = 0; !isOver; index += 1) {
        const at = performance.now();
        const response = await fetch(`${server.url}/api/2.0/mlflow/experiments/create`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', connection: 'close' },
          body: JSON.stringify({ name: `${client}-${index}` }),
          signal: AbortSignal.timeout(15_000),
        }).catch(() => undefined);
        await response?.text().catch(() => undefined);
        outcomes.push({ at, ms: performance.now() - at, status: response?.status });
      }
    });
    await sleep(300);
    const killedAt = performance.now();
    process.kill(workers[0] ?? 0, 'SIGKILL');
    const successor = (await workersOf(server, 3))[2] ?? 0;
    const answered = () => outcomes.filter(({ at, status }) => status === 200 && at > killedAt).length;
    await vi.waitUntil(() => answered() > 20, { timeout: 20_000 });
    isOver = true;
    await Promise.all(clients);

    // What the killed one had begun to answer is lost; nothing else is.
    const lost = outcomes.filter(({ status }) => status !== 200);
    expect(lost.filter(({ at, ms }) => at + ms < killedAt)).toEqual([]);
    expect(lost.length).toBeLessThanOrEqual(clients.length * 2);
    // Nor does anybody wait for an answer that cannot come.
    expect(lost.filter(({ ms }) => ms > 10_000)).toEqual([]);
    expect((await scrape(server))('lazuli_workers')).toBe(2);
    expect(sentencesOf(server.stderr())).toEqual([
      // In a second, unless it had served for long.
      expect.stringMatching(
        `^lazuli: Worker ${workers[0]} ended by SIGKILL; another one takes its place( in 1 s)?\\.$`,
      ),
    ]);
    server.kill('SIGTERM');
    const { status, stderr } = await server.end;
    expect(status).toBe(0);
    expect(logOf(stderr).some(({ pid, path }) => pid === successor && path?.endsWith('/create') === true)).toBe(true);
  });

  test('answers what is under way when Ctrl-C reaches all of its processes', async () => {
    using folder = aFolder();
    await using server = await startWorkers(2, folder.path);
    const workers = await workersOf(server, 2);
    using request = await halfARequest(server);
    // A terminal sends the signal to everybody, and the primary passes it on.
    for (const pid of [server.pid, ...workers]) process.kill(pid, 'SIGINT');
    await vi.waitUntil(() => ask(server, '/health', 300).then(() => false, isRefused), limit);
    expect(await request.complete()).toContain('HTTP/1.1 200 OK');
    const { status, stderr } = await server.end;
    expect({ status, sentences: sentencesOf(stderr) }).toEqual({ status: 0, sentences: [] });
  });

  test('ends all of them at once on the second signal', async () => {
    using folder = aFolder();
    await using server = await startWorkers(2, folder.path);
    const workers = await workersOf(server, 2);
    using _request = await halfARequest(server);
    server.kill('SIGTERM');
    // The one that has nothing under way goes, the other waits. Signals within half a second count as one.
    const oneIsLeft = vi.waitUntil(() => workers.filter(isAlive).length === 1, { timeout: 20_000 });
    await Promise.all([oneIsLeft, sleep(600)]);
    server.kill('SIGTERM');
    const { status } = await server.end;
    expect(status).toBe(143);
    expect(workers.filter(isAlive)).toEqual([]);
  });

  test('leaves no worker behind when the process that started them is killed; what is under way is answered', async () => {
    using folder = aFolder();
    await using server = await startWorkers(2, folder.path);
    const workers = await workersOf(server, 2);
    using request = await halfARequest(server);
    server.kill('SIGKILL');
    await vi.waitUntil(() => workers.filter(isAlive).length === 1, limit);
    expect(await request.complete()).toContain('HTTP/1.1 200 OK');
    await vi.waitUntil(() => workers.filter(isAlive).length === 0, limit);
    const { stderr } = await server.end;
    expect(logOf(stderr).filter(({ msg }) => msg === 'server has stopped')).toHaveLength(2);
  });

  test('tells once what keeps them from starting, and ends with the status of that', async () => {
    using folder = aFolder();
    const gone = new URL(await postgres.createDatabase());
    gone.pathname = '/nowhere';
    const { status, stdout, stderr } = await lazuli(
      ['serve', '--port', '0', '--workers', '3', '--database-url', gone.href, ...quietly],
      { cwd: folder.path },
    );
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(sentencesOf(stderr)).toEqual([
      `lazuli: The PostgreSQL database ${gone.host}/nowhere cannot be opened: database "nowhere" does not exist.`,
    ]);
  });
});
