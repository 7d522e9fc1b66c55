import { expect } from 'vitest';
import { race, repeat } from './races.ts';
import { onTwoSides, uniqueName, warmRun } from './two-sides.ts';

onTwoSides('a run renamed by its tag and by update-run at once has one name, in both places', async (sides) => {
  const [first, second] = sides.both;
  await repeat(async (random, index) => {
    const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
    const run_id = await warmRun(sides, '0');
    const outcomes = await race(
      random,
      () => a.client.runs.setTag({ run_id, key: 'mlflow.runName', value: 'by tag' }),
      () => b.client.runs.updateRun({ run_id, run_name: 'by update' }),
      () => b.client.runs.logBatch({ run_id, tags: [{ key: 'mlflow.runName', value: 'by batch' }] }),
      () => a.client.runs.updateRun({ run_id, run_name: 'by second update', status: 'FINISHED' }),
    );
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    const names = new Set<string>();
    for (const { client } of sides.both) {
      const { info, data } = (await client.runs.getRun({ run_id })).run;
      expect(data.tags).toContainEqual({ key: 'mlflow.runName', value: info.run_name });
      expect(info.status).toBe('FINISHED');
      names.add(info.run_name);
    }
    expect(names.size).toBe(1);
    expect(['by tag', 'by update', 'by batch', 'by second update']).toContain([...names][0]);
  });
});

onTwoSides('a tag that is set and deleted at once was first set or first deleted', async (sides) => {
  const { a, b } = sides;
  await repeat(async (random) => {
    const run_id = await warmRun(sides, '0');
    const [set, removed, removedToo] = await race(
      random,
      () => a.client.runs.setTag({ run_id, key: 'contested', value: 'x' }),
      () => b.client.runs.deleteTag({ run_id, key: 'contested' }),
      () => a.client.runs.deleteTag({ run_id, key: 'contested' }),
    );
    expect(set.ok).toBe(true);
    const removals = [removed, removedToo].filter(({ ok }) => ok).length;
    expect(removals).toBeLessThanOrEqual(1);
    for (const { client } of sides.both) {
      const { tags = [] } = (await client.runs.getRun({ run_id })).run.data;
      expect(tags.filter(({ key }) => key === 'contested')).toHaveLength(1 - removals);
    }
  });
});

onTwoSides('a dataset that both sides log for the first time is one dataset', async (sides) => {
  const { a, b, query } = sides;
  await repeat(
    async (random) => {
      const { experiment_id } = await a.client.experiments.createExperiment({ name: uniqueName('datasets') });
      const [shared, own] = [await warmRun(sides, experiment_id), await warmRun(sides, experiment_id)];
      const names = ['d1', 'd2', 'd3', 'd4'];
      const inputs = (context: string) =>
        random.shuffle(names).map((name) => ({
          dataset: { name, digest: 'x', source_type: 'local', source: 's' },
          tags: [{ key: 'mlflow.data.context', value: context }],
        }));
      const outcomes = await race(
        random,
        () => a.client.runs.logInputs({ run_id: shared, datasets: inputs('train') }),
        () => b.client.runs.logInputs({ run_id: shared, datasets: inputs('test') }),
        () => b.client.runs.logInputs({ run_id: own, datasets: inputs('train') }),
      );
      expect(outcomes.every(({ ok }) => ok)).toBe(true);
      for (const { client } of sides.both) {
        for (const run_id of [shared, own]) {
          const { dataset_inputs = [] } = (await client.runs.getRun({ run_id })).run.inputs ?? {};
          expect(dataset_inputs.map(({ dataset }) => dataset.name).toSorted()).toEqual(names);
          const contexts = new Set(dataset_inputs.map(({ tags = [] }) => JSON.stringify(tags)));
          // The first of them to come records all of them; the other adds nothing, not even tags.
          expect(contexts.size).toBe(1);
        }
      }
      const [row] = await query(`select count(*) as total from datasets where experiment_id = ${experiment_id}`);
      expect(Number(row?.['total'])).toBe(names.length);
    },
    { most: 150, seconds: 2.5 },
  );
});

onTwoSides('what one side has acknowledged the other side shows, by every way of reading', async (sides) => {
  const [first, second] = sides.both;
  const { experiment_id } = await first.client.experiments.createExperiment({ name: uniqueName('read your writes') });
  await repeat(async (_, index) => {
    const [a, b] = index % 2 === 0 ? [first.client, second.client] : [second.client, first.client];
    const run_id = (await a.runs.createRun({ experiment_id, run_name: `r${index}` })).run.info.run_id;
    expect((await b.runs.getRun({ run_id })).run.info.run_name).toBe(`r${index}`);

    await b.runs.logMetric({ run_id, key: 'm', value: index, timestamp: 1 });
    const filter = `metrics.m = ${index} and attributes.run_id = '${run_id}'`;
    expect((await a.runs.searchRuns({ experiment_ids: [experiment_id], filter })).runs).toHaveLength(1);

    await a.runs.logMetric({ run_id, key: 'm', value: -1, timestamp: 2 });
    expect((await b.metrics.getMetricHistory({ run_id, metric_key: 'm' })).metrics).toHaveLength(2);
    const metric = (await b.runs.getRun({ run_id })).run.data.metrics?.[0];
    expect(metric).toMatchObject({ key: 'm', value: -1 });

    await a.runs.setTag({ run_id, key: 't', value: `${index}` });
    expect((await b.runs.getRun({ run_id })).run.data.tags).toContainEqual({ key: 't', value: `${index}` });
    await b.runs.deleteTag({ run_id, key: 't' });
    expect((await a.runs.getRun({ run_id })).run.data.tags).not.toContainEqual({ key: 't', value: `${index}` });

    await a.runs.updateRun({ run_id, status: 'FINISHED', end_time: 5 });
    expect((await b.runs.getRun({ run_id })).run.info).toMatchObject({ status: 'FINISHED', end_time: 5 });

    await a.experiments.setExperimentTag({ experiment_id, key: 'round', value: `${index}` });
    const { experiment } = await b.experiments.getExperiment({ experiment_id });
    expect(experiment.tags).toContainEqual({ key: 'round', value: `${index}` });
  });
});
