import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openRaw, request } from '../robustness/raw-connection.ts';
import { aRun, startServer } from '../server-fixture.ts';
import { startProcess } from './server-process.ts';
import { readTrace, traceInto, whyNotTraced, type SystemCall } from './system-calls.ts';

/** Requests that change something, each with a mark that its rows carry into the database's log. */
const writes: readonly ((runId: string, mark: string) => readonly [path: string, body: object])[] = [
  (run_id, mark) => ['runs/log-metric', { run_id, key: mark, value: 1, timestamp: 1 }],
  (run_id, mark) => [
    'runs/log-batch',
    { run_id, params: [{ key: mark, value: 'x' }], metrics: [{ key: 'm', value: 1, timestamp: 1 }] },
  ],
  (run_id, mark) => ['runs/set-tag', { run_id, key: mark, value: 'x' }],
  (run_id, mark) => ['runs/log-parameter', { run_id, key: mark, value: 'x' }],
  (_, mark) => ['runs/create', { experiment_id: '0', run_name: mark }],
  (run_id, mark) => ['runs/update', { run_id, run_name: mark }],
  (_, mark) => ['experiments/create', { name: mark }],
  (_, mark) => ['experiments/set-experiment-tag', { experiment_id: '0', key: mark, value: 'x' }],
];

/** Sends every kind of write over several connections at once and gives the system calls of the server. */
async function traceWrites(preload?: URL): Promise<{ calls: SystemCall[]; marks: Map<number, string[]> }> {
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-durable-'));
  try {
    const file = join(folder, 'trace');
    await using server = await startProcess({
      dataDir: join(folder, 'data'),
      flags: ['--log-level', 'error'],
      wrapper: traceInto(file),
      ...(preload === undefined ? {} : { preload }),
    });
    const { run_id } = await aRun(server.client);
    const marks = new Map<number, string[]>();
    await Promise.all(
      Array.from({ length: 4 }, async (_, client) => {
        using connection = await openRaw(server.port);
        const sent: string[] = [];
        marks.set(connection.localPort, sent);
        for (let round = 0; round < 3; round++) {
          for (const [index, write] of writes.entries()) {
            const mark = `mark-${client}-${round}-${index}-end`;
            const [path, body] = write(run_id, mark);
            connection.write(request('POST', `/api/2.0/mlflow/${path}`, JSON.stringify(body)));
            const { status, body: answer } = await connection.answer(10_000);
            expect({ status, answer }).toMatchObject({ status: 200 });
            sent.push(mark);
          }
        }
      }),
    );
    server.signal('SIGTERM');
    await server.ended;
    return { calls: await readTrace(file, server.pid), marks };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The marks whose request was answered before the log that holds it was on disk. */
function answeredTooEarly(calls: readonly SystemCall[], marks: ReadonlyMap<number, readonly string[]>): string[] {
  const early: string[] = [];
  for (const [port, sent] of marks) {
    const answers = calls.flatMap((call, at) => (call.kind === 'answered' && call.clientPort === port ? [at] : []));
    if (answers.length !== sent.length)
      throw new Error(`${sent.length} requests, but ${answers.length} answers in the trace`);
    for (const [index, mark] of sent.entries()) {
      const written = calls.findIndex((call) => call.kind === 'log written' && call.bytes.includes(mark));
      if (written < 0) throw new Error(`${mark} is not in the trace`);
      const synced = calls.findIndex((call, at) => at > written && call.kind === 'log synced');
      if (synced < 0 || synced > (answers[index] ?? 0)) early.push(mark);
    }
  }
  return early;
}

describe('every answer to a write', () => {
  const reason = whyNotTraced();

  test('is sent after the fdatasync of the log that holds it, as system calls show', async (context) => {
    // Where tests decide about changes, this one must not be left out.
    if (reason !== undefined && process.env['CI'] === undefined) context.skip(reason);
    expect(reason).toBeUndefined();
    const { calls, marks } = await traceWrites();
    expect(answeredTooEarly(calls, marks)).toEqual([]);
  }, 60_000);

  test('would be seen to come too early if the database did not sync', async (context) => {
    if (reason !== undefined && process.env['CI'] === undefined) context.skip(reason);
    const { calls, marks } = await traceWrites(new URL('without-sync.ts', import.meta.url));
    const all = [...marks.values()].flat();
    expect(all).toHaveLength(4 * 3 * writes.length);
    expect(answeredTooEarly(calls, marks).sort()).toEqual(all.sort());
  }, 60_000);
});

describe('the commit of a write', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('runs with synchronous = full, and the answer waits for it', async () => {
    const modes = new WeakMap<DatabaseSync, string>();
    const databases = new WeakMap<StatementSync, DatabaseSync>();
    const commits: (string | undefined)[] = [];
    const originals = {
      exec: Reflect.get(DatabaseSync.prototype, 'exec'),
      prepare: Reflect.get(DatabaseSync.prototype, 'prepare'),
      run: Reflect.get(StatementSync.prototype, 'run'),
    };
    vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
      const mode = /synchronous = (\w+)/.exec(sql)?.[1];
      if (mode !== undefined) modes.set(this, mode);
      originals.exec.call(this, sql);
    });
    vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (this: DatabaseSync, sql) {
      const statement = originals.prepare.call(this, sql);
      databases.set(statement, this);
      return statement;
    });
    vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (this: StatementSync, ...values) {
      const result = originals.run.call(this, ...values);
      const database = databases.get(this);
      if (this.sourceSQL === 'commit' && database !== undefined) commits.push(modes.get(database));
      return result;
    });
    await using server = await startServer();
    const { run_id } = await aRun(server.client);
    for (const [index, write] of writes.entries()) {
      const [path, body] = write(run_id, `mark-${index}`);
      commits.length = 0;
      const { status } = await server.request('POST', `/api/2.0/mlflow/${path}`, body);
      expect({ path, status, durable: commits.includes('full') }).toEqual({ path, status: 200, durable: true });
    }
  });

  test('that fails is told to the client as 503, leaves nothing behind, and the next one succeeds', async () => {
    await using server = await startServer();
    const { run_id } = await aRun(server.client);
    const run = Reflect.get(StatementSync.prototype, 'run');
    const syncFailed = 1034;
    for (const [index, write] of writes.entries()) {
      const [path, body] = write(run_id, `mark-${index}`);
      const before = await server.client.runs.getRun({ run_id });
      vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (this: StatementSync, ...values) {
        if (this.sourceSQL === 'commit') throw Object.assign(new Error('disk I/O error'), { errcode: syncFailed });
        return run.call(this, ...values);
      });
      const failed = await server.request('POST', `/api/2.0/mlflow/${path}`, body);
      expect(failed.json).toMatchObject({ error_code: 'TEMPORARILY_UNAVAILABLE' });
      expect(failed.status).toBe(503);
      vi.restoreAllMocks();
      expect(await server.client.runs.getRun({ run_id })).toEqual(before);
      expect(await server.request('POST', `/api/2.0/mlflow/${path}`, body)).toMatchObject({ status: 200 });
    }
  });
});
