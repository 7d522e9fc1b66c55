import type { ModelSignature } from './signature.ts';
import { writeSignature } from './signature.ts';

/**
 * The files that make a folder a model of MLflow: MLmodel, and the example input with its twin for scoring servers. Field
 * names and texts are those of MLflow 3.17.
 */
export type Content = string | Blob | Uint8Array<ArrayBuffer>;

/** MLmodel as a value; flavors by name. */
export interface MlModel {
  flavors: Record<string, Record<string, unknown>>;
  signature?: Record<string, string | null>;
  [name: string]: unknown;
}

/** What an ONNX model needs, so that MLflow's own `onnx` and `pyfunc` load and serve it. */
export const onnxFile = 'model.onnx';

export function onnxFlavors(): MlModel['flavors'] {
  return {
    onnx: {
      code: null,
      data: onnxFile,
      onnx_session_options: null,
      providers: ['CUDAExecutionProvider', 'CPUExecutionProvider'],
    },
    python_function: {
      data: onnxFile,
      env: { conda: 'conda.yaml', virtualenv: 'python_env.yaml' },
      loader_module: 'mlflow.onnx',
    },
  };
}

/** *A scoring server builds its environment from these.* */
export function onnxEnvironment(): Record<string, Content> {
  const requirements = ['mlflow>=3', 'onnx', 'onnxruntime'];
  const list = requirements.map((name) => `  - ${name}\n`).join('');
  return {
    'requirements.txt': `${requirements.join('\n')}\n`,
    'conda.yaml': `channels:\n- conda-forge\ndependencies:\n- python=3.11\n- pip\n- pip:\n${list}name: mlflow-env\n`,
    'python_env.yaml': 'python: 3.11\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n',
  };
}

/** An example input: rows of a table, or any other value as JSON. Gives its files and what MLmodel says of them. */
export function exampleFiles(example: unknown): { files: Record<string, Content>; info: Record<string, string> } {
  const common = { artifact_path: 'input_example.json', serving_input_path: 'serving_input_example.json' };
  if (isTable(example)) {
    const columns = [...new Set(example.flatMap((row) => Object.keys(row)))];
    const split = { columns, data: example.map((row) => columns.map((column) => row[column] ?? null)) };
    return {
      files: {
        'input_example.json': JSON.stringify(split),
        'serving_input_example.json': JSON.stringify({ dataframe_split: split }, null, 2),
      },
      info: { ...common, type: 'dataframe', pandas_orient: 'split' },
    };
  }
  return {
    files: {
      'input_example.json': JSON.stringify(example),
      'serving_input_example.json': JSON.stringify({ inputs: example }, null, 2),
    },
    info: { ...common, type: isNumbers(example) ? 'ndarray' : 'json_object' },
  };
}

function isTable(value: unknown): value is Record<string, unknown>[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row))
  );
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'number' || isNumbers(item));
}

export interface MlModelFacts {
  readonly flavors: MlModel['flavors'];
  readonly runId: string;
  readonly artifactPath: string;
  readonly modelId: string | undefined;
  readonly size: number;
  readonly signature: ModelSignature | undefined;
  readonly exampleInfo: Record<string, string> | undefined;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
}

/** *The version of MLflow's format that is written.* */
const formatVersion = '3.17.0';

export function mlModelOf(facts: MlModelFacts): MlModel {
  return {
    artifact_path: facts.artifactPath,
    flavors: facts.flavors,
    ...(facts.metadata === undefined ? {} : { metadata: facts.metadata }),
    mlflow_version: formatVersion,
    ...(facts.modelId === undefined ? {} : { model_id: facts.modelId }),
    model_size_bytes: facts.size,
    model_uuid: crypto.randomUUID().replaceAll('-', ''),
    run_id: facts.runId,
    ...(facts.exampleInfo === undefined ? {} : { saved_input_example_info: facts.exampleInfo }),
    ...(facts.signature === undefined ? {} : { signature: writeSignature(facts.signature) }),
    // *MLflow: without a zone, a blank between day and time.*
    utc_time_created: new Date().toISOString().replace('T', ' ').replace('Z', '000'),
  };
}
