import { expect } from 'vitest';
import { race, repeat, type Outcome } from './races.ts';
import { onTwoSides, warmRun } from './two-sides.ts';

const values = ['1', '2'] as const;

function isWinner(outcomes: readonly Outcome<unknown>[]): [winner: number, loser: number] {
  expect(outcomes.map(({ ok }) => ok).toSorted()).toEqual([false, true]);
  const winner = outcomes[0]?.ok === true ? 0 : 1;
  return [winner, 1 - winner];
}

onTwoSides('of two values for a param from two sides one is kept, and the other side is told which', async (sides) => {
  const { a, b } = sides;
  await repeat(async (random) => {
    const run_id = await warmRun(sides, '0');
    const outcomes = await race(
      random,
      () => a.client.runs.logParam({ run_id, key: 'lr', value: '1' }),
      () => b.client.runs.logParam({ run_id, key: 'lr', value: '2' }),
    );
    const [winner, loser] = isWinner(outcomes);
    expect(outcomes[loser]).toMatchObject({
      error: {
        status: 400,
        errorCode: 'INVALID_PARAMETER_VALUE',
        message: `Changing param values is not allowed. Param with key='lr' was already logged with value='${values[winner]}' for run ID='${run_id}'. Attempted logging new value '${values[loser]}'.`,
      },
    });
    for (const { client } of sides.both) {
      expect((await client.runs.getRun({ run_id })).run.data.params).toEqual([{ key: 'lr', value: values[winner] }]);
    }
  });
});

onTwoSides('a batch that loses a race for one of its params leaves nothing behind', async (sides) => {
  await repeat(async (random) => {
    const run_id = await warmRun(sides, '0');
    const batch = (side: number) => () =>
      sides.both[side]!.client.runs.logBatch({
        run_id,
        metrics: [{ key: `m${side}`, value: 1, timestamp: 1 }],
        params: [
          { key: `own${side}`, value: 'x' },
          { key: 'lr', value: values[side]! },
        ],
        tags: [{ key: `t${side}`, value: 'x' }],
      });
    const outcomes = await race(random, batch(0), batch(1));
    const [winner, loser] = isWinner(outcomes);
    expect(outcomes[loser]).toMatchObject({
      error: {
        status: 400,
        message: `Changing param values is not allowed. Params were already logged='[{'key': 'lr', 'old_value': '${values[winner]}', 'new_value': '${values[loser]}'}]' for run ID='${run_id}'.`,
      },
    });
    for (const { client } of sides.both) {
      const { data } = (await client.runs.getRun({ run_id })).run;
      expect(data.params).toEqual([
        { key: 'lr', value: values[winner] },
        { key: `own${winner}`, value: 'x' },
      ]);
      const keys = (entries: readonly { key: string }[] = []): string[] => entries.map(({ key }) => key);
      expect(keys(data.metrics).toSorted()).toEqual([`m${winner}`, 'warm']);
      expect(keys(data.tags)).toEqual(['mlflow.runName', `t${winner}`, 'warm']);
      const lost = await client.metrics.getMetricHistory({ run_id, metric_key: `m${loser}` });
      expect(lost.metrics ?? []).toEqual([]);
    }
  });
});

onTwoSides('many that log the same value of a param from both sides are all accepted', async (sides) => {
  const { a, b } = sides;
  await repeat(async (random) => {
    const run_id = await warmRun(sides, '0');
    const log = (client: typeof a.client) => () => client.runs.logParam({ run_id, key: 'lr', value: '1' });
    const outcomes = await race(random, log(a.client), log(b.client), log(a.client), log(b.client));
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true, true]);
  });
});
