import { invalidParameter, MlflowError } from '@lazuli/contract';
import { joinPath, type ArtifactStore } from '../artifacts/artifact-store.ts';
import type { CallOptions } from '../transport.ts';
import type { MlModel } from './model-files.ts';
import { locationOf, type Servers } from './model-location.ts';
import { readSignature, type ModelSignature } from './signature.ts';

/** What is used of onnxruntime-node and onnxruntime-web, which are alike in it. */
export interface OnnxRuntime {
  readonly InferenceSession: { create(model: Uint8Array): Promise<OnnxSession> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OnnxTensor;
}

export interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor>>;
}

export interface OnnxTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** Nested lists of numbers, or a tensor of the runtime. */
export type TensorLike = OnnxTensor | NestedNumbers;
export type NestedNumbers = readonly number[] | readonly NestedNumbers[];

export interface LoadedModel {
  /** MLmodel as it is written. */
  readonly metadata: MlModel;
  readonly signature: ModelSignature;
  readonly session: OnnxSession;
  /**
   * Runs the model. Inputs go by their names; one that stands alone needs none: `predict([[5.1, 3.5, 1.4, 0.2]])`. Lists
   * become tensors of the type that the signature names, else float32.
   */
  predict(inputs: TensorLike | Readonly<Record<string, TensorLike>>): Promise<Record<string, OnnxTensor>>;
}

export interface LoadOptions extends CallOptions {
  /** What runs ONNX; default: the package onnxruntime-node, which has to be installed beside this one. */
  readonly runtime?: OnnxRuntime;
}

/** Loads a model with the flavor `onnx`. For its URI see `locationOf`. */
export async function loadedModel(
  uri: string,
  servers: Servers,
  { runtime, signal }: LoadOptions,
  findRuntime: (() => Promise<OnnxRuntime>) | undefined,
): Promise<LoadedModel> {
  const { store, folder } = await locationOf(uri, servers);
  const options = signal === undefined ? {} : { signal };
  const { parse } = await import('yaml');
  const text = new TextDecoder().decode(await bytesOf(store, joinPath(folder, 'MLmodel'), options));
  const metadata = parse(text) as MlModel;
  const data = metadata.flavors['onnx']?.['data'];
  if (typeof data !== 'string') {
    const flavors = Object.keys(metadata.flavors).join(', ');
    throw new MlflowError(
      'NOT_IMPLEMENTED',
      `'${uri}' has the flavors ${flavors}. Only ONNX models are loaded here; others are for downloadArtifacts.`,
    );
  }
  const used = runtime ?? (await findRuntime?.());
  if (used === undefined)
    throw invalidParameter("Give a runtime for ONNX: loadModel(uri, { runtime: await import('onnxruntime-web') }).");
  const session = await used.InferenceSession.create(await bytesOf(store, joinPath(folder, data), options));
  const signature = readSignature(metadata.signature);
  return {
    metadata,
    signature,
    session,
    predict(inputs) {
      const named = isByName(inputs) ? inputs : { [onlyInput(session)]: inputs };
      const feeds = Object.entries(named).map(([name, value]): [string, OnnxTensor] => [
        name,
        isTensor(value) ? value : tensorOf(value, typeOf(signature, name), used),
      ]);
      return session.run(Object.fromEntries(feeds));
    },
  };
}

async function bytesOf(store: ArtifactStore, path: string, options: CallOptions): Promise<Uint8Array> {
  const { body } = await store.open(path, options);
  return new Uint8Array(await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

function isTensor(value: unknown): value is OnnxTensor {
  return typeof value === 'object' && value !== null && 'dims' in value && 'data' in value;
}

function isByName(
  inputs: TensorLike | Readonly<Record<string, TensorLike>>,
): inputs is Readonly<Record<string, TensorLike>> {
  return !Array.isArray(inputs) && !isTensor(inputs);
}

function onlyInput({ inputNames }: OnnxSession): string {
  const [name] = inputNames;
  if (name === undefined || inputNames.length > 1) throw invalidParameter(`Name the inputs: ${inputNames.join(', ')}.`);
  return name;
}

function typeOf({ inputs = [] }: ModelSignature, name: string): string {
  const spec = inputs.find((input) => input.name === name) ?? (inputs.length === 1 ? inputs[0] : undefined);
  return spec !== undefined && 'dtype' in spec ? spec.dtype : 'float32';
}

const arrays: Readonly<Record<string, { from(values: readonly number[]): unknown }>> = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bool: Uint8Array,
  int64: { from: (values) => BigInt64Array.from(values, BigInt) },
  uint64: { from: (values) => BigUint64Array.from(values, BigInt) },
};

function tensorOf(nested: NestedNumbers, type: string, { Tensor }: OnnxRuntime): OnnxTensor {
  const dims: number[] = [];
  for (let level: unknown = nested; Array.isArray(level); level = (level as unknown[])[0]) dims.push(level.length);
  const flat = (nested as readonly unknown[]).flat(Infinity) as number[];
  if (flat.length !== dims.reduce((product, length) => product * length, 1)) {
    throw invalidParameter('The lists of an input have one length on each level.');
  }
  const array = arrays[type];
  if (array === undefined) throw invalidParameter(`Give the input as a tensor; lists cannot become one of ${type}.`);
  return new Tensor(type, array.from(flat), dims);
}
