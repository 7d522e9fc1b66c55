import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Engine } from '../database/engine.ts';
import { openSqlite } from '../database/sqlite/open-sqlite.ts';
import { openMetricStore, type MetricStore } from './metric-store.ts';
import type { SeriesPoints } from './series-points.ts';

/** Runs need no row of their own here, except for recovery, which asks whether they are still there. */
async function anEngine(): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-points-'));
  const engine = await openSqlite({
    path: join(folder, 'lazuli.db'),
    readerThread: new URL('../reader-thread.ts', import.meta.url),
  });
  onTestFinished(async () => {
    await engine.close();
    await rm(folder, { recursive: true });
  });
  return engine;
}

function points(runKey: number, ...rows: readonly [step: number, value: number][]): SeriesPoints {
  return {
    workspaceId: 1,
    runKey,
    metricKeys: rows.map(() => 5),
    timestamps: rows.map(([step]) => 1_000 + step),
    steps: rows.map(([step]) => step),
    values: rows.map(([, value]) => value),
  };
}

async function log(engine: Engine, store: MetricStore, ...series: SeriesPoints[]): Promise<void> {
  await engine.group((tx) => store.append(tx, series));
}

const stored = (engine: Engine) =>
  engine.db
    .selectFrom('metric_points')
    .select(['run_key', 'step', 'value'])
    .orderBy('run_key')
    .orderBy('step')
    .execute();
const latest = (engine: Engine) =>
  engine.db.selectFrom('latest_metrics').select(['run_key', 'step', 'value']).orderBy('run_key').execute();
const logged = (engine: Engine) => engine.db.selectFrom('metric_log').select('seq').execute();

test('points reach their place when they are asked for, and those of other runs may wait', async () => {
  const engine = await anEngine();
  const store = await openMetricStore(engine);
  await log(engine, store, points(1, [0, 0.5], [1, 0.25]), points(2, [0, 7]));
  expect(await stored(engine)).toEqual([]);
  await store.settlePoints([1]);
  expect(await stored(engine)).toEqual([
    { run_key: 1, step: 0, value: 0.5 },
    { run_key: 1, step: 1, value: 0.25 },
  ]);
  await store.settleLatest();
  expect(await latest(engine)).toEqual([
    { run_key: 1, step: 1, value: 0.25 },
    { run_key: 2, step: 0, value: 7 },
  ]);
  await store.close();
});

test('closing settles everything and empties the log', async () => {
  const engine = await anEngine();
  const store = await openMetricStore(engine);
  for (let step = 0; step < 30; step++) await log(engine, store, points(1, [step, step]));
  await store.close();
  expect(await stored(engine)).toHaveLength(30);
  expect(await logged(engine)).toEqual([]);
});

test('a point that comes again is stored once, and an older one does not become the latest', async () => {
  const engine = await anEngine();
  const store = await openMetricStore(engine);
  await log(engine, store, points(1, [3, 0.5], [3, 0.5]));
  await store.settlePoints([1]);
  await store.settleLatest();
  await log(engine, store, points(1, [3, 0.5], [2, 9]));
  await store.close();
  expect(await stored(engine)).toEqual([
    { run_key: 1, step: 2, value: 9 },
    { run_key: 1, step: 3, value: 0.5 },
  ]);
  expect(await latest(engine)).toEqual([{ run_key: 1, step: 3, value: 0.5 }]);
});

test('what a process left in the log is settled by the next one, except for runs that are gone', async () => {
  const engine = await anEngine();
  const abandoned = await openMetricStore(engine);
  await log(engine, abandoned, points(1, [0, 1]), points(2, [0, 2]));
  await engine.transaction(async ({ db }) => {
    await db
      .insertInto('workspaces')
      .values({
        workspace_id: 1,
        guid: 'g',
        subscription_id: 's',
        resource_group: 'r',
        name: 'w',
        region: 'local',
        description: null,
        default_artifact_root: null,
        next_experiment_id: 1,
        creation_time: 0,
      })
      .execute();
    await db
      .insertInto('experiments')
      .values({
        workspace_id: 1,
        experiment_id: 0,
        name: 'e',
        artifact_location: 'mlflow-artifacts:/0',
        lifecycle_stage: 'active',
        creation_time: 0,
        last_update_time: 0,
      })
      .execute();
    await db
      .insertInto('runs')
      .values({
        run_key: 1,
        workspace_id: 1,
        run_id: 'a',
        experiment_id: 0,
        run_name: 'n',
        user_id: '',
        status: 'RUNNING',
        start_time: 0,
        end_time: null,
        lifecycle_stage: 'active',
        deleted_time: null,
        artifact_uri: '',
      })
      .execute();
  });
  const next = await openMetricStore(engine);
  expect(await stored(engine)).toEqual([{ run_key: 1, step: 0, value: 1 }]);
  expect(await latest(engine)).toEqual([{ run_key: 1, step: 0, value: 1 }]);
  expect(await logged(engine)).toEqual([]);
  await log(engine, next, points(1, [1, 2]));
  await next.close();
  expect(await stored(engine)).toHaveLength(2);
});

test('a group that fails leaves no point behind', async () => {
  const engine = await anEngine();
  const store = await openMetricStore(engine);
  const failing = engine.group(async (tx) => {
    await store.append(tx, [points(1, [0, 1])]);
    throw new Error('the commit fails');
  });
  await expect(failing).rejects.toThrow('the commit fails');
  await log(engine, store, points(1, [1, 2]));
  await store.close();
  expect(await stored(engine)).toEqual([{ run_key: 1, step: 1, value: 2 }]);
});

/** A run of a workspace that is going to be removed. */
const ofRemoved = (series: SeriesPoints): SeriesPoints => ({ ...series, workspaceId: 2 });

test('points of a removed workspace count as waiting no longer, and come to no place', async () => {
  // The clock of the background settling stands still: what waits, waits until it is asked for.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const engine = await anEngine();
  const store = await openMetricStore(engine);
  await log(engine, store, points(1, [0, 1]), ofRemoved(points(9, [0, 1])));
  const many = Array.from({ length: 10_000 }, (_, index): [number, number] => [index, index]);
  await log(engine, store, ...Array.from({ length: 40 }, (_, index) => ofRemoved(points(10 + index, ...many))));
  // More wait than may: the next point takes the way without the log.
  await log(engine, store, points(1, [1, 2]));
  expect(await stored(engine)).toEqual([{ run_key: 1, step: 1, value: 2 }]);

  store.forgetWorkspace(2);
  await log(engine, store, points(1, [2, 3]));
  expect(await stored(engine)).toHaveLength(1);
  expect(await logged(engine)).toHaveLength(3);
  await store.close();
  expect(await stored(engine)).toEqual([
    { run_key: 1, step: 0, value: 1 },
    { run_key: 1, step: 1, value: 2 },
    { run_key: 1, step: 2, value: 3 },
  ]);
  expect(await latest(engine)).toEqual([{ run_key: 1, step: 2, value: 3 }]);
  expect(await logged(engine)).toEqual([]);
});

test('a settling that waits while a workspace is removed settles the others alone', async () => {
  const engine = await anEngine();
  const store = await openMetricStore(engine);
  await log(engine, store, points(1, [0, 1]), ofRemoved(points(9, [0, 9])));
  const removal = engine.transaction(({ onCommit }) => {
    onCommit(() => store.forgetWorkspace(2));
    return Promise.resolve();
  });
  await Promise.all([removal, store.settlePoints([9, 1]), store.settleLatest()]);
  expect(await stored(engine)).toEqual([{ run_key: 1, step: 0, value: 1 }]);
  expect(await latest(engine)).toEqual([{ run_key: 1, step: 0, value: 1 }]);
  await store.close();
  expect(await stored(engine)).toHaveLength(1);
});
