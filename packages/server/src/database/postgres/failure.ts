import { invalidParameter, MlflowError } from '@lazuli/contract';
import { DatabaseError } from 'pg';
import { Outdated } from '../engine.ts';

/**
 * What a failed statement means. PostgreSQL tells by a SQLSTATE of five characters
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html); a failure without one is the connection's.
 */

/** The SQLSTATE that our function `lazuli_outdated` raises. */
export const outdatedState = 'LZ001';

/** Another transaction came first: the same work, done again, sees what that one did. */
const lostRaces = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '23505', // unique_violation
  '23503', // foreign_key_violation: what a row refers to has just gone, or what is removed has just been referred to
]);

/** Classes and codes of what passes by itself: connection, resources, operator's intervention, input and output. */
const passing = /^(08|53|57|58)|^25006$|^25P0[34]$|^40003$|^55P03$/;

/** PostgreSQL stores neither U+0000 nor what is no UTF-8. */
const unstorable = new Set(['22021', '22P05']);

/** duplicate_prepared_statement, invalid_sql_statement_name: a name means something else on the connection behind a pooler. */
const lostStatements = new Set(['42P05', '26000']);

/** There is no connection, or it broke before the answer: whether a write was carried out is not known. */
export class ConnectionLost extends Error {}

/** What the driver throws that is not the database's answer comes from the connection. */
export function asConnectionFailure(error: unknown): Error {
  return error instanceof DatabaseError
    ? error
    : new ConnectionLost('the connection to the database failed', { cause: error });
}

export function isLostRace(error: unknown): boolean {
  return error instanceof DatabaseError && lostRaces.has(error.code ?? '');
}

export function isPassing(error: unknown): boolean {
  return !(error instanceof DatabaseError) || passing.test(error.code ?? '');
}

/** Whether a connection is of no use any more after this failure; 25006: it leads to a server that has become a standby. */
export function endsConnection(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return error instanceof ConnectionLost;
  return error.severity === 'FATAL' || error.severity === 'PANIC' || /^(08|57P)|^25006$/.test(error.code ?? '');
}

/** A failure as clients should see it: what may pass is 503, which they retry. */
export function postgresFailure(error: unknown): unknown {
  // Also when a commit's answer is lost: whether it was stored is then not known, and a retry finds out.
  if (error instanceof ConnectionLost) return unavailable(error.message, error);
  if (!(error instanceof DatabaseError)) return error;
  const code = error.code ?? '';
  if (code === outdatedState) return new Outdated('What was remembered is no longer so.', { cause: error });
  if (code === '53100') return unavailable("the database's disk is full", error);
  if (passing.test(code)) return unavailable('the database does not take it at the moment', error);
  if (lostRaces.has(code)) return unavailable('others changed the same at the same time', error);
  if (unstorable.has(code)) {
    return invalidParameter('A text holds a character that PostgreSQL does not store: U+0000, or half of a pair.');
  }
  if (lostStatements.has(code)) {
    return new Error('A pooler does not carry prepared statements over: set database-prepared-statements to off.', {
      cause: error,
    });
  }
  return error;
}

function unavailable(reason: string, cause: unknown): MlflowError {
  return new MlflowError('TEMPORARILY_UNAVAILABLE', `The request was not completed: ${reason}. Try again later.`, {
    cause,
  });
}
