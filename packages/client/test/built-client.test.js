import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createClient, downloadArtifacts, logParam, MlflowError, setTrackingUri, startRun } from '../dist/index.js';
import { freePort, startServer } from './serving.js';

// What is published, on the oldest Node that it supports, against a server process.
let server;
let client;
before(async () => {
  server = await startServer();
  client = createClient({ url: server.url });
});
after(() => server?.stop());

test('a run is logged and read back', async () => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'first' });
  const { run } = await client.runs.createRun({ experiment_id, run_name: 'r', start_time: 1 });
  const { run_id } = run.info;
  await client.runs.logBatch({
    run_id,
    metrics: [
      { key: 'loss', value: 0.1 + 0.2, timestamp: 2n ** 53n + 1n, step: -1 },
      { key: 'nan', value: NaN, timestamp: 1 },
    ],
    params: [{ key: 'lr', value: '0.1' }],
  });
  await client.runs.updateRun({ run_id, status: 'FINISHED', end_time: 2 });
  const read = await client.runs.getRun({ run_id });
  assert.equal(read.run.info.status, 'FINISHED');
  assert.deepEqual(read.run.data.params, [{ key: 'lr', value: '0.1' }]);
  const [loss, nan] = [...read.run.data.metrics].sort((one, two) => (one.key < two.key ? -1 : 1));
  assert.equal(loss.value, 0.1 + 0.2);
  assert.equal(loss.step, -1);
  assert.ok(Number.isNaN(nan.value));
});

test('integers that a double cannot hold are exact, also where a reviver does not see the source of a number', async () => {
  const times = [2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 12345678901234567n];
  for (const start_time of times) {
    const run_name = `at ${start_time}, "${start_time}"`;
    const { run } = await client.runs.createRun({ start_time, run_name });
    assert.equal(run.info.start_time, start_time);
    const read = await client.runs.getRun({ run_id: run.info.run_id });
    assert.equal(read.run.info.start_time, start_time);
    assert.equal(read.run.info.run_name, run_name);
  }
});

test('lists travel in a query, and names with any character', async () => {
  const name = 'a & b/ü=?#%';
  await client.experiments.createExperiment({ name });
  const { experiment } = await client.experiments.getExperimentByName({ experiment_name: name });
  assert.equal(experiment.name, name);
  const { metrics } = await client.metrics.getMetricHistoryBulkInterval({ run_ids: ['a', 'b'], metric_key: 'm' });
  assert.equal(metrics, undefined);
});

test('a refusal is an MlflowError with code, status and the words of the server', async () => {
  await assert.rejects(client.runs.getRun({ run_id: 'nope' }), (error) => {
    assert.ok(error instanceof MlflowError);
    assert.equal(error.errorCode, 'RESOURCE_DOES_NOT_EXIST');
    assert.equal(error.status, 404);
    assert.equal(error.message, 'Run with id=nope not found');
    assert.ok(error.requestId);
    return true;
  });
});

test('a server that is not there is an MlflowError that names its address', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  await assert.rejects(createClient({ url, retries: { maxRetries: 0 } }).workspaces.listWorkspaces({}), (error) => {
    assert.ok(error instanceof MlflowError);
    assert.equal(error.errorCode, 'TEMPORARILY_UNAVAILABLE');
    assert.ok(error.message.startsWith(`No answer from ${url}: `), error.message);
    return true;
  });
});

test('a client addresses a workspace', async () => {
  await client.workspaces.createWorkspace({ name: 'team-a' });
  const team = createClient({ url: `${server.url}/`, workspace: 'team-a' });
  const { experiment_id } = await team.experiments.createExperiment({ name: 'of the team' });
  const { experiment } = await team.experiments.getExperiment({ experiment_id });
  assert.equal(experiment.workspace, 'team-a');
  await assert.rejects(client.experiments.getExperimentByName({ experiment_name: 'of the team' }), MlflowError);
});

test('an artifact path keeps its slashes, and its names any character', async () => {
  const place = `${server.url}/api/2.0/mlflow-artifacts/artifacts`;
  const file = `${place}/0/a%20b/c%25.txt`;
  assert.equal((await fetch(file, { method: 'PUT', body: 'x' })).status, 200);
  const { files } = await client.artifacts.listProxiedArtifacts({ path: '0/a b' });
  assert.deepEqual(files, [{ path: 'c%.txt', is_dir: false, file_size: 1 }]);
  await client.artifacts.deleteProxiedArtifacts({ artifact_path: '0/a b/c%.txt' });
  assert.equal((await fetch(file)).status, 404);
});

test('the package for browsers asks for nothing but what browsers have', async () => {
  const folder = new URL('../dist/', import.meta.url);
  const { createClient: createBrowserClient } = await import(new URL('browser.js', folder).href);
  const files = new Set(['browser.js']);
  for (const name of files) {
    const text = await readFile(new URL(name, folder), 'utf8');
    assert.doesNotMatch(text, /\b(?:from|import\()\s*["'](?:node:|fs|path|http)/, name);
    assert.doesNotMatch(text, /\bglobal\.|\bBuffer\.from/, name);
    for (const [, other] of text.matchAll(/["']\.\/([\w.-]+\.js)["']/g)) files.add(other);
  }
  const { experiments } = createBrowserClient({ url: server.url });
  assert.equal((await experiments.getExperiment({ experiment_id: '0' })).experiment.name, 'Default');
});

test('the package names whose code it holds, with their licences', async () => {
  const notices = await readFile(new URL('../dist/THIRD-PARTY-NOTICES.txt', import.meta.url), 'utf8');
  for (const line of [
    /^node-forge \S+ \(\(BSD-3-Clause OR GPL-2\.0\)\)$/m,
    /^yaml \S+ \(ISC\)$/m,
    /^typebox \S+ \(MIT\)$/m,
  ])
    assert.match(notices, line);
  assert.match(notices, /Digital Bazaar, Inc\./);
});

test('the sizes of the bundles are those that README.md names', async () => {
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, named, namedForBrowsers] = /\((\d+) KB gzipped; (\d+) KB for browsers\)/.exec(readme) ?? [];
  for (const [entry, kilobytes] of [
    ['index.js', named],
    ['browser.js', namedForBrowsers],
  ]) {
    // What loads with the entry; the rest loads when it is needed.
    const files = new Set([entry]);
    let bytes = 0;
    for (const name of files) {
      const text = await readFile(new URL(`../dist/${name}`, import.meta.url), 'utf8');
      for (const [, other] of text.matchAll(/^(?:import|export)[^;]*?["']\.\/([\w.-]+\.js)["']/gm)) files.add(other);
      bytes += gzipSync(text, { level: 9 }).length;
    }
    // Within two: what packs differs a little from one Node to the next.
    assert.ok(
      Math.abs(bytes / 1000 - Number(kilobytes)) < 2,
      `${entry} has ${bytes} bytes, README.md says ${kilobytes} KB`,
    );
  }
});

test('all pages of a search are one iteration', async () => {
  const { experiment_id } = await client.experiments.createExperiment({ name: 'paged' });
  for (let index = 0; index < 5; index++) await client.runs.createRun({ experiment_id, start_time: index });
  const times = [];
  for await (const { info } of client.runs.searchRuns.all({ experiment_ids: [experiment_id], max_results: 2 })) {
    times.push(info.start_time);
  }
  assert.deepEqual(times, [4, 3, 2, 1, 0]);
});

test('a run logs itself', async () => {
  setTrackingUri(server.url);
  const runId = await startRun({ runName: 'built' }, async (run) => {
    await logParam('rate', 0.1);
    await run.logText('hello', 'note.txt');
    await run.logDict({ a: 1 }, 'a.yaml');
    return run.runId;
  });
  const { run } = await client.runs.getRun({ run_id: runId });
  assert.equal(run.info.status, 'FINISHED');
  const files = await downloadArtifacts(`runs:/${runId}`);
  await rm(dirname(files[0]), { recursive: true });
  assert.deepEqual(files.map((file) => basename(file)).sort(), ['a.yaml', 'note.txt']);
});
