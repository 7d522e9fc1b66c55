import type { Client } from '@lazuli/client';
import { expect } from 'vitest';
import { outcomeOf, raceLimitMs, repeat, turns } from './races.ts';
import { onTwoSides, type DatabaseQuery, type TwoSides } from './two-sides.ts';

/** Rows of something that is not there, by table. Points in SQLite's log are not rows yet. */
async function orphans(query: DatabaseQuery): Promise<Record<string, number>> {
  const ofWorkspaces = [
    'experiments',
    'experiment_tags',
    'runs',
    'run_params',
    'run_tags',
    'metric_keys',
    'metric_points',
    'latest_metrics',
    'datasets',
    'run_inputs',
    'run_input_tags',
    'run_models',
  ];
  const checks = [
    ...ofWorkspaces.map((table) => [table, 'workspace_id not in (select workspace_id from workspaces)']),
    ['api_tokens', 'workspace_id is not null and workspace_id not in (select workspace_id from workspaces)'],
    ...['run_params', 'run_tags', 'metric_points', 'latest_metrics', 'run_inputs', 'run_input_tags', 'run_models'].map(
      (table) => [table, 'run_key not in (select run_key from runs)'],
    ),
    ...['runs', 'experiment_tags', 'metric_keys', 'datasets'].map((table) => [
      table,
      `not exists (select 1 from experiments e where e.workspace_id = ${table}.workspace_id
        and e.experiment_id = ${table}.experiment_id)`,
    ]),
  ] as const;
  const text = checks.map(
    ([table, condition]) => `select '${table}' as name, count(*) as total from ${table} where ${condition}`,
  );
  const rows = await query(text.join(' union all '));
  const found = rows.filter((row) => Number(row['total']) > 0);
  return Object.fromEntries(found.map((row) => [String(row['name']), Number(row['total'])]));
}

/** Does something again and again until the workspace is gone, or for as long as it may. */
async function untilGone(work: (count: number) => Promise<unknown>, isOver: () => boolean): Promise<void> {
  for (let count = 0; !isOver(); count++) {
    await turns(1);
    await outcomeOf(() => work(count));
  }
}

async function removeWhileBusy(sides: TwoSides, name: string, wait: () => Promise<void>): Promise<void> {
  const [a, b] = sides.both;
  await a.client.workspaces.createWorkspace({ name });
  const inA = a.clientFor({ workspace: name });
  const inB = b.clientFor({ workspace: name });
  const { experiment_id } = await inA.experiments.createExperiment({ name: 'busy' });
  const run_id = (await inA.runs.createRun({ experiment_id })).run.info.run_id;
  await inB.runs.setTag({ run_id, key: 'warm', value: 'yes' });
  await inB.runs.createRun({ experiment_id });
  let gone = false;
  const over = (): boolean => gone;
  const text = (count: number): { key: string; value: string } => ({ key: `k${count}`, value: 'x' });
  const work: ((client: Client, count: number) => Promise<unknown>)[] = [
    // Each point has a new key: interning it is a write of its own.
    (client, count) => client.runs.logMetric({ run_id, key: `m${count}`, value: 1, timestamp: 1 }),
    (client, count) => client.runs.logBatch({ run_id, params: [text(count)], tags: [text(count)] }),
    (client, count) =>
      count % 2 === 0
        ? client.experiments.createExperiment({ name: `e${count}`, tags: [text(count)] })
        : client.experiments.setExperimentTag({ experiment_id, ...text(count) }),
    (client, count) =>
      count % 2 === 0
        ? client.runs.createRun({ experiment_id, tags: [text(count)] })
        : client.runs.logInputs({
            run_id,
            datasets: [{ dataset: { name: `d${count}`, digest: 'x', source_type: 'local', source: 's' } }],
            models: [{ model_id: `m${count}` }],
          }),
    (client) => client.apiTokens.createToken({ principal: 'someone', role: 'Reader', workspace: name }),
  ];
  const busy = work.flatMap((one) => [
    untilGone((count) => one(inA, count * 2), over),
    untilGone((count) => one(inB, count * 2 + 1), over),
  ]);
  try {
    await wait();
    await a.client.workspaces.deleteWorkspace({ workspace_name: name, mode: 'CASCADE' });
    await turns(3);
  } finally {
    gone = true;
    await Promise.all(busy);
  }
}

onTwoSides(
  'a workspace that is removed while both sides write to it leaves nothing behind',
  async (sides) => {
    await repeat(
      async (random, index) => {
        await removeWhileBusy(sides, `removed-${index}`, () => turns(random.below(60)));
        expect(await orphans(sides.query)).toEqual({});
      },
      { most: 60, seconds: 6 },
    );
    // Settled points would come to their place by now, at the latest.
    await sides.a.client.runs.searchRuns({ experiment_ids: ['0'] });
    expect(await orphans(sides.query)).toEqual({});
  },
  { timeoutMs: 3 * raceLimitMs },
);

onTwoSides('a workspace that both sides create is made once, and removed once', async (sides) => {
  const { a, b } = sides;
  await repeat(
    async (_, index) => {
      const name = `made-${index}`;
      const create = (client: Client) => outcomeOf(() => client.workspaces.createWorkspace({ name }));
      const made = await Promise.all([create(a.client), create(b.client)]);
      expect(made.filter(({ ok }) => ok)).toHaveLength(1);
      expect(made.find(({ ok }) => !ok)).toMatchObject({ error: { errorCode: 'RESOURCE_ALREADY_EXISTS' } });
      const remove = (client: Client) =>
        outcomeOf(() => client.workspaces.deleteWorkspace({ workspace_name: name, mode: 'CASCADE' }));
      const removed = await Promise.all([remove(a.client), remove(b.client)]);
      expect(removed.filter(({ ok }) => ok)).toHaveLength(1);
      expect(removed.find(({ ok }) => !ok)).toMatchObject({ error: { errorCode: 'RESOURCE_DOES_NOT_EXIST' } });
    },
    { most: 100, seconds: 2 },
  );
  expect(await orphans(sides.query)).toEqual({});
});
