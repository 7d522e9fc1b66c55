import type { Run } from '@lazuli/client';
import { expect } from 'vitest';
import { repeat, turns } from './races.ts';
import { onTwoSides, uniqueName } from './two-sides.ts';

/** What each batch writes to every place carries the batch's number. */
function numbersOf({ info, data }: Run): unknown[] {
  const tag = data.tags?.find(({ key }) => key === 'batch')?.value;
  const metric = data.metrics?.find(({ key }) => key === 'batch')?.value;
  return [Number(info.run_name), Number(tag), metric];
}

onTwoSides('a batch is read whole or not at all, while others are logged', async (sides) => {
  const [a, b] = sides.both;
  const { experiment_id } = await a.client.experiments.createExperiment({ name: uniqueName('batches') });
  const run_id = (await a.client.runs.createRun({ experiment_id })).run.info.run_id;
  const log = (number: number) =>
    a.client.runs.logBatch({
      run_id,
      metrics: [{ key: 'batch', value: number, timestamp: number, step: number }],
      tags: [
        { key: 'batch', value: `${number}` },
        { key: 'mlflow.runName', value: `${number}` },
      ],
    });
  await log(0);
  let ended = false;
  const isOver = (): boolean => ended;
  const logging = (async () => {
    for (let number = 1; !isOver(); number++) {
      await turns(1);
      await log(number);
    }
  })();
  try {
    await repeat(async (random) => {
      await turns(random.below(4));
      const { run } = await b.client.runs.getRun({ run_id });
      const found = await b.client.runs.searchRuns({ experiment_ids: [experiment_id] });
      for (const read of [run, ...(found.runs ?? [])]) expect(new Set(numbersOf(read)).size).toBe(1);
    });
  } finally {
    ended = true;
    await logging;
  }
});
