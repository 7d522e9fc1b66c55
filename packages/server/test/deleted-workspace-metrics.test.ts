import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { Client } from '@lazuli/client';
import { afterEach, beforeEach, expect, inject, onTestFinished, test, vi } from 'vitest';
import { withClient } from '../../../bench/postgres-server.ts';
import { databaseOnSharedPostgres } from './postgres/test-databases.ts';
import { aRun, startServer, type TestServer } from './server-fixture.ts';

/**
 * A workspace that is deleted between the commit of its points and their settling. The clock of the settling stands
 * still, so that the gap lasts until a read or the end of the server closes it.
 */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const steps = 50;

interface LoggedRun {
  readonly client: Client;
  readonly run_id: string;
}

async function aDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-deleted-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

async function twoTeams({ client, clientFor }: TestServer): Promise<[doomed: LoggedRun, kept: LoggedRun]> {
  const team = async (name: string): Promise<LoggedRun> => {
    await client.workspaces.createWorkspace({ name });
    const ofTeam = clientFor({ workspace: name });
    return { client: ofTeam, run_id: (await aRun(ofTeam)).run_id };
  };
  return [await team('doomed'), await team('kept')];
}

/** Both teams in one commit: their batches arrive in the same turn. */
async function logTogether(teams: readonly LoggedRun[], firstStep: number): Promise<void> {
  const metrics = Array.from({ length: steps }, (_, index) => ({
    key: 'loss',
    value: 1 / (firstStep + index + 1),
    timestamp: 1_000 + firstStep + index,
    step: firstStep + index,
  }));
  await Promise.all(teams.map(({ client, run_id }) => client.runs.logBatch({ run_id, metrics })));
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

/** A batch on each turn of the loop, whether or not those before it are answered. */
async function logTurnByTurn(run: LoggedRun, count: number): Promise<PromiseSettledResult<void>[]> {
  const batches: Promise<void>[] = [];
  for (let batch = 1; batch <= count; batch++) {
    batches.push(logTogether([run], batch * steps));
    await setImmediate();
  }
  return Promise.allSettled(batches);
}

async function expectWhole({ client, run_id }: LoggedRun, count: number): Promise<void> {
  const { metrics = [] } = await client.metrics.getMetricHistory({ run_id, metric_key: 'loss' });
  expect(metrics.map(({ step }) => step)).toEqual(Array.from({ length: count }, (_, step) => step));
  const { run } = await client.runs.getRun({ run_id });
  expect(run.data.metrics).toEqual([{ key: 'loss', value: 1 / count, timestamp: 999 + count, step: count - 1 }]);
}

const unsettled = 'select count(*) as total from metric_log';
/** On PostgreSQL points go to their place with their commit, because another process may read them next. */
const pointsWait = (): boolean => inject('engine') === 'sqlite';
/** Points and latest values whose run is not there. */
const stray = `select (select count(*) from metric_points where run_key not in (select run_key from runs))
  + (select count(*) from latest_metrics where run_key not in (select run_key from runs)) as total`;

async function total(dataDir: string, query: string): Promise<number> {
  if (inject('engine') === 'sqlite') {
    using database = new DatabaseSync(join(dataDir, 'lazuli.db'), { readOnly: true });
    return Number(database.prepare(query).get()?.['total']);
  }
  return withClient(new URL(await databaseOnSharedPostgres(dataDir)), async (client) => {
    const { rows } = await client.query<{ total: string }>(query);
    return Number(rows[0]?.total);
  });
}

const deleteDoomed = ({ client }: TestServer) =>
  client.workspaces.deleteWorkspace({ workspace_name: 'doomed', mode: 'CASCADE' });

test('points that wait for their place vanish with their workspace, and others stay whole', async () => {
  const dataDir = await aDataDir();
  let kept: LoggedRun;
  {
    await using server = await startServer({ 'data-dir': dataDir });
    const teams = await twoTeams(server);
    kept = teams[1];
    await logTogether(teams, 0);
    expect((await total(dataDir, unsettled)) > 0).toBe(pointsWait());
    await deleteDoomed(server);
    expect((await total(dataDir, unsettled)) > 0).toBe(pointsWait());
    await expectWhole(kept, steps);
    await logTogether([kept], steps);
    await expectWhole(kept, 2 * steps);
  }
  expect([await total(dataDir, unsettled), await total(dataDir, stray)]).toEqual([0, 0]);
  await using again = await startServer({ 'data-dir': dataDir });
  await expectWhole({ ...kept, client: again.clientFor({ workspace: 'kept' }) }, 2 * steps);
});

test('a deletion in the midst of logging and reading fails no request of another workspace', async () => {
  const dataDir = await aDataDir();
  {
    await using server = await startServer({ 'data-dir': dataDir });
    const [doomed, kept] = await twoTeams(server);
    await logTogether([doomed, kept], 0);
    // A settling that is under way when the deletion commits, and one that starts behind it.
    const reading = server.client.runs.searchRuns({ experiment_ids: ['0'], order_by: ['metrics.loss'] });
    const history = kept.client.metrics.getMetricHistory({ run_id: kept.run_id, metric_key: 'loss' });
    const doomedLogging = logTurnByTurn(doomed, 20);
    const deletion = turns(10).then(() => deleteDoomed(server));
    const logging = logTogether([kept], steps);
    await Promise.all([reading, history, deletion, logging]);
    // Each of these came before the deletion or was refused.
    for (const outcome of await doomedLogging) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ status: 404 });
    }
    await expect(doomed.client.runs.getRun({ run_id: doomed.run_id })).rejects.toMatchObject({ status: 404 });
    await expectWhole(kept, 2 * steps);
    await server.client.workspaces.createWorkspace({ name: 'doomed' });
    const sameName = { client: doomed.client, run_id: (await aRun(doomed.client)).run_id };
    await logTogether([sameName], 0);
    await expectWhole(sameName, steps);
  }
  expect([await total(dataDir, unsettled), await total(dataDir, stray)]).toEqual([0, 0]);
});
