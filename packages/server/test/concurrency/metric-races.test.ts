import { expect } from 'vitest';
import type { Random } from './random.ts';
import { race, repeat } from './races.ts';
import { onTwoSides, uniqueName, warmRun } from './two-sides.ts';

interface Point {
  readonly step: number;
  readonly timestamp: number;
  readonly value: number;
}

/** The greatest by (step, timestamp, value) comes last. */
const byRank = (x: Point, y: Point): number => x.step - y.step || x.timestamp - y.timestamp || x.value - y.value;

/** Points of few steps, times and values, so that every column gets to decide; no two are equal. */
function somePoints(random: Random, count: number): Point[] {
  const points = new Map<string, Point>();
  while (points.size < count) {
    const point = { step: random.below(3) - 1, timestamp: random.below(3), value: random.below(4) - 1 };
    points.set(JSON.stringify(point), point);
  }
  return [...points.values()];
}

onTwoSides('the latest metric is the greatest point, whichever side it came from and whenever', async (sides) => {
  const { a, b } = sides;
  await repeat(async (random) => {
    const run_id = await warmRun(sides, '0');
    const points = somePoints(random, 8);
    const log = (client: typeof a.client, mine: readonly Point[]) => async () => {
      for (const point of mine) await client.runs.logMetric({ run_id, key: 'loss', ...point });
    };
    const batch = (client: typeof a.client, mine: readonly Point[]) => () =>
      client.runs.logBatch({ run_id, metrics: mine.map((point) => ({ key: 'loss', ...point })) });
    const outcomes = await race(
      random,
      log(a.client, points.slice(0, 2)),
      log(b.client, points.slice(2, 4)),
      batch(a.client, points.slice(4, 6)),
      batch(b.client, points.slice(6)),
    );
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    const greatest = points.toSorted(byRank).at(-1);
    for (const { client } of sides.both) {
      const { metrics = [] } = (await client.runs.getRun({ run_id })).run.data;
      expect(metrics.find(({ key }) => key === 'loss')).toMatchObject(greatest!);
      const history = await client.metrics.getMetricHistory({ run_id, metric_key: 'loss' });
      expect(history.metrics).toHaveLength(points.length);
      const found = await client.runs.searchRuns({
        experiment_ids: ['0'],
        filter: `metrics.loss = ${greatest!.value} and attributes.run_id = '${run_id}'`,
      });
      expect(found.runs).toHaveLength(1);
    }
  });
});

onTwoSides('metric keys that both sides see for the first time are one key each, and lose no point', async (sides) => {
  const { a, b, query } = sides;
  await repeat(
    async (random) => {
      const name = uniqueName('new keys');
      const { experiment_id } = await a.client.experiments.createExperiment({ name });
      const runs = await Promise.all(
        [0, 1].map(async () => (await a.client.runs.createRun({ experiment_id })).run.info.run_id),
      );
      const keys = ['k1', 'k2', 'k3', 'k4', 'k5'];
      const batch = (client: typeof a.client, run_id: string, value: number) => () =>
        client.runs.logBatch({
          run_id,
          metrics: random.shuffle(keys).map((key) => ({ key, value, timestamp: value, step: 0 })),
        });
      const outcomes = await race(
        random,
        batch(a.client, runs[0]!, 1),
        batch(b.client, runs[0]!, 2),
        batch(a.client, runs[1]!, 3),
        batch(b.client, runs[1]!, 4),
      );
      expect(outcomes.every(({ ok }) => ok)).toBe(true);
      const interned = await query(
        `select key, count(*) as total from metric_keys m
        join experiments e on e.workspace_id = m.workspace_id and e.experiment_id = m.experiment_id
        where e.name = '${name}' group by key order by key`,
      );
      expect(interned.map((row) => [row['key'], Number(row['total'])])).toEqual(keys.map((key) => [key, 1]));
      for (const { client } of sides.both) {
        for (const metric_key of keys) {
          const points = await Promise.all(
            runs.map(async (run_id) => (await client.metrics.getMetricHistory({ run_id, metric_key })).metrics ?? []),
          );
          expect(points.flat().map(({ value }) => value)).toEqual([1, 2, 3, 4]);
        }
      }
    },
    { most: 150, seconds: 2.5 },
  );
});
