import { globSync } from 'node:fs';
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { Client } from '@lazuli/client';
import { openDirectly } from '../direct-database.ts';
import { aModel } from '../logged-models/a-model.ts';
import { aRun, onEveryEngine, startServer, type TestServer } from '../server-fixture.ts';
import { collectAll } from './collecting-everything.ts';

type Request = TestServer['request'];

/** Uploads a file to the folder of an artifact URI, through the proxy. */
async function upload(request: Request, uri: string, name = 'file.txt'): Promise<void> {
  const path = uri.replace(/^mlflow-artifacts:\/+/, '');
  const headers = { 'content-type': 'application/octet-stream' };
  const { status } = await request('PUT', `/api/2.0/mlflow-artifacts/artifacts/${path}/${name}`, 'bytes', headers);
  expect(status).toBe(200);
}

function filesOf(dataDir: string): string[] {
  return globSync('artifacts/**/*', { cwd: dataDir, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

async function uriOfRun({ runs }: Client, run_id: string): Promise<string> {
  return (await runs.getRun({ run_id })).run.info.artifact_uri;
}

async function fill({ runs }: Client, run_id: string): Promise<void> {
  await runs.logBatch({
    run_id,
    metrics: Array.from({ length: 900 }, (_, step) => ({ key: `m${step % 3}`, value: step, timestamp: step, step })),
    params: [{ key: 'p', value: '1' }],
    tags: [{ key: 't', value: '1' }],
  });
  const dataset = { name: 'd', digest: '1', source_type: 's', source: 's' };
  await runs.logInputs({ run_id, datasets: [{ dataset, tags: [{ key: 'k', value: 'v' }] }] });
}

onEveryEngine('a deleted run goes with all that it has, and nothing of another one', async (server) => {
  const { client, dataDir, request } = server;
  const { experiment_id, run_id: kept } = await aRun(client);
  await fill(client, kept);
  await upload(request, await uriOfRun(client, kept));
  await using database = await openDirectly(dataDir);
  await client.metrics.getMetricHistory({ run_id: kept, metric_key: 'm0' });
  const before = await database.contents();

  const creation = { experiment_id, tags: [{ key: 'lazuli.requestId', value: 'r1' }] };
  const doomed = (await client.runs.createRun(creation)).run.info.run_id;
  await fill(client, doomed);
  const uri = await uriOfRun(client, doomed);
  await upload(request, uri);
  await upload(request, uri, 'sub/folder/another.txt');
  await client.runs.deleteRun({ run_id: doomed });
  const files = filesOf(dataDir);
  expect(files).toHaveLength(3);

  expect(await collectAll(client)).toEqual({
    collected: [`RUN ${doomed}`],
    kept: {},
    unremoved: [],
  });
  await expect(client.runs.getRun({ run_id: doomed })).rejects.toMatchObject({
    status: 404,
    message: `Run with id=${doomed} not found`,
  });
  for (const call of [
    () => client.runs.restoreRun({ run_id: doomed }),
    () => client.runs.logParam({ run_id: doomed, key: 'a', value: 'b' }),
    () => client.runs.logMetric({ run_id: doomed, key: 'a', value: 1, timestamp: 1 }),
  ]) {
    await expect(call()).rejects.toMatchObject({ status: 404 });
  }
  expect(filesOf(dataDir)).toEqual(files.filter((file) => file.includes(kept)));
  const rows = (text: string) =>
    text.split('\n').filter((line) => !/^(collections|change_counts|workspaces) /.test(line));
  expect(rows(await database.contents())).toEqual(rows(before));
  // The request that made the run makes a new one now.
  const again = await client.runs.createRun(creation);
  expect(again.run.info.run_id).not.toBe(doomed);
  expect(await collectAll(client)).toEqual({ collected: [], kept: {}, unremoved: [] });
});

onEveryEngine('what was deleted too recently stays, and so does what was not deleted', async ({ client, dataDir }) => {
  const { run_id, experiment_id } = await aRun(client);
  const old = (await client.runs.createRun({ experiment_id })).run.info.run_id;
  await client.runs.createRun({ experiment_id });
  for (const id of [run_id, old]) await client.runs.deleteRun({ run_id: id });
  await using database = await openDirectly(dataDir);
  await database.execute(`update runs set deleted_time = deleted_time - 7200000 where run_id = '${old}'`);
  expect(await collectAll(client, { older_than_ms: 3_600_000, dry_run: true })).toMatchObject({
    collected: [`RUN ${old}`],
  });
  expect(await collectAll(client, { older_than_ms: 3_600_000 })).toMatchObject({ collected: [`RUN ${old}`] });
  // 30 days, where nobody says otherwise.
  expect((await client.collections.collect({})).collected).toBeUndefined();
  await client.runs.getRun({ run_id });
  await client.runs.restoreRun({ run_id });
  expect(await collectAll(client, { run_ids: [run_id, 'nope'] })).toEqual({
    collected: [],
    kept: { [`RUN ${run_id}`]: 'it is not marked as deleted', 'RUN nope': 'it is not there' },
    unremoved: [],
  });
  await client.runs.deleteRun({ run_id });
  const { kept } = await collectAll(client, { run_ids: [run_id], older_than_ms: 60_000 });
  expect(kept[`RUN ${run_id}`]).toMatch(/^it was deleted only at \d{4}-/);
  expect(await collectAll(client, { run_ids: [run_id] })).toMatchObject({ collected: [`RUN ${run_id}`], kept: {} });
});

onEveryEngine('a run from which a version was made stays as long as the version does', async ({ client, request }) => {
  const { run_id } = await aRun(client);
  const uri = await uriOfRun(client, run_id);
  await upload(request, uri, 'model/MLmodel');
  await client.registeredModels.createRegisteredModel({ name: 'm' });
  await client.modelVersions.createModelVersion({ name: 'm', source: `${uri}/model`, run_id });
  await client.runs.deleteRun({ run_id });
  const kept = { [`RUN ${run_id}`]: "version 1 of the registered model 'm' was made from it" };
  expect(await collectAll(client, { dry_run: true })).toEqual({ collected: [], kept, unremoved: [] });
  expect(await collectAll(client)).toEqual({ collected: [], kept, unremoved: [] });
  expect((await client.artifacts.listArtifacts({ run_id, path: 'model' })).files).toHaveLength(1);
  await client.modelVersions.deleteModelVersion({ name: 'm', version: '1' });
  expect((await collectAll(client)).collected).toEqual([`RUN ${run_id}`]);
});

onEveryEngine('a logged model stays while a version or another run uses it', async ({ client, request, dataDir }) => {
  const { model_id, run_id, experiment_id } = await aModel(client, { params: [{ key: 'a', value: 'b' }] });
  const { model } = await client.loggedModels.getLoggedModel({ model_id });
  await upload(request, model.info.artifact_uri);
  await client.runs.logOutputs({ run_id, models: [{ model_id, step: 1 }] });
  await client.runs.logMetric({ run_id, key: 'a', value: 1, timestamp: 1, step: 1, model_id });
  const reader = (await client.runs.createRun({ experiment_id })).run.info.run_id;
  await client.runs.logInputs({ run_id: reader, models: [{ model_id }] });
  await client.registeredModels.createRegisteredModel({ name: 'm' });
  await client.modelVersions.createModelVersion({ name: 'm', source: `models:/${model_id}`, model_id });
  await client.loggedModels.deleteLoggedModel({ model_id });
  const key = `LOGGED_MODEL ${model_id}`;
  expect(await collectAll(client)).toEqual({
    collected: [],
    kept: { [key]: "version 1 of the registered model 'm' was made from it" },
    unremoved: [],
  });
  await client.registeredModels.deleteRegisteredModel({ name: 'm' });
  expect((await collectAll(client)).kept).toEqual({ [key]: `the run ${reader} names it as its input or output` });
  await client.runs.deleteRun({ run_id: reader });
  // The run that has made it lives, and lets go of it.
  expect((await collectAll(client, { logged_model_ids: [model_id] })).collected).toEqual([key]);
  expect(filesOf(dataDir)).toEqual([]);
  for (const call of [
    () => client.loggedModels.getLoggedModel({ model_id, allow_deleted: 'true' }),
    () => client.loggedModels.deleteLoggedModel({ model_id }),
  ]) {
    await expect(call()).rejects.toMatchObject({ status: 404 });
  }
  await using database = await openDirectly(dataDir);
  expect(await database.contents()).not.toMatch(/^(logged_model|removals)/m);
});

onEveryEngine('an experiment goes with its runs and models, unless one of them stays', async ({ client, dataDir }) => {
  const { experiment_id, model_id, run_id } = await aModel(client);
  await client.experiments.setExperimentTag({ experiment_id, key: 'a', value: 'b' });
  await fill(client, run_id);
  const held = await aRun(client);
  await client.registeredModels.createRegisteredModel({ name: 'm' });
  await client.modelVersions.createModelVersion({
    name: 'm',
    source: `runs:/${held.run_id}/model`,
    run_id: held.run_id,
  });
  for (const id of [experiment_id, held.experiment_id, '0']) {
    await client.experiments.deleteExperiment({ experiment_id: id });
  }
  const expected = {
    collected: [`LOGGED_MODEL ${model_id}`, `RUN ${run_id}`, `EXPERIMENT ${experiment_id}`],
    kept: {
      [`RUN ${held.run_id}`]: "version 1 of the registered model 'm' was made from it",
      [`EXPERIMENT ${held.experiment_id}`]: `the run ${held.run_id} in it stays`,
      'EXPERIMENT 0': 'clients that name no experiment log to this one',
    },
    unremoved: [],
  };
  expect(await collectAll(client, { dry_run: true })).toEqual(expected);
  await client.experiments.getExperiment({ experiment_id });
  expect(await collectAll(client)).toEqual(expected);
  await expect(client.experiments.getExperiment({ experiment_id })).rejects.toMatchObject({ status: 404 });
  await expect(client.runs.createRun({ experiment_id })).rejects.toMatchObject({ status: 404 });
  await using database = await openDirectly(dataDir);
  expect(await database.contents()).not.toMatch(/^(experiment_tags|datasets|metric_keys|metric_points|run_params) /m);
  // Its name is free, and its number is never used again.
  const before = Number(experiment_id);
  expect(
    Number((await client.experiments.createExperiment({ name: 'experiment again' })).experiment_id),
  ).toBeGreaterThan(before);
});

onEveryEngine('an experiment alone can be named; others stay', async ({ client }) => {
  const one = await aRun(client);
  const other = await aRun(client);
  const loose = (await client.runs.createRun({ experiment_id: '0' })).run.info.run_id;
  await client.runs.deleteRun({ run_id: loose });
  for (const { experiment_id } of [one, other]) await client.experiments.deleteExperiment({ experiment_id });
  expect((await collectAll(client, { experiment_ids: [one.experiment_id] })).collected).toEqual([
    `RUN ${one.run_id}`,
    `EXPERIMENT ${one.experiment_id}`,
  ]);
  expect((await collectAll(client)).collected).toEqual([
    `RUN ${other.run_id}`,
    `RUN ${loose}`,
    `EXPERIMENT ${other.experiment_id}`,
  ]);
});

onEveryEngine('hundreds of runs go in pages, and each emptying is recorded once', async ({ client, clientFor }) => {
  const { experiment_id } = await aRun(client);
  await Promise.all(Array.from({ length: 250 }, () => client.runs.createRun({ experiment_id })));
  await client.experiments.deleteExperiment({ experiment_id });
  const [one, other] = await Promise.all([collectAll(client), collectAll(clientFor({}))]);
  expect(new Set([...one.collected, ...other.collected]).size).toBe(252);
  expect(one.collected.length + other.collected.length).toBe(252);
  const { collections = [] } = await client.collections.listCollections({});
  const total = (count: 'runs' | 'experiments' | 'pending') =>
    collections.reduce((sum, row) => sum + Number(row[count]), 0);
  expect([total('runs'), total('experiments'), total('pending')]).toEqual([251, 1, 0]);
  expect(collections.length).toBeLessThanOrEqual(2);
  expect(collections[0]).toMatchObject({ principal: 'anonymous', older_than_ms: 0 });
  // Nothing to do is nothing to record.
  await collectAll(client);
  expect((await client.collections.listCollections({})).collections).toHaveLength(collections.length);
  const page = await client.collections.listCollections({ max_results: 1 });
  expect(page.collections).toHaveLength(1);
  for (const token of ['x', 'runs.1.99', 'runs.1', 'nope.1.', '18446744073709551615']) {
    await expect(client.collections.collect({ page_token: token })).rejects.toMatchObject({ status: 400 });
  }
  await expect(client.collections.collect({ older_than_ms: -1 })).rejects.toMatchObject({ status: 400 });
});

onEveryEngine('a workspace is emptied by itself', async ({ client, clientFor }) => {
  await client.workspaces.createWorkspace({ name: 'other' });
  const other = clientFor({ workspace: 'other' });
  const { run_id } = await aRun(other);
  await other.runs.deleteRun({ run_id });
  expect(await collectAll(client)).toEqual({ collected: [], kept: {}, unremoved: [] });
  expect((await collectAll(client, { run_ids: [run_id] })).kept).toEqual({ [`RUN ${run_id}`]: 'it is not there' });
  expect((await collectAll(other)).collected).toEqual([`RUN ${run_id}`]);
  expect(await client.collections.listCollections({})).toEqual({});
  expect((await other.collections.listCollections({})).collections).toHaveLength(1);
  await client.workspaces.deleteWorkspace({ workspace_name: 'other', mode: 'CASCADE' });
});

onEveryEngine('files in a place that only clients reach are named', async ({ client }) => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'far', artifact_location: 's3://b/x' });
  const { run_id } = (await client.runs.createRun({ experiment_id })).run.info;
  await client.runs.deleteRun({ run_id });
  expect((await collectAll(client)).unremoved).toEqual([
    { uri: `s3://b/x/${run_id}`, reason: 'the server does not write there: remove it where it lies' },
  ]);
});

test('a run that comes after a collected one has nothing of it, also over a restart', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-collected-'));
  try {
    for (const round of [1, 2]) {
      await using server = await startServer({ 'data-dir': dataDir });
      const { client } = server;
      const { experiment_id } = await client.experiments.createExperiment({ name: `round ${round}` });
      const { run_id } = (await client.runs.createRun({ experiment_id })).run.info;
      const { run } = await client.runs.getRun({ run_id });
      expect([run.data.metrics, run.inputs?.dataset_inputs]).toEqual([undefined, undefined]);
      await fill(client, run_id);
      await client.runs.deleteRun({ run_id });
      expect((await collectAll(client)).collected).toEqual([`RUN ${run_id}`]);
      await using database = await openDirectly(dataDir);
      expect(await database.contents()).not.toMatch(/^(metric_points|latest_metrics|run_\w+) /m);
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

onEveryEngine('files that cannot be removed now are removed later, and nothing waits for them', async (server) => {
  const { client, dataDir, request } = server;
  const { experiment_id, run_id } = await aRun(client);
  const other = (await client.runs.createRun({ experiment_id })).run.info.run_id;
  for (const id of [run_id, other]) {
    await upload(request, await uriOfRun(client, id));
    await client.runs.deleteRun({ run_id: id });
  }
  const [file = ''] = filesOf(dataDir).filter((each) => each.includes(run_id));
  const folder = dirname(dirname(file));
  await rename(folder, `${folder}.away`);
  await symlink(`${folder}.away`, folder);
  const first = await collectAll(client);
  expect(first.collected).toHaveLength(2);
  expect(first.unremoved).toEqual([
    { uri: `mlflow-artifacts:/${experiment_id}/${run_id}`, reason: expect.stringContaining('symbolic link') as string },
  ]);
  expect(filesOf(dataDir).filter((each) => each.includes(other))).toEqual([]);
  expect((await client.collections.listCollections({})).collections).toMatchObject([{ runs: 2, pending: 1 }]);
  // Not again at once.
  expect((await collectAll(client)).unremoved).toEqual([]);
  await rm(folder);
  await rename(`${folder}.away`, folder);
  await using database = await openDirectly(dataDir);
  await database.execute('update removals set failure_time = failure_time - 120000');
  expect(await collectAll(client)).toEqual({ collected: [], kept: {}, unremoved: [] });
  expect(filesOf(dataDir)).toEqual([]);
  expect((await client.collections.listCollections({})).collections).toMatchObject([{ runs: 2, pending: 0 }]);
});
