import { sql } from 'kysely';
import type { Int64 } from '@lazuli/contract';
import { always, never, type Sql } from './conditions.ts';

/**
 * Order and place in it. A result is ordered by terms, and a page ends at a position: the terms' values of its last row. The
 * next page is what lies after that position, so rows that come or go before it move nothing.
 *
 * A term may lack a value in some rows. Its rank tells: 0 a value, 1 NaN, 2 absent. *MLflow: numbers, then NaN, then absent, in
 * both directions.*
 */
export interface OrderTerm {
  readonly value: Sql;
  /** Absent where every row has a value; a number where all rows of the statement are of one rank. */
  readonly rank?: Sql | Rank;
  readonly direction: 'asc' | 'desc';
  readonly type: 'int64' | 'double' | 'text';
  /** The left join that brings the value. */
  readonly join?: Sql;
}

export type Rank = 0 | 1 | 2;
export type Place = { readonly rank: 0; readonly value: Int64 | string } | { readonly rank: 1 | 2 };
export type Position = readonly Place[];

/** A row as the statement gives it: `rank0`, `value0`, `rank1`, … */
export type OrderedRow = Readonly<Record<string, Int64 | string | null>>;

/** What follows `order by`. The terms do not all have a fixed rank above 0: the last tells all rows apart. */
export function orderBy(terms: readonly OrderTerm[]): Sql {
  const parts = terms.flatMap(({ rank, value, direction }) => {
    if (rank === 1 || rank === 2) return [];
    const byValue = direction === 'asc' ? sql`${value} asc` : sql`${value} desc`;
    return rank === undefined || rank === 0 ? [byValue] : [sql`${rank} asc`, byValue];
  });
  return sql.join(parts);
}

export function selectTerms(terms: readonly OrderTerm[]): Sql {
  const columns = terms.flatMap(({ rank, value }, index) => {
    if (rank === 1 || rank === 2) return [];
    const valueColumn = sql`${value} as ${sql.id(`value${index}`)}`;
    return typeof rank !== 'object' ? [valueColumn] : [sql`${rank} as ${sql.id(`rank${index}`)}`, valueColumn];
  });
  return sql.join(columns);
}

export function positionOf(row: OrderedRow, terms: readonly OrderTerm[]): Position {
  return terms.map((term, index) => {
    const rank = typeof term.rank === 'object' ? Number(row[`rank${index}`]) : (term.rank ?? 0);
    if (rank === 1 || rank === 2) return { rank };
    const value = row[`value${index}`];
    if (value === null || value === undefined)
      throw new TypeError(`Order term ${index} has neither a value nor a rank.`);
    return { rank: 0, value };
  });
}

/** Whether a row lies after a position. */
export function after(terms: readonly OrderTerm[], position: Position): Sql {
  const [term, ...others] = terms;
  const [place, ...places] = position;
  if (term === undefined || place === undefined) return never;
  const rest = after(others, places);
  if (typeof term.rank === 'number') {
    if (term.rank !== place.rank) return term.rank > place.rank ? always : never;
    return place.rank === 0 ? afterValue(term, place.value, rest) : rest;
  }
  if (place.rank === 0) {
    const byValue = afterValue(term, place.value, rest);
    return term.rank === undefined ? byValue : sql`(${term.rank} > 0 or (${term.rank} = 0 and ${byValue}))`;
  }
  if (term.rank === undefined) return never;
  return sql`(${term.rank} >= ${place.rank} and (${term.rank} > ${place.rank} or ${rest}))`;
}

function afterValue({ value, direction }: OrderTerm, start: Int64 | string, rest: Sql): Sql {
  // The outer bound repeats what the inner says, in the form that an index can seek to.
  return direction === 'asc'
    ? sql`(${value} >= ${start} and (${value} > ${start} or ${rest}))`
    : sql`(${value} <= ${start} and (${value} < ${start} or ${rest}))`;
}

/** The order of two positions: what the database does with the same terms. */
export function comparePositions(terms: readonly OrderTerm[], a: Position, b: Position): number {
  for (const [index, { direction }] of terms.entries()) {
    const [x, y] = [a[index], b[index]];
    if (x === undefined || y === undefined) break;
    if (x.rank !== y.rank) return x.rank - y.rank;
    if (x.rank !== 0 || y.rank !== 0) continue;
    const byValue = compareValues(x.value, y.value);
    if (byValue !== 0) return direction === 'asc' ? byValue : -byValue;
  }
  return 0;
}

function compareValues(a: Int64 | string, b: Int64 | string): number {
  if (typeof a !== 'string' || typeof b !== 'string') return a < b ? -1 : a > b ? 1 : 0;
  // UTF-8 has the order of code points, which UTF-16, JavaScript's own order, has not.
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
