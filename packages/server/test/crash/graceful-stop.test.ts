import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRaw, request } from '../robustness/raw-connection.ts';
import { aRun } from '../server-fixture.ts';
import { integrityOf, unsettledCommits } from './integrity.ts';
import { audit, emptyBooks, work } from './logged-work.ts';
import { startProcess, type ServerProcess } from './server-process.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lazuli-stop-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

async function untilStopping(server: ServerProcess): Promise<void> {
  await expect.poll(() => server.output()).toContain('Stopping');
}

describe('a server that is asked to stop', () => {
  test('answers every request that is under way, and stores what it answers', async () => {
    await using server = await startProcess({ dataDir });
    const { run_id, experiment_id } = await aRun(server.client);
    const connections = await Promise.all(Array.from({ length: 20 }, () => openRaw(server.port)));
    const requests = connections.map((_, index) =>
      request(
        'POST',
        '/api/2.0/mlflow/runs/log-metric',
        JSON.stringify({ run_id, key: `m${index}`, value: index, timestamp: 1 }),
      ),
    );
    // All but the last byte of each body has arrived when the stop is asked for.
    connections.forEach((connection, index) => connection.write(requests[index]?.slice(0, -1) ?? ''));
    using idle = await openRaw(server.port);
    idle.write(request('GET', '/health'));
    await idle.answer();
    server.signal('SIGTERM');
    await untilStopping(server);
    connections.forEach((connection, index) => connection.write(requests[index]?.slice(-1) ?? ''));
    const answers = await Promise.all(connections.map((connection) => connection.answer(10_000)));
    expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual(answers.map(() => '200 {}'));
    expect(await Promise.all(connections.map((connection) => connection.closed(10_000)))).toEqual(
      answers.map(() => ''),
    );
    expect(await idle.closed(10_000)).toBe('');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(unsettledCommits(dataDir)).toBe(0);

    await using next = await startProcess({ dataDir });
    const { runs = [] } = await next.client.runs.searchRuns({
      experiment_ids: [experiment_id],
      filter: 'metrics.m19 = 19',
    });
    expect(runs[0]?.data.metrics).toHaveLength(20);
  });

  test('under load loses nothing that it acknowledged, and leaves the latest values settled', async () => {
    const experiment = await (async () => {
      await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
      const { experiment_id } = await server.client.experiments.createExperiment({ name: 'load' });
      const books = emptyBooks(experiment_id);
      const onAnswer = (): void => {
        if (books.acknowledgements === 500) server.signal('SIGTERM');
      };
      await Promise.all(Array.from({ length: 8 }, (_, index) => work(server.client, books, String(index), onAnswer)));
      expect(await server.ended).toEqual({ code: 0, signal: null });
      for (const { status } of books.refusals) expect(status).toBe(503);
      return books;
    })();
    expect(experiment.acknowledgements).toBeGreaterThanOrEqual(500);
    expect(unsettledCommits(dataDir)).toBe(0);
    expect(integrityOf(dataDir)).toBe('ok');
    await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
    await audit(server.client, experiment);
  });

  test('lets a slow reader have the whole of an answer that is already on its way', async () => {
    await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
    const { experiment_id } = await server.client.experiments.createExperiment({ name: 'large' });
    const tags = Array.from({ length: 100 }, (_, index) => ({ key: `t${index}`, value: 'v'.repeat(8_000) }));
    for (let run = 0; run < 25; run++) await server.client.runs.createRun({ experiment_id, start_time: 1, tags });
    using reader = await openRaw(server.port);
    reader.socket.pause();
    reader.write(request('POST', '/api/2.0/mlflow/runs/search', JSON.stringify({ experiment_ids: [experiment_id] })));
    // Once another connection sees its answer to the same question, the first one's is written, too.
    const { runs = [] } = await server.client.runs.searchRuns({ experiment_ids: [experiment_id] });
    expect(runs).toHaveLength(25);
    server.signal('SIGTERM');
    await untilStopping(server);
    reader.socket.resume();
    const { status, body } = await reader.answer(20_000);
    expect(status).toBe(200);
    expect((JSON.parse(body) as { runs: unknown[] }).runs).toHaveLength(25);
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  test('takes requests for as long as it is told to, while it says that it is not ready', async () => {
    await using server = await startProcess({ dataDir, flags: ['--drain-delay', '5'] });
    const probe = async (path: string) => {
      using connection = await openRaw(server.port);
      connection.write(request('GET', path));
      const { status, body } = await connection.answer();
      return [status, body];
    };
    expect(await probe('/health/ready')).toEqual([200, 'OK']);
    const { run_id } = await aRun(server.client);
    server.signal('SIGTERM');
    await untilStopping(server);
    const stopping = performance.now();
    await expect.poll(() => probe('/health/ready')).toEqual([503, 'The server is stopping.']);
    expect(await probe('/health')).toEqual([200, 'OK']);
    // A balancer that has not noticed yet sends what it has to a server that still takes it.
    await server.client.runs.logMetric({ run_id, key: 'late', value: 1, timestamp: 1 });
    using kept = await openRaw(server.port);
    kept.write(request('GET', '/health/ready'));
    expect((await kept.answer()).status).toBe(503);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - stopping).toBeGreaterThan(2_500);
    expect(await kept.closed()).toBe('');
    expect(server.logLines().filter(({ msg }) => String(msg).startsWith('server '))).toMatchObject([
      { level: 30, msg: 'server has started', urls: expect.arrayContaining([server.url]) as unknown, auth: 'none' },
      { level: 30, msg: 'server is stopping', drainDelay: 5 },
      { level: 30, msg: 'server has stopped', ms: expect.any(Number) as number },
    ]);
    await using next = await startProcess({ dataDir });
    const { run } = await next.client.runs.getRun({ run_id });
    expect(run.data.metrics).toMatchObject([{ key: 'late', value: 1 }]);
  });

  test('does not wait for connections on which nothing is under way, nor for a request that has not begun', async () => {
    await using server = await startProcess({ dataDir });
    using silent = await openRaw(server.port);
    using halfway = await openRaw(server.port);
    halfway.write('POST /api/2.0/mlflow/runs/log-metric HTTP/1.1\r\nHost: 127.0.0.1\r\nX-');
    // An answer on a third connection shows that what was sent before it has been read.
    using other = await openRaw(server.port);
    other.write(request('GET', '/health'));
    await other.answer();
    server.signal('SIGTERM');
    await silent.closed(5_000);
    halfway.socket.destroy();
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });
});
