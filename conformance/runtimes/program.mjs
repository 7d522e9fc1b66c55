// What each runtime does with the installed package: signs in with a token, logs a run, metrics and files, registers and
// loads a model, searches. It is given by the environment: the server, a token, a folder, and which runtime this is.
// One line a check, `ok - …` or `not ok - …`.
import { Blob } from 'node:buffer';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import {
  createClient,
  downloadArtifacts,
  flush,
  loadModel,
  logMetric,
  logModel,
  logParams,
  MlflowError,
  searchRuns,
  setExperiment,
  setTrackingUri,
  startRun,
} from '@lazuli/client';
import { clientSecretCredential, SignInError } from '@lazuli/client/azure';
import { doublingModel } from './onnx-model.mjs';

const { RUNTIME: runtime = '', SERVER: url = '', FOLDER: folder = '', WITH_ONNX: hasOnnx } = process.env;
let failures = 0;

async function check(what, work) {
  try {
    await work();
    console.log(`ok - ${runtime}: ${what}`);
  } catch (error) {
    failures += 1;
    console.log(`not ok - ${runtime}: ${what}\n${String(error?.stack ?? error).replace(/^/gm, '    ')}`);
  }
}

function same(found, expected) {
  const [one, other] = [found, expected].map((value) => JSON.stringify(value));
  if (one !== other) throw new Error(`found ${one} instead of ${other}`);
}

let experimentId;
let runId;
await check('a token of the environment signs in, and none is refused', async () => {
  setTrackingUri(url);
  ({ experiment_id: experimentId } = await setExperiment(`runtime ${runtime}`));
  const stranger = createClient({ url, retries: { maxRetries: 0 } });
  const refusal = await stranger.experiments.getExperiment({ experiment_id: experimentId }).catch((error) => error);
  same([refusal instanceof MlflowError, refusal.status], [true, 401]);
});

await check('a run around a function gets params and a thousand points in order', async () => {
  runId = await startRun({ runName: 'training', tags: { runtime } }, async (run) => {
    await logParams({ rate: 0.1, layers: 3 });
    for (let step = 0; step < 1_000; step++) await logMetric('loss', 1 / (step + 1), { step });
    return run.runId;
  });
  const client = createClient({ url, token: process.env.MLFLOW_TRACKING_TOKEN });
  const { run } = await client.runs.getRun({ run_id: runId });
  same([run.info.status, run.data.params?.length], ['FINISHED', 2]);
  const { metrics = [] } = await client.metrics.getMetricHistory({ run_id: runId, metric_key: 'loss' });
  same(
    [metrics.length, metrics.every(({ value, step }, index) => step === index && value === 1 / (index + 1))],
    [1_000, true],
  );
});

await check('runs at the same time do not see each other, and one that throws has failed', async () => {
  const runs = await Promise.all(
    [1, 2, 3].map((value) =>
      startRun(async (run) => {
        for (let step = 0; step < 20; step++) await logMetric('own', value, { step });
        return run.runId;
      }),
    ),
  );
  await startRun({ runName: 'broken' }, () => Promise.reject(new Error('on purpose'))).catch(() => undefined);
  const found = new Map();
  for await (const { info, data } of searchRuns({ experimentIds: [experimentId] }))
    found.set(info.run_id, { info, data });
  same(
    runs.map((id) => found.get(id).data.metrics.map(({ value }) => value)),
    [[1], [2], [3]],
  );
  same([...found.values()].find(({ info }) => info.run_name === 'broken').info.status, 'FAILED');
});

await check('files go up and come down as they were', async () => {
  await mkdir(join(folder, 'out', 'a b'), { recursive: true });
  const bytes = new Uint8Array(3_000_000).map((_, index) => index % 251);
  await writeFile(join(folder, 'out', 'weights.bin'), bytes);
  await writeFile(join(folder, 'out', 'a b', 'ü.txt'), 'odd');
  // Without `await using`, which Node has from 24 on.
  const run = await startRun({ runName: 'files' });
  await run.logArtifacts(join(folder, 'out'), 'out');
  await run.logText('hello', 'note.txt');
  await run.logDict({ a: [1, 2] }, 'values.yaml');
  await run.logTable([{ x: 1, y: 'one' }], 'table.json');
  await run.end();
  const files = await downloadArtifacts(`runs:/${run.runId}`, join(folder, 'down'));
  same(files.length, 5);
  const back = await readFile(join(folder, 'down', 'out', 'weights.bin'));
  same([back.length, back.every((value, index) => value === bytes[index])], [3_000_000, true]);
  same(await readFile(join(folder, 'down', 'out', 'a b', 'ü.txt'), 'utf8'), 'odd');
});

await check('a model is logged, registered and found by its alias', async () => {
  const name = `doubling ${runtime}`;
  const logged = await startRun(() =>
    logModel({
      name: 'net',
      onnx: new Blob([doublingModel()]),
      signature: { inputs: [{ name: 'x', dtype: 'float32', shape: [-1, 2] }] },
      registeredModelName: name,
    }),
  );
  same(logged.registeredVersion?.version, '1');
  const client = createClient({ url, token: process.env.MLFLOW_TRACKING_TOKEN });
  await client.registeredModels.setRegisteredModelAlias({ name, alias: 'best', version: '1' });
  const { model_version } = await client.registeredModels.getModelVersionByAlias({ name, alias: 'best' });
  same(model_version.version, '1');
});

if (hasOnnx !== undefined) {
  await check('onnxruntime-node runs a model that was registered', async () => {
    const model = await loadModel(`models:/doubling ${runtime}@best`);
    const { y } = await model.predict([
      [1, 2],
      [3, 4.5],
    ]);
    same([[...y.data], y.dims, y.type], [[2, 4, 6, 9], [2, 2], 'float32']);
  });
}

await check('runs are found by a filter', async () => {
  await flush();
  const found = [];
  for await (const { info } of searchRuns({ experimentIds: [experimentId], filter: 'metrics.loss < 0.01' }))
    found.push(info.run_id);
  same(found, [runId]);
});

await check('the entry for Azure loads, and names what is wrong with a sign-in', async () => {
  const credential = clientSecretCredential({
    authorityHost: url,
    tenantId: 't',
    clientId: 'c',
    clientSecret: '{{secrets/scope/key}}',
    environment: {},
  });
  const failure = await credential.getToken('https://management.azure.com/.default').catch((error) => error);
  same([failure instanceof SignInError, /unresolved|reference/.test(failure.message)], [true, true]);
});

process.exitCode = failures === 0 ? 0 : 1;
