import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { withClient } from '../../../../bench/postgres-server.ts';
import { audit } from '../crash/logged-work.ts';
import { expectOnlyUnavailable, startLoad, startOn, watchHealth } from './load.ts';
import { startPostgres } from './postgres-server.ts';

test('a database that has become a standby refuses writes with 503, answers reads, and takes writes when it is a primary again', async () => {
  await using undo = new AsyncDisposableStack();
  const postgres = undo.use(await startPostgres());
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-standby-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const server = undo.use(await startOn(await postgres.createDatabase(), folder));

  const setReadOnly = (value: 'on' | 'off'): Promise<unknown> =>
    withClient(postgres.cluster.maintenance, async (client) => {
      await client.query(`alter system set default_transaction_read_only = ${value}`);
      await client.query('select pg_reload_conf()');
    });
  const backends = (): Promise<number[]> =>
    withClient(postgres.cluster.maintenance, async (client) => {
      const { rows } = await client.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name = 'lazuli'`,
      );
      return rows.map(({ pid }) => pid);
    });

  const load = await startLoad(server, 'fail-over');
  const health = watchHealth(server);
  await load.untilEachHas(10);
  const [book] = load.books.runs;
  const run_id = book?.runId ?? '';
  const before = await backends();
  expect(before.length).toBeGreaterThan(0);

  await setReadOnly('on');
  while (load.failures.length < 20) await sleep(10);
  const failed = load.failures.length;
  await expect(server.client.runs.getRun({ run_id })).resolves.toMatchObject({ run: { info: { run_id } } });
  await expect(server.client.experiments.createExperiment({ name: 'refused' })).rejects.toMatchObject({
    errorCode: 'TEMPORARILY_UNAVAILABLE',
    status: 503,
  });
  expect(failed).toBeGreaterThan(0);
  const acknowledged = load.books.acknowledgements;
  await sleep(500);
  expect(load.books.acknowledgements).toBe(acknowledged);

  await setReadOnly('off');
  expect(await load.untilEachHas(2)).toBeLessThan(3_000);
  expect((await backends()).filter((pid) => before.includes(pid))).toEqual([]);
  await load.untilEachHas(10);
  await Promise.all([load.stop(), health.stop()]);
  expectOnlyUnavailable(load);
  await audit(server.client, load.books);
});
