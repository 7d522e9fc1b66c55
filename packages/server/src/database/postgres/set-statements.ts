import { conflictClause } from '../conflict-clause.ts';
import type { ColumnValue, SetIntern, SetRemove, SetRequirement, SetSelect, SetUpdate, SetWrite } from '../engine.ts';

/**
 * Set statements as SQL of PostgreSQL. A set of rows comes as one array a column, which `unnest` makes a table of: a
 * statement has the same text for any number of rows. Each function gives the text with `$n` for its arrays, numbered from
 * `first` on.
 */
type ColumnTypes = Readonly<Record<string, 'int64' | 'double' | 'text' | 'blob'>>;

const arrayTypes = { int64: 'bigint[]', double: 'double precision[]', text: 'text[]', blob: 'bytea[]' } as const;

function given(columns: ColumnTypes, first: number): string {
  const arrays = Object.values(columns).map((type, index) => `$${first + index}::${arrayTypes[type]}`);
  return `unnest(${arrays.join(', ')})`;
}

function equalKeys(by: ColumnTypes): string {
  return Object.keys(by)
    .map((column) => `t.${column} = k.${column}`)
    .join(' and ');
}

export function selectText({ table, by, columns, lockedBy }: SetSelect, isLocking: boolean): string {
  const keys = Object.keys(by).join(', ');
  const lock = isLocking && lockedBy !== undefined ? ` order by t.${lockedBy} for no key update of t` : '';
  return `select k.place, ${columns.map((column) => `t.${column}`).join(', ')}
    from ${given(by, 1)} with ordinality as k(${keys}, place) join ${table} t on ${equalKeys(by)}${lock}`;
}

/**
 * The rows that are as they must be, locked so that they stay so until the commit: in the order of their keys, as everybody
 * locks them, so that no two wait for each other.
 */
export function requirementText(
  { table, by, holds }: SetRequirement,
  first: number,
  lock: 'share' | 'no key update',
): string {
  const keys = Object.keys(by).join(', ');
  const conditions = Object.entries(holds).map(([column, text]) => `t.${column} = '${text.replaceAll("'", "''")}'`);
  return `select 1 from ${given(by, first)} as k(${keys}) join ${table} t on ${equalKeys(by)}
    where ${conditions.join(' and ')}
    order by ${Object.keys(by)
      .map((column) => `t.${column}`)
      .join(', ')} for ${lock} of t`;
}

export function writeText(statement: SetWrite, first: number): string {
  const { table, columns, conflict } = statement;
  const insert = `insert into ${table} (${Object.keys(columns).join(', ')}) select * from ${given(columns, first)}`;
  if (conflict?.equal === undefined) return insert + conflictClause(statement);
  // A row that is there and equal is touched, so that it counts as one of those returned.
  const [column] = conflict.equal;
  const same = conflict.equal.map((name) => `${table}.${name} = excluded.${name}`).join(' and ');
  return `${insert} on conflict (${conflict.key.join(', ')}) do update set ${column} = ${table}.${column} where ${same} returning 1`;
}

export function updateText({ table, by, set }: SetUpdate, first: number): string {
  const columns = { ...by, ...set };
  const values = Object.keys(set).map((column) => `${column} = k.${column}`);
  return `update ${table} t set ${values.join(', ')}
    from ${given(columns, first)} as k(${Object.keys(columns).join(', ')}) where ${equalKeys(by)}`;
}

export function removeText({ table, by }: SetRemove, first: number): string {
  return `delete from ${table} t using ${given(by, first)} as k(${Object.keys(by).join(', ')}) where ${equalKeys(by)}`;
}

/** Inserts the texts that are new, in the order of their keys, and gives the numbers of all that this statement can see. */
export function internText({ table, identity, columns }: SetIntern): string {
  const names = Object.keys(columns);
  const keys = names.join(', ');
  return `with k as (select * from ${given(columns, 1)} as k(${keys})),
    added as (
      insert into ${table} (${keys}) select ${keys} from k order by ${keys}
      on conflict (${keys}) do nothing returning ${identity}, ${keys}
    )
    select ${identity}, ${keys} from added
    union all select t.${identity}, ${names.map((name) => `t.${name}`).join(', ')}
      from ${table} t join k on ${equalKeys(columns)}`;
}

/** Rows as arrays, one a column. */
export function columnArrays(columns: ColumnTypes, rows: readonly (readonly ColumnValue[])[]): (string | Buffer)[] {
  return Object.values(columns).map((type, column) => {
    if (type === 'text') return `{${rows.map((row) => textElement(row[column] as string | null)).join(',')}}`;
    if (type === 'blob') throw new TypeError('Sets with blobs are for the engine that keeps a log of points.');
    return numberArray(type, rows, column);
  });
}

function textElement(text: string | null): string {
  return text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

const elementTypes = { int64: 20, double: 701 } as const;
const headerBytes = 20;
const bytesOfLength = 4;
const bytesOfNumber = 8;

/**
 * Numbers as PostgreSQL's own form of an array, which takes both sides a fraction of what texts take: the number of
 * dimensions, whether there are nulls, the element's type, size and lower bound, then each element behind its length.
 */
function numberArray(type: 'int64' | 'double', rows: readonly (readonly ColumnValue[])[], column: number): Buffer {
  const buffer = Buffer.allocUnsafe(headerBytes + rows.length * (bytesOfLength + bytesOfNumber));
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(1, 4);
  buffer.writeInt32BE(elementTypes[type], 8);
  buffer.writeInt32BE(rows.length, 12);
  buffer.writeInt32BE(1, 16);
  let offset = headerBytes;
  for (const row of rows) {
    const value = row[column];
    if (value === null || value === undefined) {
      offset = buffer.writeInt32BE(-1, offset);
      continue;
    }
    offset = buffer.writeInt32BE(bytesOfNumber, offset);
    if (type === 'double') offset = buffer.writeDoubleBE(Number(value), offset);
    else if (typeof value === 'bigint') offset = buffer.writeBigInt64BE(value, offset);
    else offset = writeSafeInteger(buffer, value as number, offset);
  }
  return buffer.subarray(0, offset);
}

const upperHalf = 2 ** 32;

/** A whole number within a double's 53 bits, in 64 bits. */
function writeSafeInteger(buffer: Buffer, value: number, offset: number): number {
  const upper = Math.floor(value / upperHalf);
  buffer.writeInt32BE(upper, offset);
  return buffer.writeUInt32BE(value - upper * upperHalf, offset + 4);
}
