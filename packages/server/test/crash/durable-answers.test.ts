import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ask, openRaw, request } from '../robustness/raw-connection.ts';
import { aRun } from '../server-fixture.ts';
import { startOrderedServer } from './ordered-server.ts';
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
    return { calls: await readTrace(file), marks };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The marks whose request was answered before the log that holds it was on disk. */
function answeredTooEarly(calls: readonly SystemCall[], marks: ReadonlyMap<number, readonly string[]>): string[] {
  const early: string[] = [];
  const syncs = calls.filter(({ kind }) => kind === 'log synced');
  for (const [port, sent] of marks) {
    const answers = calls.filter((call) => call.kind === 'answered' && call.clientPort === port);
    if (answers.length !== sent.length)
      throw new Error(`${sent.length} requests, but ${answers.length} answers in the trace`);
    for (const [index, mark] of sent.entries()) {
      const written = calls.find((call) => call.kind === 'log written' && call.bytes.includes(mark));
      if (written === undefined) throw new Error(`${mark} is not in the trace`);
      const answered = answers[index]?.began ?? 0;
      // A sync that was under way during the write says nothing about it.
      if (!syncs.some(({ began, ended }) => began > written.ended && ended < answered)) early.push(mark);
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
  });

  test('would be seen to come too early if the database did not sync', async (context) => {
    if (reason !== undefined && process.env['CI'] === undefined) context.skip(reason);
    const { calls, marks } = await traceWrites(new URL('without-sync.ts', import.meta.url));
    const all = [...marks.values()].flat();
    expect(all).toHaveLength(4 * 3 * writes.length);
    expect(answeredTooEarly(calls, marks).sort()).toEqual(all.sort());
  });
});

describe('the commit of a write', () => {
  test('runs with synchronous = full, and the answer waits for it', async () => {
    await using started = await startOrderedServer();
    const { server, orders } = started;
    const { run_id } = await aRun(server.client);
    const read = request('GET', `/api/2.0/mlflow/runs/get?run_id=${run_id}`);
    for (const [index, write] of writes.entries()) {
      const [path, body] = write(run_id, `mark-${index}`);
      const before = await ask(server.port, read, 5_000);
      using connection = await openRaw(server.port);
      orders.give({ commit: 'hold' });
      connection.write(request('POST', `/api/2.0/mlflow/${path}`, JSON.stringify(body)));
      // Only a commit with synchronous = full is held.
      await expect.poll(() => orders.isHolding(), { interval: 5 }).toBe(true);
      // The server answers others meanwhile, so it is not for want of time that this one gets nothing.
      expect(await ask(server.port, read, 5_000)).toMatchObject({ status: 200, body: before.body });
      await expect(connection.answer(100)).rejects.toThrow(/^No answer within 100 ms; received so far: $/);
      expect({ path, isHolding: orders.isHolding() }).toEqual({ path, isHolding: true });
      orders.give({});
      const { status } = await connection.answer(5_000);
      expect({ path, status, isHolding: orders.isHolding() }).toEqual({ path, status: 200, isHolding: false });
    }
  });

  test('that fails is told to the client as 503, leaves nothing behind, and the next one succeeds', async () => {
    await using started = await startOrderedServer();
    const { server, orders } = started;
    const { run_id } = await aRun(server.client);
    for (const [index, write] of writes.entries()) {
      const [path, body] = write(run_id, `mark-${index}`);
      const text = request('POST', `/api/2.0/mlflow/${path}`, JSON.stringify(body));
      const before = await server.client.runs.getRun({ run_id });
      orders.give({ commit: 'fail' });
      const failed = await ask(server.port, text, 5_000);
      expect(JSON.parse(failed.body)).toMatchObject({ error_code: 'TEMPORARILY_UNAVAILABLE' });
      expect(failed.status).toBe(503);
      orders.give({});
      expect(await server.client.runs.getRun({ run_id })).toEqual(before);
      expect(await ask(server.port, text, 5_000)).toMatchObject({ status: 200 });
    }
  });
});
