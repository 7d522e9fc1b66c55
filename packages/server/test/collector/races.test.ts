import { expect } from 'vitest';
import { outcomeOf, race, repeat } from '../concurrency/races.ts';
import { onTwoSides } from '../concurrency/two-sides.ts';
import { aModel } from '../logged-models/a-model.ts';
import { aRun } from '../server-fixture.ts';
import { collectAll } from './collecting-everything.ts';

onTwoSides('of a new version and the end of its run, one comes too late', async ({ a, b }) => {
  await a.client.registeredModels.createRegisteredModel({ name: 'm' });
  await repeat(async (random, index) => {
    const { run_id } = await aRun(a.client);
    const { artifact_uri } = (await a.client.runs.getRun({ run_id })).run.info;
    const source = index % 2 === 0 ? `${artifact_uri}/x` : `runs:/${run_id}/x`;
    await a.client.runs.deleteRun({ run_id });
    const [created, emptied] = await race(
      random,
      () => a.client.modelVersions.createModelVersion({ name: 'm', source, run_id }),
      () => collectAll(b.client, { run_ids: [run_id] }),
    );
    const isThere = (await outcomeOf(() => b.client.runs.getRun({ run_id }))).ok;
    expect(isThere).toBe(created.ok);
    expect(emptied.ok && emptied.value.collected.length).toBe(created.ok ? 0 : 1);
  });
});

onTwoSides('of a new version and the end of its logged model, one comes too late', async ({ a, b }) => {
  const { modelVersions, registeredModels, loggedModels } = a.client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  await repeat(async (random) => {
    const { model_id } = await aModel(a.client);
    const create = () => modelVersions.createModelVersion({ name: 'm', source: `models:/${model_id}`, model_id });
    const [created, , emptied] = await race(
      random,
      create,
      () => loggedModels.deleteLoggedModel({ model_id }),
      () => collectAll(b.client, { logged_model_ids: [model_id] }),
    );
    const found = await outcomeOf(() => b.client.loggedModels.getLoggedModel({ model_id, allow_deleted: 'true' }));
    // Whichever came first, a version has its model, and what was collected has no version.
    if (created.ok) expect(found.ok).toBe(true);
    if (emptied.ok && emptied.value.collected.length > 0) expect([created.ok, found.ok]).toEqual([false, false]);
  });
});

onTwoSides('of restoring a run and its end, one comes too late', async ({ a, b }) => {
  await repeat(async (random) => {
    const { run_id } = await aRun(a.client);
    await a.client.runs.logParam({ run_id, key: 'p', value: '1' });
    await a.client.runs.deleteRun({ run_id });
    const [restored, emptied] = await race(
      random,
      () => a.client.runs.restoreRun({ run_id }),
      () => collectAll(b.client, { run_ids: [run_id] }),
    );
    expect(emptied.ok && emptied.value.collected.length).toBe(restored.ok ? 0 : 1);
    const run = await outcomeOf(() => a.client.runs.getRun({ run_id }));
    expect(run.ok && run.value.run.data.params).toEqual(restored.ok ? [{ key: 'p', value: '1' }] : false);
    // Whoever remembered the run as it was logs nothing to one that is gone.
    const logged = await outcomeOf(() => b.client.runs.logMetric({ run_id, key: 'a', value: 1, timestamp: 1 }));
    expect(logged.ok).toBe(restored.ok);
  });
});
