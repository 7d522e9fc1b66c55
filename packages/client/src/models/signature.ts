/** A column of a table. */
export interface ColumnSpec {
  readonly name?: string;
  readonly type: 'boolean' | 'integer' | 'long' | 'float' | 'double' | 'string' | 'binary' | 'datetime';
  /** Default true. */
  readonly required?: boolean;
}

/** A tensor; `-1` in its shape is any length: `{ name: 'x', dtype: 'float32', shape: [-1, 4] }`. */
export interface TensorSpec {
  readonly name?: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

export interface ModelSignature {
  readonly inputs?: readonly (ColumnSpec | TensorSpec)[];
  readonly outputs?: readonly (ColumnSpec | TensorSpec)[];
}

/** A signature as an MLmodel file holds it: *each schema a JSON text, tensors wrapped in a `tensor-spec`*. */
export function writeSignature({ inputs, outputs }: ModelSignature): Record<string, string | null> {
  return { inputs: schemaText(inputs), outputs: schemaText(outputs), params: null };
}

function schemaText(specs: readonly (ColumnSpec | TensorSpec)[] | undefined): string | null {
  if (specs === undefined) return null;
  return JSON.stringify(
    specs.map((spec) => {
      const name = spec.name === undefined ? {} : { name: spec.name };
      if ('dtype' in spec) return { ...name, type: 'tensor', 'tensor-spec': { dtype: spec.dtype, shape: spec.shape } };
      return { type: spec.type, ...name, required: spec.required ?? true };
    }),
  );
}

export function readSignature(written: unknown): ModelSignature {
  const { inputs, outputs } = (written ?? {}) as { inputs?: string | null; outputs?: string | null };
  const read = (text: string | null | undefined): readonly (ColumnSpec | TensorSpec)[] | undefined => {
    if (!text) return undefined;
    return (JSON.parse(text) as (ColumnSpec & { 'tensor-spec'?: { dtype: string; shape: number[] } })[]).map(
      ({ 'tensor-spec': tensor, ...column }) =>
        tensor === undefined ? column : { ...(column.name === undefined ? {} : { name: column.name }), ...tensor },
    );
  };
  const [givenInputs, givenOutputs] = [read(inputs), read(outputs)];
  return {
    ...(givenInputs === undefined ? {} : { inputs: givenInputs }),
    ...(givenOutputs === undefined ? {} : { outputs: givenOutputs }),
  };
}
