import { createHash } from 'node:crypto';
import { invalidParameter, parseInt64 } from '@lazuli/contract';
import type { OrderTerm, Place, Position } from './keyset.ts';

/**
 * A page token says where a page ended, and of which search: base64url of JSON `[digest, place…]`. A place is a value, an integer
 * as text in a list (`["12"]`) because JSON's numbers are doubles, or the rank of what has no value: `{"rank": 2}`.
 * Whoever changes the filter, the order or the scope between two pages gets an error, not a wrong page.
 */
export function writePageToken(digest: string, position: Position): string {
  const places = position.map((place) => {
    if (place.rank !== 0) return { rank: place.rank };
    return typeof place.value === 'bigint' ? [place.value.toString()] : place.value;
  });
  return Buffer.from(JSON.stringify([digest, ...places])).toString('base64url');
}

/** What a token is bound to: everything of the search but its page. */
export function searchDigest(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 16);
}

const maxTokenLength = 100_000;

export function readPageToken(
  token: string | undefined,
  { digest, terms }: { digest: string; terms: readonly OrderTerm[] },
): Position | undefined {
  if (token === undefined || token === '') return undefined;
  const parts = decode(token);
  if (!Array.isArray(parts)) throw invalidParameter('Invalid page token, could not base64-decode');
  const [found, ...places] = parts as unknown[];
  if (found !== digest || places.length !== terms.length) {
    throw invalidParameter('Invalid page token: it belongs to a search with another filter, order or scope');
  }
  return terms.map((term, index) => {
    const place = readPlace(places[index], term);
    if (place === undefined) throw invalidParameter('Invalid page token, could not base64-decode');
    return place;
  });
}

function decode(token: string): unknown {
  if (token.length > maxTokenLength || !/^[\w-]+$/.test(token)) return undefined;
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function readPlace(place: unknown, term: OrderTerm): Place | undefined {
  if (typeof place === 'string')
    return term.type === 'text' && !place.includes('\0') ? { rank: 0, value: place } : undefined;
  if (typeof place === 'number') {
    const isRight =
      term.type === 'double' ? Number.isFinite(place) : term.type === 'int64' && Number.isSafeInteger(place);
    return isRight ? { rank: 0, value: place } : undefined;
  }
  if (Array.isArray(place)) {
    const [digits] = place as unknown[];
    const value = typeof digits === 'string' ? parseInt64(digits) : undefined;
    return term.type === 'int64' && value !== undefined ? { rank: 0, value } : undefined;
  }
  if (typeof place !== 'object' || place === null || !('rank' in place) || term.rank === undefined) return undefined;
  return place.rank === 1 || place.rank === 2 ? { rank: place.rank } : undefined;
}
