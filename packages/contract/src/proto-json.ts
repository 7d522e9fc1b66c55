import type { Static, TObject, TSchema } from 'typebox';
import { asciiJson } from './ascii-json.ts';
import { invalidParameter, MlflowError } from './errors.ts';
import { parseInt64, type Int64 } from './int64.ts';

/**
 * Protobuf JSON, driven by the contract's schemas.
 *
 * Reading: snake_case and camelCase names (one body with both spellings of a field is refused: a check that looks at one
 * and a handler that reads the other has been an authorisation bypass), unknown fields ignored, null is absent, a 64-bit
 * integer may be a string, NaN and the infinities are strings. An integer that a double cannot hold is read from its
 * source text. Only own properties with known names are looked at, so `__proto__` is one more unknown field.
 *
 * Writing: compact, absent fields and empty lists left out, an empty string kept, 64-bit integers as numbers.
 *
 * Readers and writers are compiled once per schema into closures.
 */
export type ReadInput<S extends TObject> = (value: unknown) => Static<S>;
export type WriteOutput<S extends TObject> = (value: Static<S>) => string;

type Read = (value: unknown, path: string) => unknown;
type Write = (value: unknown) => string;
type Side = 'request' | 'answer';

interface FieldSchema {
  type?: string;
  format?: string;
  minLength?: number;
  enum?: readonly string[];
  numbers?: Record<string, number>;
  items?: TSchema;
  properties?: Record<string, TSchema>;
  required?: readonly string[];
  additionalProperties?: unknown;
}

/** What MLflow adds to its messages about parameters. */
export const docsHint = ' See the API docs for more information about request parameters.';

/** Signals that an integer was rounded by JSON.parse, so the text must be read again with its source; else it is a wrong value. */
class InexactInteger extends MlflowError {
  constructor(value: number, path: string) {
    super('INVALID_PARAMETER_VALUE', wrongType(value, path).message);
  }
}

export function compileReader<S extends TObject>(schema: S): ReadInput<S> {
  const read = readerOf(schema, 'request');
  return (value) => read(value, '') as Static<S>;
}

/** Like `compileReader`, for what a server answers: there an empty string is a value like any other. */
export function compileAnswerReader<S extends TObject>(schema: S): ReadInput<S> {
  const read = readerOf(schema, 'answer');
  return (value) => read(value, '') as Static<S>;
}

/** Parses a body and reads it. An empty body is an empty message. */
export function readJson<S extends TObject>(read: ReadInput<S>, text: string): Static<S> {
  if (text === '') return read({});
  try {
    return read(unwrap(parseJson(text)));
  } catch (error) {
    if (!(error instanceof InexactInteger)) throw error;
    return read(exactMessage(text, error));
  }
}

/** The message again, its large integers as bigints. Where the text cannot be read that way, the wrong value is one. */
function exactMessage(text: string, inexact: InexactInteger): unknown {
  try {
    const value = parseExactly(text);
    return (typeof value === 'string' ? parseExactly(value) : value) ?? {};
  } catch {
    // A reviver goes down with the nesting of the text, unlike the parser itself.
    throw inexact;
  }
}

/** Reads a query string: every value is text, a repeated field is a repeated key. */
export function readQuery<S extends TObject>(schema: S, read: ReadInput<S>, query: URLSearchParams): Static<S> {
  const properties = schema.properties as Record<string, FieldSchema>;
  const message: Record<string, unknown> = {};
  for (const key of new Set(query.keys())) {
    const values = query.getAll(key);
    const field = Object.hasOwn(properties, key) ? properties[key] : properties[snakeCase(key)];
    if (field?.type === 'array') message[key] = values;
    else if (field?.type === 'boolean') message[key] = flagFromText(values[0] ?? '');
    else message[key] = values[0];
  }
  return read(message);
}

/** The value of a JSON text. *Python clients may send the bare literals NaN and Infinity, which JSON does not have.* */
export function parseJson(text: string, reviver?: Reviver): unknown {
  try {
    return JSON.parse(text, reviver) as unknown;
  } catch (error) {
    if (/NaN|Infinity/.test(text)) {
      try {
        return JSON.parse(withQuotedLiterals(text), reviver) as unknown;
      } catch {
        // The first error speaks of the text as it was sent.
      }
    }
    throw invalidParameter(
      `Malformed JSON in the request body: ${error instanceof Error ? error.message : 'unreadable'}`,
    );
  }
}

/** Strings are stepped over whole; one that never ends goes to the end, so that the scan is a single one. */
function withQuotedLiterals(text: string): string {
  return text.replace(/"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|-?Infinity|NaN/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  );
}

/** *Old clients encode a body twice; null is an empty message.* */
function unwrap(value: unknown): unknown {
  return (typeof value === 'string' ? parseJson(value) : value) ?? {};
}

/** Node 20 and older browsers do not tell a reviver the source of a number; there large integers are made text first. */
const revivesWithSource = JSON.parse('1', (_key, _value, context?: { source?: string }) => context?.source) === '1';

function parseExactly(text: string): unknown {
  if (revivesWithSource) return parseJson(text, exactIntegers);
  return parseJson(
    text.replace(/"[^"\\]*(?:\\[^][^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
      /^-?\d{16,}$/.test(token) ? `"${token}"` : token,
    ),
  );
}

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

function exactIntegers(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !Number.isInteger(value)) return value;
  // Digits are exact; what has an exponent is the double that it is.
  return /^-?\d+$/.test(context?.source ?? '') ? BigInt(context?.source ?? '') : BigInt(value);
}

function readerOf(schema: TSchema, side: Side): Read {
  const field = schema as FieldSchema;
  if (field.type === 'object') return (field.properties === undefined ? mapReader : objectReader)(field, side);
  if (field.type === 'array') return listReader(field, side);
  if (field.type === 'boolean') return readFlag;
  if (field.type === 'number') return readDouble;
  if (field.type === 'integer') return field.format === 'int32' ? readInt32 : readInt64;
  if (field.enum !== undefined) return enumReader(field.enum, field.numbers ?? {});
  if (field.type === 'string') return readText;
  throw new TypeError(`No reader for the schema ${JSON.stringify(schema)}`);
}

function objectReader(schema: FieldSchema, side: Side): Read {
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    camel: camelCase(name),
    read: readerOf(property, side),
    required: required.has(name),
    emptyIsMissing: side === 'request' && required.has(name) && (property as FieldSchema).minLength !== 0,
  }));
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(value, path);
    const message = value as Record<string, unknown>;
    const result: Record<string, unknown> = {};
    for (const { name, camel, read, required, emptyIsMissing } of fields) {
      const own = Object.hasOwn(message, name) ? message[name] : undefined;
      const other = camel !== name && Object.hasOwn(message, camel) ? message[camel] : undefined;
      if (own !== undefined && other !== undefined) {
        throw invalidParameter(`Request specifies both '${name}' and '${camel}'; provide only one of them.`);
      }
      const given = own ?? other;
      // *MLflow: an empty string counts as missing where a value is required*, unless the schema says minLength 0.
      const present = given !== undefined && given !== null && !(emptyIsMissing && given === '');
      if (present) {
        result[name] = read(given, path === '' ? name : `${path}.${name}`);
      } else if (required) {
        throw missing(path === '' ? name : `${path}.${name}`);
      }
    }
    return result;
  };
}

function listReader(schema: FieldSchema, side: Side): Read {
  const read = readerOf(schema.items as TSchema, side);
  return (value, path) => {
    if (!Array.isArray(value)) throw wrongType(value, path);
    return value.map((item, index) => read(item, `${path}[${index}]`));
  };
}

function readText(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrongType(value, path);
  return storableText(value, path);
}

/** Text that both engines store alike: they differ on NUL characters and on surrogates without their other half. */
export function storableText(value: string, path: string): string {
  if (value.includes('\0'))
    throw invalidParameter(`Invalid value for parameter '${path}' supplied: it contains a NUL character.`);
  if (!value.isWellFormed()) {
    throw invalidParameter(`Invalid value for parameter '${path}' supplied: it contains half of a surrogate pair.`);
  }
  return value;
}

function readFlag(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw wrongType(value, path);
  return value;
}

export function readDouble(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    const text = value.trim();
    if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
    // *MLflow reads what Python's float() reads.*
    if (/^[+-]?inf(?:inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
    if (/^[+-]?nan$/i.test(text)) return NaN;
  }
  throw wrongType(value, path);
}

export function readInt64(value: unknown, path: string): Int64 {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return value;
    if (Number.isInteger(value)) throw new InexactInteger(value, path);
  }
  if (typeof value === 'bigint') {
    const exact = parseInt64(String(value));
    if (exact !== undefined) return exact;
  }
  if (typeof value === 'string') {
    const parsed =
      parseInt64(value) ?? (/^[+-]?\d{1,20}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,3})?$/.test(value) ? Number(value) : NaN);
    if (typeof parsed === 'bigint' || Number.isSafeInteger(parsed)) return parsed;
  }
  throw wrongType(value, path);
}

function readInt32(value: unknown, path: string): number {
  const number = readInt64(value, path);
  if (typeof number === 'bigint' || number < -(2 ** 31) || number >= 2 ** 31) throw wrongType(value, path);
  return number;
}

function enumReader(names: readonly string[], numbers: Record<string, number>): Read {
  return (value, path) => {
    if (typeof value === 'string' && names.includes(value)) return value;
    const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
    const name = names.find((candidate) => numbers[candidate] === number);
    if (name !== undefined) return name;
    if (typeof value !== 'string') throw wrongType(value, path);
    throw invalidParameter(
      `Invalid value ${shown(value)} for parameter '${path}' supplied: It must be one of ${names.join(', ')}.${docsHint}`,
    );
  };
}

function mapReader(schema: FieldSchema, side: Side): Read {
  const read = readerOf(schema.additionalProperties as TSchema, side);
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(value, path);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item, `${path}.${key}`)]));
  };
}

export function missing(parameter: string): Error {
  return invalidParameter(`Missing value for required parameter '${parameter}'.${docsHint}`);
}

export function wrongType(value: unknown, path: string): Error {
  if (path === '')
    return invalidParameter(`The request body must be a JSON object, not of type '${pythonType(value)}'.`);
  return invalidParameter(
    `Invalid value ${shown(value)} for parameter '${path}' supplied:  Hint: Value was of type '${pythonType(value)}'.${docsHint}`,
  );
}

/** A value as MLflow's messages show it, cut so that a message stays readable. */
function shown(value: unknown): string {
  const text = asciiJson(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** *MLflow's messages name Python's types, and clients' tests match them.* */
function pythonType(value: unknown): string {
  if (value === null || value === undefined) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  return 'dict';
}

function flagFromText(text: string): unknown {
  const lower = text.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : text;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function compileWriter<S extends TObject>(schema: S): WriteOutput<S> {
  return writerOf(schema);
}

function writerOf(schema: TSchema): Write {
  const field = schema as FieldSchema;
  if (field.type === 'object') return field.properties === undefined ? JSON.stringify : objectWriter(field);
  if (field.type === 'array') {
    const write = writerOf(field.items as TSchema);
    return (value) => `[${(value as unknown[]).map(write).join(',')}]`;
  }
  if (field.type === 'number') return writeDouble as Write;
  if (field.type === 'integer') return writeInteger as Write;
  return JSON.stringify;
}

function objectWriter(schema: FieldSchema): Write {
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    prefix: `${JSON.stringify(name)}:`,
    write: writerOf(property),
    // An empty list is left out, but not where it has to be there: as models of a request for outputs.
    leftOutIfEmpty: (property as FieldSchema).type === 'array' && !required.has(name),
  }));
  return (value) => {
    const message = value as Record<string, unknown>;
    let body = '';
    for (const { name, prefix, write, leftOutIfEmpty } of fields) {
      const given = message[name];
      if (given === undefined || (leftOutIfEmpty && (given as unknown[]).length === 0)) continue;
      body += (body === '' ? prefix : `,${prefix}`) + write(given);
    }
    return `{${body}}`;
  };
}

/** All digits, also of the smallest 64-bit integer, which SQLite's driver hands over as the double that it is. */
export function writeInteger(value: Int64): string {
  return String(typeof value === 'number' && !Number.isSafeInteger(value) ? BigInt(value) : value);
}

export function writeDouble(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}
