import { MlflowError, type Client } from '@lazuli/client';
import { expect } from 'vitest';
import type { Random } from './random.ts';
import { outcomeOf, race, repeat, turns } from './races.ts';
import { onTwoSides, uniqueName, warmRun } from './two-sides.ts';

const isDeleted = { status: 400, errorCode: 'INVALID_PARAMETER_VALUE' };

/** What a client tried to write to a run; `name` is the one key of everything in it. */
interface Attempt {
  readonly name: string;
  readonly kind: 'metric' | 'param' | 'tag' | 'batch' | 'input';
}

const kinds = ['metric', 'param', 'tag', 'batch', 'input'] as const;

async function send({ runs }: Client, run_id: string, { name, kind }: Attempt): Promise<unknown> {
  const metric = { key: name, value: 1, timestamp: 1 };
  const text = { key: name, value: 'x' };
  if (kind === 'metric') return runs.logMetric({ run_id, ...metric });
  if (kind === 'param') return runs.logParam({ run_id, ...text });
  if (kind === 'tag') return runs.setTag({ run_id, ...text });
  if (kind === 'batch') return runs.logBatch({ run_id, metrics: [metric], params: [text], tags: [text] });
  return runs.logInputs({ run_id, models: [{ model_id: name }] });
}

/** Every name that a run has, each with how often it is there. */
async function contents({ runs }: Client, run_id: string): Promise<{ deleted: boolean; names: string[] }> {
  const { info, data, inputs } = (await runs.getRun({ run_id })).run;
  const keyed = [...(data.metrics ?? []), ...(data.params ?? []), ...(data.tags ?? [])].map(({ key }) => key);
  const models = (inputs?.model_inputs ?? []).map(({ model_id }) => model_id);
  return { deleted: info.lifecycle_stage === 'deleted', names: [...keyed, ...models].toSorted() };
}

/** Logs until it is refused; gives what was acknowledged. Sends no second request after a refusal. */
async function logUntilRefused(client: Client, run_id: string, random: Random, stem: string): Promise<Attempt[]> {
  const acknowledged: Attempt[] = [];
  for (let count = 0; ; count++) {
    // Without a socket a request need not leave the microtasks, and would keep the others from their turn.
    await turns(1);
    const attempt = { name: `${stem}.${count}`, kind: random.pick(kinds) };
    const outcome = await outcomeOf(() => send(client, run_id, attempt));
    if (!outcome.ok) {
      expect(outcome.error).toMatchObject(isDeleted);
      return acknowledged;
    }
    acknowledged.push(attempt);
  }
}

async function untilSeenDeleted(client: Client, run_id: string): Promise<string[]> {
  for (;;) {
    await turns(1);
    const { deleted, names } = await contents(client, run_id);
    if (deleted) return names;
  }
}

onTwoSides('once a run is deleted on one side, nothing can be logged to it on the other', async (sides) => {
  const [first, second] = sides.both;
  await repeat(async (random, index) => {
    const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
    const run_id = await warmRun(sides, '0');
    const logging = [a, b, b].map(({ client }, place) => logUntilRefused(client, run_id, random, `w${place}`));
    const watching = untilSeenDeleted(b.client, run_id);
    await turns(random.below(20));
    await a.client.runs.deleteRun({ run_id });
    // The delete is acknowledged: what starts now is refused, by every verb and on both sides.
    for (const kind of kinds) {
      for (const { client } of [b, a]) {
        const late = await outcomeOf(() => send(client, run_id, { name: 'late', kind }));
        expect(late).toMatchObject({ ok: false, error: isDeleted });
      }
    }
    const seen = await watching;
    const acknowledged = (await Promise.all(logging)).flat();
    for (const { client } of sides.both) expect((await contents(client, run_id)).names).toEqual(seen);
    for (const { name, kind } of acknowledged) {
      expect(seen.filter((present) => present === name)).toHaveLength(kind === 'batch' ? 3 : 1);
    }
    expect(seen).not.toContain('late');
  });
});

onTwoSides('a run that one side restores takes what the other logs right afterwards', async (sides) => {
  const [first, second] = sides.both;
  await repeat(async (random, index) => {
    const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
    const run_id = await warmRun(sides, '0');
    await a.client.runs.deleteRun({ run_id });
    // Both sides have learnt that the run is deleted.
    for (const { client } of sides.both) {
      await expect(client.runs.setTag({ run_id, key: 'x', value: 'x' })).rejects.toMatchObject(isDeleted);
    }
    await a.client.runs.restoreRun({ run_id });
    await send(b.client, run_id, { name: 'back', kind: random.pick(kinds) });
    await send(a.client, run_id, { name: 'back', kind: random.pick(kinds) });
    const { deleted, names } = await contents(random.pick([a, b]).client, run_id);
    expect(deleted).toBe(false);
    expect(names).toContain('back');
  });
});

onTwoSides('a deleted experiment has no active runs, whoever makes runs and logs at that moment', async (sides) => {
  const [first, second] = sides.both;
  await repeat(
    async (random, index) => {
      const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
      const { experiment_id } = await a.client.experiments.createExperiment({ name: uniqueName('to delete') });
      const run_id = await warmRun(sides, experiment_id);
      await b.client.runs.createRun({ experiment_id });
      const made: string[] = [];
      const make = async (client: Client): Promise<void> => {
        for (;;) {
          await turns(1);
          const outcome = await outcomeOf(() => client.runs.createRun({ experiment_id }));
          if (!outcome.ok) {
            expect(outcome.error).toMatchObject(isDeleted);
            return;
          }
          made.push(outcome.value.run.info.run_id);
        }
      };
      const busy = [
        make(a.client),
        make(b.client),
        logUntilRefused(a.client, run_id, random, 'a'),
        logUntilRefused(b.client, run_id, random, 'b'),
      ];
      await turns(random.below(20));
      await a.client.experiments.deleteExperiment({ experiment_id });
      const late = await race(
        random,
        () => b.client.runs.createRun({ experiment_id }),
        () => a.client.runs.createRun({ experiment_id }),
        () => send(b.client, run_id, { name: 'late', kind: random.pick(kinds) }),
        () => send(a.client, run_id, { name: 'late', kind: random.pick(kinds) }),
      );
      for (const outcome of late) expect(outcome).toMatchObject({ ok: false, error: isDeleted });
      await Promise.all(busy);
      for (const { client } of sides.both) {
        const search = (run_view_type: 'ACTIVE_ONLY' | 'ALL') =>
          client.runs.searchRuns({ experiment_ids: [experiment_id], run_view_type, max_results: 10_000 });
        expect((await search('ACTIVE_ONLY')).runs ?? []).toEqual([]);
        expect((await search('ALL')).runs).toHaveLength(made.length + 2);
      }
      await b.client.experiments.restoreExperiment({ experiment_id });
      await a.client.runs.createRun({ experiment_id });
      await a.client.runs.setTag({ run_id, key: 'back', value: 'x' });
      await b.client.runs.createRun({ experiment_id });
      await b.client.runs.setTag({ run_id, key: 'back', value: 'y' });
    },
    { most: 150, seconds: 4 },
  );
});

onTwoSides('of deletes and restores from both sides one is the last, and both sides agree on it', async (sides) => {
  const { a, b } = sides;
  await repeat(async (random) => {
    const run_id = await warmRun(sides, '0');
    await race(
      random,
      () => a.client.runs.deleteRun({ run_id }),
      () => b.client.runs.restoreRun({ run_id }),
      () => b.client.runs.deleteRun({ run_id }),
      () => a.client.runs.restoreRun({ run_id }),
    );
    const { deleted } = await contents(a.client, run_id);
    expect((await contents(b.client, run_id)).deleted).toBe(deleted);
    for (const { client } of sides.both) {
      const outcome = await outcomeOf(() => client.runs.setTag({ run_id, key: 'x', value: 'x' }));
      expect(outcome.ok).toBe(!deleted);
      if (!outcome.ok) expect(outcome.error).toBeInstanceOf(MlflowError);
    }
  });
});
