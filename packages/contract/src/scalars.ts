import { Type, type TSchema, type TUnsafe } from 'typebox';
import type { Int64 as Int64Value } from './int64.ts';

/**
 * The scalar types of protobuf JSON as schemas. `format` tells the reader and the writer (proto-json.ts) how a value
 * looks on the wire; everything else in a schema is ordinary JSON Schema, from which OpenAPI follows.
 */

export const Text = Type.String;
export const Flag = Type.Boolean;
export const Int32 = (): TUnsafe<number> => Type.Unsafe<number>({ type: 'integer', format: 'int32' });
export const Int64 = (options: { default?: number } = {}): TUnsafe<Int64Value> =>
  Type.Unsafe<Int64Value>({ type: 'integer', format: 'int64', ...options });

/** A 64-bit float. On the wire NaN and the infinities are the strings "NaN", "Infinity" and "-Infinity". */
export const Double = (): TUnsafe<number> => Type.Unsafe<number>({ type: 'number', format: 'double' });

/** A protobuf enum: its names, each with its number. Requests may use either; answers use the name. */
export function ProtoEnum<const Names extends Record<string, number>>(names: Names): TUnsafe<keyof Names & string> {
  return Type.Unsafe<keyof Names & string>({ type: 'string', enum: Object.keys(names), numbers: names });
}

/** A string-to-string map. */
export const TextMap = (): TUnsafe<Record<string, string>> =>
  Type.Unsafe<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } });

export const List = <T extends TSchema>(item: T) => Type.Array(item);

export const RunStatus = ProtoEnum({ RUNNING: 1, SCHEDULED: 2, FINISHED: 3, FAILED: 4, KILLED: 5 });
export const ViewType = ProtoEnum({ ACTIVE_ONLY: 1, DELETED_ONLY: 2, ALL: 3 });
