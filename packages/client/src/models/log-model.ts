import { invalidParameter, MlflowError, type ModelVersion } from '@lazuli/contract';
import type { Upload } from '../artifacts/artifact-store.ts';
import type { Connection } from '../tracking/connection.ts';
import type { Platform } from '../tracking/platform.ts';
import type { ParamValue, Run } from '../tracking/run-handle.ts';
import {
  exampleFiles,
  mlModelOf,
  onnxEnvironment,
  onnxFile,
  onnxFlavors,
  type Content,
  type MlModel,
} from './model-files.ts';
import type { ModelSignature } from './signature.ts';

export interface ModelToLog {
  /** `classifier`; no `/ : . % " '`. */
  readonly name: string;
  /** An ONNX model: a file's path, or its bytes. */
  readonly onnx?: Content;
  /** The files of any other model: a local folder, or contents by their paths. One that holds an MLmodel keeps it. */
  readonly files?: string | Readonly<Record<string, Content>>;
  /** What MLmodel says of `files`, by flavor. */
  readonly flavors?: Readonly<Record<string, Record<string, unknown>>>;
  readonly signature?: ModelSignature;
  /** Rows of a table, a nested list of numbers, or any JSON. */
  readonly inputExample?: unknown;
  /** Registers what is logged as the next version of this name. */
  readonly registeredModelName?: string;
  readonly params?: Readonly<Record<string, ParamValue>>;
  readonly tags?: Readonly<Record<string, ParamValue>>;
  readonly modelType?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** The step of the run that made it; default 0. */
  readonly step?: number;
}

export interface LoggedModelHandle {
  /** `m-…`; absent on services that know no logged models, where the model lies among the run's artifacts. */
  readonly modelId?: string;
  /** What `registerModel` and `loadModel` take: `models:/m-…` or `runs:/{run}/{name}`. */
  readonly source: string;
  readonly artifactUri: string;
  readonly registeredVersion?: ModelVersion;
}

/**
 * Logs a model as MLflow 3 does: create, upload, READY, note it as an output of the run. Where logged models are unknown
 * (*Azure ML answers 404*) its files become artifacts of the run, as in MLflow 2.
 */
export async function loggedModel(
  model: ModelToLog,
  run: Run,
  connection: Connection,
  platform: Platform,
): Promise<LoggedModelHandle> {
  const prepared = await prepare(model, platform);
  const { client } = connection;
  const created = await client.loggedModels
    .createLoggedModel({
      experiment_id: run.experimentId,
      name: model.name,
      source_run_id: run.runId,
      ...(model.modelType === undefined ? {} : { model_type: model.modelType }),
      params: textPairs(model.params),
      tags: textPairs(model.tags),
    })
    .catch((error: unknown) => {
      if (error instanceof MlflowError && error.status === 404) return undefined;
      throw error;
    });
  if (created === undefined) return asArtifacts(model, run, connection, prepared);

  const { model_id, artifact_uri } = created.model.info;
  const store = connection.artifactsAt(artifact_uri);
  try {
    await store.upload(await withMlModel(model, run, prepared, artifact_uri, model_id));
  } catch (error) {
    await client.loggedModels
      .finalizeLoggedModel({ model_id, status: 'LOGGED_MODEL_UPLOAD_FAILED' })
      .catch(() => undefined);
    throw error;
  }
  await client.loggedModels.finalizeLoggedModel({ model_id, status: 'LOGGED_MODEL_READY' });
  await client.runs.logOutputs({ run_id: run.runId, models: [{ model_id, step: model.step ?? 0 }] });
  return { modelId: model_id, source: `models:/${model_id}`, artifactUri: artifact_uri };
}

async function asArtifacts(
  model: ModelToLog,
  run: Run,
  { client }: Connection,
  prepared: Prepared,
): Promise<LoggedModelHandle> {
  const uploads = await withMlModel(model, run, prepared, model.name, undefined);
  await run.artifacts.upload(uploads.map(({ path, content }) => ({ path: `${model.name}/${path}`, content })));
  const { flavors } = prepared;
  const model_json = JSON.stringify({
    artifact_path: model.name,
    flavors,
    run_id: run.runId,
    utc_time_created: new Date().toISOString(),
  });
  await client.runs.logModel({ run_id: run.runId, model_json }).catch((error: unknown) => {
    // The note is for MLflow's page; not every service takes it.
    if (!(error instanceof MlflowError) || error.status !== 404) throw error;
  });
  return { source: `runs:/${run.runId}/${model.name}`, artifactUri: `${run.artifactUri}/${model.name}` };
}

interface Prepared {
  readonly uploads: readonly Upload[];
  readonly flavors: MlModel['flavors'];
  readonly exampleInfo: Record<string, string> | undefined;
}

async function prepare(model: ModelToLog, platform: Platform): Promise<Prepared> {
  const { onnx, files, flavors = {}, inputExample } = model;
  if ((onnx === undefined) === (files === undefined))
    throw invalidParameter('A model is either { onnx } or { files }.');
  const example = inputExample === undefined ? undefined : exampleFiles(inputExample);
  const contents: Record<string, Content> = { ...example?.files };
  const uploads: Upload[] = [];
  const fromDisk = (): NonNullable<Platform['files']> => {
    if (platform.files === undefined) throw invalidParameter('There are no files here; give contents as Blobs.');
    return platform.files;
  };
  if (onnx !== undefined) {
    Object.assign(contents, onnxEnvironment());
    if (typeof onnx === 'string') uploads.push({ path: onnxFile, content: await fromDisk().open(onnx) });
    else contents[onnxFile] = onnx;
  } else if (typeof files === 'string') {
    const { below, open } = fromDisk();
    for (const { path, file } of await below(files)) uploads.push({ path, content: await open(file) });
  } else Object.assign(contents, files);
  for (const [path, content] of Object.entries(contents)) {
    uploads.push({ path, content: content instanceof Blob ? content : new Blob([content]) });
  }
  return {
    uploads,
    flavors: onnx === undefined ? flavors : { ...onnxFlavors(), ...flavors },
    exampleInfo: example?.info,
  };
}

async function withMlModel(
  model: ModelToLog,
  run: Run,
  { uploads, flavors, exampleInfo }: Prepared,
  artifactPath: string,
  modelId: string | undefined,
): Promise<Upload[]> {
  const { parse, stringify } = await import('yaml');
  const own = uploads.find(({ path }) => path === 'MLmodel');
  const fresh = mlModelOf({
    flavors,
    runId: run.runId,
    artifactPath,
    modelId,
    size: uploads.reduce((sum, { content }) => sum + content.size, 0),
    signature: model.signature,
    exampleInfo,
    metadata: model.metadata,
  });
  // A model that was saved elsewhere stays what it is, but for where it lies and who made it.
  const written =
    own === undefined
      ? fresh
      : {
          ...(parse(await own.content.text()) as MlModel),
          artifact_path: artifactPath,
          model_id: modelId ?? null,
          run_id: run.runId,
        };
  const content = new Blob([stringify(written, { lineWidth: 0 })], { type: 'application/yaml' });
  return [...uploads.filter((upload) => upload !== own), { path: 'MLmodel', content }];
}

function textPairs(values: Readonly<Record<string, ParamValue>> = {}): { key: string; value: string }[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: String(value) }));
}
