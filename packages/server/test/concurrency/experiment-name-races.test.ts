import { expect } from 'vitest';
import { race, repeat } from './races.ts';
import { onTwoSides, uniqueName } from './two-sides.ts';

const taken = { status: 400, errorCode: 'RESOURCE_ALREADY_EXISTS' };

onTwoSides('a name that is created on both sides goes to one of them, and ids never repeat', async (sides) => {
  const { a, b } = sides;
  const given = new Set<string>(['0']);
  await repeat(async (random) => {
    const [name, other] = [uniqueName('created'), uniqueName('other')];
    const create = (client: typeof a.client, wanted: string) => () =>
      client.experiments.createExperiment({ name: wanted });
    const outcomes = await race(
      random,
      create(a.client, name),
      create(b.client, name),
      create(a.client, other),
      create(b.client, uniqueName('third')),
    );
    const contested = outcomes.slice(0, 2);
    expect(contested.filter(({ ok }) => ok)).toHaveLength(1);
    expect(contested.find(({ ok }) => !ok)).toMatchObject({ error: taken });
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(3);
    for (const outcome of outcomes) {
      if (!outcome.ok) continue;
      expect(given).not.toContain(outcome.value.experiment_id);
      given.add(outcome.value.experiment_id);
    }
    const winner = contested.find(({ ok }) => ok) as { value: { experiment_id: string } };
    for (const { client } of sides.both) {
      const { experiment } = await client.experiments.getExperimentByName({ experiment_name: name });
      expect(experiment.experiment_id).toBe(winner.value.experiment_id);
    }
  });
});

onTwoSides('a name that one side renames to while the other creates it goes to one of them', async (sides) => {
  const [first, second] = sides.both;
  await repeat(async (random, index) => {
    const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
    const old = uniqueName('old');
    const { experiment_id } = await a.client.experiments.createExperiment({ name: old });
    const name = uniqueName('contested');
    const [renamed, created] = await race(
      random,
      () => a.client.experiments.updateExperiment({ experiment_id, new_name: name }),
      () => b.client.experiments.createExperiment({ name }),
    );
    expect(renamed.ok).toBe(!created.ok);
    if (!renamed.ok) expect(renamed.error).toMatchObject(taken);
    if (!created.ok) expect(created.error).toMatchObject(taken);
    for (const { client } of sides.both) {
      const holder = (await client.experiments.getExperimentByName({ experiment_name: name })).experiment;
      expect(holder.experiment_id).toBe(created.ok ? created.value.experiment_id : experiment_id);
      const mine = (await client.experiments.getExperiment({ experiment_id })).experiment;
      expect(mine.name).toBe(created.ok ? old : name);
    }
  });
});

onTwoSides('a name that both sides rename to goes to one of them', async (sides) => {
  const { a, b } = sides;
  await repeat(async (random) => {
    const ids = await Promise.all(
      sides.both.map(
        async ({ client }) => (await client.experiments.createExperiment({ name: uniqueName('before') })).experiment_id,
      ),
    );
    const name = uniqueName('wanted');
    const outcomes = await race(
      random,
      () => a.client.experiments.updateExperiment({ experiment_id: ids[0]!, new_name: name }),
      () => b.client.experiments.updateExperiment({ experiment_id: ids[1]!, new_name: name }),
    );
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
    expect(outcomes.find(({ ok }) => !ok)).toMatchObject({ error: taken });
    const winner = outcomes[0].ok ? ids[0] : ids[1];
    for (const { client } of sides.both) {
      const holder = (await client.experiments.getExperimentByName({ experiment_name: name })).experiment;
      expect(holder.experiment_id).toBe(winner);
    }
  });
});

onTwoSides('the fifty views that an experiment may have are not exceeded from two sides', async (sides) => {
  const { a, b } = sides;
  await repeat(
    async (random) => {
      const view = (index: number) => ({ key: `mlflow.customView.view${index}`, value: 'x' });
      const { experiment_id } = await a.client.experiments.createExperiment({
        name: uniqueName('views'),
        tags: Array.from({ length: 49 }, (_, index) => view(index)),
      });
      const outcomes = await race(
        random,
        () => a.client.experiments.setExperimentTag({ experiment_id, ...view(100) }),
        () => b.client.experiments.setExperimentTag({ experiment_id, ...view(101) }),
      );
      expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
      const { experiment } = await b.client.experiments.getExperiment({ experiment_id });
      expect(experiment.tags).toHaveLength(50);
    },
    { most: 100, seconds: 1.5 },
  );
});
