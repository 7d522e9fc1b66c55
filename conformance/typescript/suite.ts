import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import {
  downloadArtifacts,
  getClient,
  getRegistryClient,
  logMetric,
  logModel,
  logParam,
  MlflowError,
  registerModel,
  searchRuns,
  setExperiment,
  startRun,
} from '@lazuli/client';
import { check, count, same } from '../runtimes/checks.ts';

/**
 * What the client promises, on whatever server MLFLOW_TRACKING_URI names: the same suite on Lazuli, on MLflow's own server
 * and on Lazuli as a workspace of Azure ML.
 */
const [label = '', folder = ''] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const client = await getClient();
const registry = await getRegistryClient();
const expect = (what: string, work: () => Promise<unknown>): Promise<void> => check(`${label}: ${what}`, work);

const experimentName = `typescript ${label}`;
let experimentId = '';
await expect('an experiment is made once and found by its name', async () => {
  ({ experiment_id: experimentId } = await setExperiment(experimentName));
  same((await setExperiment(experimentName)).experiment_id, experimentId);
  await client.experiments.setExperimentTag({ experiment_id: experimentId, key: 'team', value: 'ü' });
  const { experiment } = await client.experiments.getExperimentByName({ experiment_name: experimentName });
  same(experiment.tags?.find(({ key }) => key === 'team')?.value, 'ü');
});

const read = async (runId: string) => (await client.runs.getRun({ run_id: runId })).run;

let first = '';
await expect('a run around a function has what it logged, and is finished', async () => {
  first = await startRun({ runName: 'first', tags: { own: 'tag' }, description: 'words' }, async (run) => {
    await logParam('rate', 0.1);
    await logMetric('loss', 0.1 + 0.2, { step: 3, timestamp: 1_700_000_000_123 });
    return run.runId;
  });
  const { info, data } = await read(first);
  same([info.status, info.run_name, data.params], ['FINISHED', 'first', [{ key: 'rate', value: '0.1' }]]);
  same(
    [data.metrics?.[0]?.value, data.metrics?.[0]?.step, data.metrics?.[0]?.timestamp],
    [0.1 + 0.2, 3, 1_700_000_000_123],
  );
  const tags = Object.fromEntries((data.tags ?? []).map(({ key, value }) => [key, value]));
  same([tags['own'], tags['mlflow.note.content']], ['tag', 'words']);
});

await expect('a run whose work throws has failed, and the caller gets what was thrown', async () => {
  let id = '';
  const thrown = await startRun((run) => {
    id = run.runId;
    throw new Error('on purpose');
  }).catch((error: unknown) => error);
  same([(thrown as Error).message, (await read(id)).info.status], ['on purpose', 'FAILED']);
});

await expect('two thousand points from a loop arrive in order', async () => {
  const runId = await startRun({ runName: 'points' }, async (run) => {
    for (let step = 0; step < 2_000; step++) await logMetric('many', step / 7, { step, timestamp: step + 1 });
    return run.runId;
  });
  let index = 0;
  for await (const { value, step } of client.metrics.getMetricHistory.all({
    run_id: runId,
    metric_key: 'many',
    max_results: 800,
  })) {
    if (value !== index / 7 || Number(step) !== index) throw new Error(`point ${index} is ${value} at ${String(step)}`);
    index += 1;
  }
  same(index, 2_000);
});

await expect('numbers that are none arrive', async () => {
  const runId = await startRun(async (run) => {
    await run.logMetrics({ nan: NaN, up: Infinity, down: -Infinity }, { step: -5 });
    return run.runId;
  });
  const found = new Map((await read(runId)).data.metrics?.map(({ key, value }) => [key, value]));
  same([String(found.get('nan')), found.size], ['NaN', 3]);
  if (!(Number(found.get('up')) > 1e308 && Number(found.get('down')) < -1e308)) throw new Error(String([...found]));
});

await expect('more params and tags than a batch may hold are all there', async () => {
  const names = Array.from({ length: 250 }, (_, index) => `p${index}`);
  const runId = await startRun(async (run) => {
    await run.logParams(Object.fromEntries(names.map((name) => [name, name])));
    await run.setTags(Object.fromEntries(names.map((name) => [name, name])));
    return run.runId;
  });
  const { data } = await read(runId);
  same(data.params?.length, 250);
  same(data.tags?.filter(({ key }) => /^p\d/.test(key)).length, 250);
});

await expect('a child names its parent', async () => {
  const [parent, child] = await startRun(async (run) => [
    run.runId,
    await startRun({ nested: true }, (inner) => inner.runId),
  ]);
  const tags = (await read(child)).data.tags ?? [];
  same(tags.find(({ key }) => key === 'mlflow.parentRunId')?.value, parent);
});

await expect('a run is gone on with by its id', async () => {
  await startRun({ runId: first }, (run) => run.logMetric('loss', 0.25, { step: 4 }));
  const { info, data } = await read(first);
  same([info.status, data.metrics?.find(({ key }) => key === 'loss')?.value], ['FINISHED', 0.25]);
});

await expect('a param that gets another value is refused by name, and the rest arrives', async () => {
  const run = await startRun();
  await run.logParam('once', 1);
  await run.wait();
  await run.logParam('once', 2);
  await run.logMetric('neighbour', 1);
  const failure: unknown = await run.end().catch((error: unknown) => error);
  same([failure instanceof MlflowError, String(failure).includes('once')], [true, true]);
  same((await read(run.runId)).data.metrics?.length, 1);
});

await expect('runs that go on at the same time never see each other', async () => {
  const ids = await Promise.all(
    [1, 2, 3, 4].map((value) =>
      startRun(async (run) => {
        for (let step = 0; step < 10; step++) await logMetric('own', value, { step });
        return run.runId;
      }),
    ),
  );
  same(await Promise.all(ids.map(async (id) => (await read(id)).data.metrics?.map(({ value }) => value))), [
    [1],
    [2],
    [3],
    [4],
  ]);
});

await expect('runs are found by filter and order, over pages', async () => {
  const found: unknown[] = [];
  const filter = 'metrics.own > 1';
  for await (const { data } of searchRuns({
    experimentNames: [experimentName],
    filter,
    orderBy: ['metrics.own DESC'],
    pageSize: 2,
  }))
    found.push(data.metrics?.find(({ key }) => key === 'own')?.value);
  same(found, [4, 3, 2]);
});

await expect('a run that is deleted takes nothing, and is there again when it is restored', async () => {
  const run_id = await startRun((run) => run.runId);
  await client.runs.deleteRun({ run_id });
  const refusal: unknown = await client.runs
    .logMetric({ run_id, key: 'k', value: 1, timestamp: 1 })
    .catch((error: unknown) => error);
  same(refusal instanceof MlflowError, true);
  await client.runs.restoreRun({ run_id });
  same((await read(run_id)).info.lifecycle_stage, 'active');
});

await expect('a dataset is an input of its run', async () => {
  const run_id = await startRun((run) => run.runId);
  const dataset = { name: 'iris', digest: 'abc', source_type: 'local', source: '{}' };
  await client.runs.logInputs({
    run_id,
    datasets: [{ dataset, tags: [{ key: 'mlflow.data.context', value: 'training' }] }],
  });
  same(
    (await read(run_id)).inputs?.dataset_inputs?.map((input) => input.dataset.name),
    ['iris'],
  );
});

let withFiles = '';
await expect('folders go up and come down as they were', async () => {
  await mkdir(join(folder, 'out', 'a b'), { recursive: true });
  const weights = Buffer.alloc(2_000_000, 'w');
  await writeFile(join(folder, 'out', 'weights.bin'), weights);
  await writeFile(join(folder, 'out', 'a b', 'ü.txt'), 'odd');
  await startRun(async (run) => {
    withFiles = run.runId;
    await run.logArtifacts(join(folder, 'out'), 'out');
    await run.logArtifact(new Blob(['from memory']), 'notes/blob.txt');
  });
  const to = join(folder, 'down');
  same((await downloadArtifacts(`runs:/${withFiles}/out`, to)).length, 2);
  same((await readFile(join(to, 'weights.bin'))).equals(weights), true);
  same(await readFile(join(to, 'a b', 'ü.txt'), 'utf8'), 'odd');
  same((await readdir(to)).sort(), ['a b', 'weights.bin']);
});

await expect('text, values, tables, images and figures become files', async () => {
  const run = await startRun();
  await run.logText('hello', 'note.txt');
  await run.logDict({ a: [1] }, 'values.yaml');
  await run.logTable([{ x: 1, y: 'one' }], 'table.json');
  await run.logTable([{ x: 2, y: 'two' }], 'again/table.json');
  await run.logImage({ width: 1, height: 1, data: Uint8Array.of(9) }, 'dot.png');
  await run.logFigure('<svg/>', 'plot.svg');
  await run.end();
  same((await run.listArtifacts()).map(({ path }) => path).sort(), [
    'again',
    'dot.png',
    'note.txt',
    'plot.svg',
    'table.json',
    'values.yaml',
  ]);
  same(
    (await run.listArtifacts('again')).map(({ path, isFolder }) => [path, isFolder]),
    [['again/table.json', false]],
  );
});

await expect('a file is opened from the middle', async () => {
  const run = await startRun({ runId: withFiles });
  const { body, offset } = await run.artifacts.open('notes/blob.txt', { offset: 5 });
  const text = await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).text();
  same(text.slice(5 - offset), 'memory');
  await run.end();
});

await expect('a file that is not there is named', async () => {
  const failure: unknown = await downloadArtifacts(`runs:/${withFiles}/absent`, join(folder, 'none')).catch(
    (error: unknown) => error,
  );
  same([failure instanceof MlflowError, String(failure).includes('absent')], [true, true]);
});

const model = `model ${label}`;
let source = '';
await expect('a model is logged with the files that Python reads', async () => {
  const logged = await startRun(() => logModel({ name: 'net', onnx: new Blob(['not a real one']) }));
  ({ source } = logged);
  const files = await downloadArtifacts(source, join(folder, 'model'));
  same(files.some((file) => file.endsWith('MLmodel')) && files.some((file) => file.endsWith('model.onnx')), true);
});

await expect('it is registered, once and again, and found by its alias', async () => {
  same((await registerModel(source, model, { description: 'words', tags: { a: 'b' } })).version, '1');
  same((await registerModel(source, model)).version, '2');
  await registry.registeredModels.setRegisteredModelAlias({ name: model, alias: 'best', version: '1' });
  const { model_version } = await registry.registeredModels.getModelVersionByAlias({ name: model, alias: 'best' });
  same(
    [model_version.version, model_version.description, model_version.tags],
    ['1', 'words', [{ key: 'a', value: 'b' }]],
  );
  const files = await downloadArtifacts(`models:/${model}@best`, join(folder, 'best'));
  same(
    files.some((file) => file.endsWith('MLmodel')),
    true,
  );
  const versions: string[] = [];
  for await (const { version } of registry.modelVersions.searchModelVersions.all({
    filter: `name = '${model}'`,
    max_results: 1,
  }))
    versions.push(version);
  same(versions.sort(), ['1', '2']);
});

await expect('refusals carry the code and the status', async () => {
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => (error instanceof MlflowError ? [error.errorCode, error.status] : [String(error)]),
    );
  same(await codeOf(client.runs.getRun({ run_id: '0'.repeat(32) })), ['RESOURCE_DOES_NOT_EXIST', 404]);
  same(await codeOf(client.experiments.createExperiment({ name: experimentName })), ['RESOURCE_ALREADY_EXISTS', 400]);
  same(await codeOf(client.runs.searchRuns({ experiment_ids: [experimentId], filter: 'nonsense' })), [
    'INVALID_PARAMETER_VALUE',
    400,
  ]);
});

// Only a server that shares its disk with the client and serves no such files itself gives a place of its own.
if (label === 'MLflow') {
  await expect('files of a run whose place is a folder lie in that folder', async () => {
    const artifact_location = pathToFileURL(join(folder, 'shared')).href;
    const { experiment_id } = await client.experiments.createExperiment({ name: 'in a folder', artifact_location });
    const run = await startRun({ experimentId: experiment_id });
    await run.logText('hello', 'a/note.txt');
    await run.end();
    same(run.artifactUri, `${artifact_location}/${run.runId}/artifacts`);
    same(await readFile(join(folder, 'shared', run.runId, 'artifacts/a/note.txt'), 'utf8'), 'hello');
    const [file = ''] = await downloadArtifacts(`runs:/${run.runId}/a`, join(folder, 'copied'));
    same(await readFile(file, 'utf8'), 'hello');
  });
}

process.exitCode = count.failed === 0 ? 0 : 1;
