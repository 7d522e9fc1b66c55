import { sql } from 'kysely';
import type { Db } from '../database/engine.ts';
import { every, type Sql } from './conditions.ts';
import { after, orderBy, positionOf, selectTerms, type OrderedRow, type OrderTerm, type Position } from './keyset.ts';
import { readPageToken, searchDigest, writePageToken } from './page-token.ts';

/**
 * What all searches have in common once their filter and order are conditions and terms: the statement, the page that a token
 * leads to, and the token of the next one.
 */
export interface Selection {
  /** The columns that say which thing a row is. */
  readonly key: Sql;
  readonly from: Sql;
  readonly conditions: readonly Sql[];
}

/** Where a page lies in an order. */
export interface Slice {
  readonly terms: readonly OrderTerm[];
  readonly start: Position | undefined;
  readonly limit: number;
}

export interface Found<Key> {
  readonly key: Key;
  readonly position: Position;
}

export async function selectSlice<Key>(
  db: Db,
  { key, from, conditions }: Selection,
  { terms, start, limit }: Slice,
  keyOf: (row: OrderedRow) => Key,
): Promise<Found<Key>[]> {
  const joins = terms.flatMap(({ join }) => join ?? []);
  const { rows } = await sql<OrderedRow>`
    select ${key}, ${selectTerms(terms)}
    from ${from} ${sql.join(joins, sql` `)}
    where ${every(start === undefined ? conditions : [...conditions, after(terms, start)])}
    order by ${orderBy(terms)}
    limit ${limit}
  `.execute(db);
  return rows.map((row) => ({ key: keyOf(row), position: positionOf(row, terms) }));
}

export interface PageRequest {
  readonly maxResults: number;
  readonly pageToken?: string | undefined;
  readonly terms: readonly OrderTerm[];
  /** Everything of the search but its page: a token holds for this alone. */
  readonly search: unknown;
}

export interface Page<Key> {
  readonly keys: Key[];
  readonly nextPageToken?: string;
}

export async function findPage<Key>(
  { maxResults, pageToken, terms, search }: PageRequest,
  find: (slice: Slice) => Promise<readonly Found<Key>[]>,
): Promise<Page<Key>> {
  const digest = searchDigest(search);
  const start = readPageToken(pageToken, { digest, terms });
  // One more than the page holds: it tells whether there is a next page.
  const found = await find({ terms, start, limit: maxResults + 1 });
  const page = found.slice(0, maxResults);
  const keys = page.map(({ key }) => key);
  const last = page.at(-1);
  if (found.length <= maxResults || last === undefined) return { keys };
  return { keys, nextPageToken: writePageToken(digest, last.position) };
}
