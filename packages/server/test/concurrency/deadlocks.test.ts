import type { Client } from '@lazuli/client';
import { expect } from 'vitest';
import { createRandom, type Random } from './random.ts';
import { outcomeOf, turns } from './races.ts';
import { onTwoSides } from './two-sides.ts';

/**
 * Transactions that take the same locks in different orders wait for each other until PostgreSQL ends one of them, a second
 * later. So everything that locks is sent at once, to the same few runs, experiments and keys.
 */
const seconds = process.env['LAZULI_NIGHTLY'] === '1' ? 120 : 10;
const workersASide = 8;

interface Objects {
  readonly experiments: readonly string[];
  readonly runs: readonly string[];
}

const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);

type Verb = (client: Client, random: Random, objects: Objects) => Promise<unknown>;

function someKeys(random: Random): string[] {
  return random.shuffle(keys).slice(0, 1 + random.below(keys.length));
}

const logging: readonly Verb[] = [
  ({ runs }, random, objects) =>
    runs.logBatch({
      run_id: random.pick(objects.runs),
      metrics: someKeys(random).map((key) => ({ key, value: random.below(5), timestamp: 1, step: random.below(3) })),
      params: someKeys(random).map((key) => ({ key, value: 'same' })),
      tags: someKeys(random).map((key) => ({ key, value: `${random.below(5)}` })),
    }),
  ({ runs }, random, objects) =>
    runs.logMetric({ run_id: random.pick(objects.runs), key: `new ${random.below(10_000)}`, value: 1, timestamp: 1 }),
  ({ runs }, random, objects) =>
    runs.logParam({ run_id: random.pick(objects.runs), key: random.pick(keys), value: `${random.below(2)}` }),
  ({ runs }, random, objects) =>
    runs.setTag({ run_id: random.pick(objects.runs), key: 'mlflow.runName', value: `n${random.below(5)}` }),
  ({ runs }, random, objects) =>
    runs.createRun({
      experiment_id: random.pick(objects.experiments),
      tags: someKeys(random).map((key) => ({ key, value: 'x' })),
    }),
];

const changing: readonly Verb[] = [
  ({ runs }, random, objects) =>
    runs.updateRun({ run_id: random.pick(objects.runs), run_name: `u${random.below(5)}`, status: 'FINISHED' }),
  ({ runs }, random, objects) => runs.deleteTag({ run_id: random.pick(objects.runs), key: random.pick(keys) }),
  ({ runs }, random, objects) =>
    runs.logInputs({
      run_id: random.pick(objects.runs),
      datasets: someKeys(random).map((name) => ({
        dataset: { name, digest: `${random.below(50)}`, source_type: 'local', source: 's' },
      })),
      models: someKeys(random).map((model_id) => ({ model_id })),
    }),
  ({ runs }, random, objects) =>
    runs.logOutputs({
      run_id: random.pick(objects.runs),
      models: someKeys(random).map((model_id) => ({ model_id, step: random.below(3) })),
    }),
  ({ runs }, random, objects) => runs.deleteRun({ run_id: random.pick(objects.runs) }),
  ({ runs }, random, objects) => runs.restoreRun({ run_id: random.pick(objects.runs) }),
  ({ experiments }, random, objects) =>
    experiments.deleteExperiment({ experiment_id: random.pick(objects.experiments) }),
  ({ experiments }, random, objects) =>
    experiments.restoreExperiment({ experiment_id: random.pick(objects.experiments) }),
  ({ experiments }, random, objects) =>
    experiments.updateExperiment({
      experiment_id: random.pick(objects.experiments),
      new_name: `name ${random.below(4)}`,
    }),
  ({ experiments }, random, objects) =>
    experiments.setExperimentTag({
      experiment_id: random.pick(objects.experiments),
      key: random.pick(keys),
      value: 'x',
    }),
  ({ experiments }, random) => experiments.createExperiment({ name: `name ${random.below(1_000)}` }),
];

const deleting = new Set([4, 6]);

onTwoSides(
  'no two requests ever wait for each other, whatever both sides do to the same runs',
  async ({ a, both }) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = createRandom(seed);
    const ids = await Promise.all(
      ['one', 'two'].map(async (name) => (await a.client.experiments.createExperiment({ name })).experiment_id),
    );
    const runs: string[] = [];
    for (let count = 0; count < 20; count++) {
      const { run } = await a.client.runs.createRun({ experiment_id: ids[count % 2]! });
      runs.push(run.info.run_id);
    }
    const objects = { experiments: ids, runs };
    const end = performance.now() + seconds * 1000;
    let slowest = 0;
    let accepted = 0;
    let sent = 0;
    const work = async (client: Client): Promise<void> => {
      while (performance.now() < end) {
        await turns(1);
        let place = random.below(changing.length);
        // What is deleted takes no locks: it should be rare.
        if (deleting.has(place) && random.below(5) > 0) place = (place + 1) % changing.length;
        const verb = random.below(3) === 0 ? changing[place]! : random.pick(logging);
        const start = performance.now();
        // A 5xx is no outcome: it fails the test.
        const outcome = await outcomeOf(() => verb(client, random, objects));
        slowest = Math.max(slowest, performance.now() - start);
        sent++;
        if (outcome.ok) accepted++;
      }
    };
    await Promise.all(both.flatMap(({ client }) => Array.from({ length: workersASide }, () => work(client))));
    expect(sent).toBeGreaterThan(200);
    expect(accepted).toBeGreaterThan(sent / 4);
    expect(slowest).toBeLessThan(2_000);
  },
  { timeoutMs: seconds * 1000 + 60_000 },
);
