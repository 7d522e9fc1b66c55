import { Buffer } from 'node:buffer';
import {
  getClient,
  loadModel,
  logModel,
  registerModel,
  startRun,
  downloadArtifacts,
  type OnnxRuntime,
  type OnnxTensor,
} from '@lazuli/client';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { trackedServer } from './a-tracked-server.ts';

/** Stands in for onnxruntime: the "model" is a number, by which it multiplies. */
const multiplier: OnnxRuntime = {
  Tensor: class implements OnnxTensor {
    readonly type: string;
    readonly data: unknown;
    readonly dims: readonly number[];
    constructor(type: string, data: unknown, dims: readonly number[]) {
      this.type = type;
      this.data = data;
      this.dims = dims;
    }
  },
  InferenceSession: {
    async create(model) {
      const factor = Number(Buffer.from(model).toString());
      return {
        inputNames: ['x'],
        outputNames: ['y'],
        async run({ x }) {
          const given = x?.data as Float64Array;
          return {
            y: new multiplier.Tensor(
              x?.type ?? '',
              given.map((value) => value * factor),
              x?.dims ?? [],
            ),
          };
        },
      };
    },
  },
};

const onnx = {
  onnx: new Blob(['3']),
  signature: { inputs: [{ name: 'x', dtype: 'float64', shape: [-1, 2] }] },
} as const;

test('an ONNX model is logged with the files that MLflow reads, registered, and loaded in every spelling', async () => {
  await using server = await trackedServer();
  const { runId, logged } = await startRun(async (run) => ({
    runId: run.runId,
    logged: await logModel({
      name: 'net',
      ...onnx,
      inputExample: [[1, 2]],
      registeredModelName: 'multiplier',
      params: { factor: 3 },
      tags: { kind: 'test' },
      modelType: 'regressor',
      step: 5,
    }),
  }));
  expect(logged).toMatchObject({ source: `models:/${logged.modelId ?? ''}`, registeredVersion: { version: '1' } });
  const { model } = await server.client.loggedModels.getLoggedModel({ model_id: logged.modelId ?? '' });
  expect(model.info).toMatchObject({
    name: 'net',
    status: 'LOGGED_MODEL_READY',
    model_type: 'regressor',
    source_run_id: runId,
  });
  expect(model.data.params).toEqual([{ key: 'factor', value: '3' }]);
  const { run } = await server.client.runs.getRun({ run_id: runId });
  expect(run.outputs?.model_outputs).toEqual([{ model_id: logged.modelId, step: 5 }]);

  const files = await downloadArtifacts(logged.source, join(server.folder, 'down'));
  const written = parse(await readFile(files.find((file) => file.endsWith('MLmodel')) ?? '', 'utf8')) as unknown;
  expect(written).toMatchObject({
    flavors: { onnx: { data: 'model.onnx' }, python_function: { loader_module: 'mlflow.onnx', data: 'model.onnx' } },
    model_id: logged.modelId,
    run_id: runId,
    signature: {
      inputs: '[{"name":"x","type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,2]}}]',
      outputs: null,
    },
    saved_input_example_info: { type: 'ndarray', artifact_path: 'input_example.json' },
  });

  await server.client.registeredModels.setRegisteredModelAlias({ name: 'multiplier', alias: 'best', version: '1' });
  for (const uri of [
    logged.source,
    `runs:/${runId}/net`,
    'models:/multiplier/1',
    'models:/multiplier@best',
    'models:/multiplier/latest',
  ]) {
    const loaded = await loadModel(uri, { runtime: multiplier });
    expect(loaded.signature, uri).toEqual(onnx.signature);
    const { y } = await loaded.predict([
      [1, 2],
      [3, 4],
    ]);
    expect(y, uri).toMatchObject({ type: 'float64', dims: [2, 2], data: Float64Array.of(3, 6, 9, 12) });
    const named = await loaded.predict({ x: [[0.5, 0]] });
    expect(named['y']?.data).toEqual(Float64Array.of(1.5, 0));
  }
});

test('the same name gets the next version, from a run’s model and from the model itself', async () => {
  await using _server = await trackedServer();
  const { runId, logged } = await startRun(async (run) => ({
    runId: run.runId,
    logged: await logModel({ name: 'net', ...onnx }),
  }));
  expect((await registerModel(logged.source, 'm')).version).toBe('1');
  const second = await registerModel(logged.source, 'm', { description: 'again', tags: { a: 'b' } });
  expect(second).toMatchObject({ version: '2', description: 'again', tags: [{ key: 'a', value: 'b' }] });
  const byRun = await registerModel(`runs:/${runId}/net`, 'm');
  expect(byRun).toMatchObject({ version: '3', run_id: runId });
  expect(await (await loadModel('models:/m/3', { runtime: multiplier })).predict([[1, 1]])).toHaveProperty('y');
});

test('the files of any model are kept, with what they say of themselves', async () => {
  await using server = await trackedServer();
  const own = 'flavors:\n  sklearn:\n    pickled_model: model.pkl\nmodel_id: m-elsewhere\nmodel_uuid: abc\n';
  const logged = await startRun(() =>
    logModel({ name: 'saved', files: { MLmodel: own, 'model.pkl': Uint8Array.of(1, 2) } }),
  );
  const files = await downloadArtifacts(logged.source, join(server.folder, 'down'));
  const written = parse(await readFile(files.find((file) => file.endsWith('MLmodel')) ?? '', 'utf8')) as unknown;
  expect(written).toMatchObject({
    flavors: { sklearn: { pickled_model: 'model.pkl' } },
    model_uuid: 'abc',
    model_id: logged.modelId,
  });
  await expect(loadModel(logged.source, { runtime: multiplier })).rejects.toThrow(/has the flavors sklearn/);
});

test('a model whose upload fails is marked so', async () => {
  await using server = await trackedServer();
  const run = await startRun();
  await expect(logModel({ run, name: 'broken', files: { '../escape': 'x' } })).rejects.toThrow(
    /is not a relative path/,
  );
  const { models = [] } = await server.client.loggedModels.searchLoggedModels({ experiment_ids: [run.experimentId] });
  expect(models.map(({ info }) => info.status)).toEqual(['LOGGED_MODEL_UPLOAD_FAILED']);
  await run.end();
});

test('a version that is not there, or is not named, is said to be so', async () => {
  await using _server = await trackedServer();
  await (await getClient()).registeredModels.createRegisteredModel({ name: 'empty' });
  await expect(loadModel('models:/empty/latest', { runtime: multiplier })).rejects.toThrow(/has no version 'latest'/);
  await expect(loadModel('models:/empty', { runtime: multiplier })).rejects.toThrow(/names no version/);
});
