import { MlflowError } from '@lazuli/contract';
import { DatabaseError } from 'pg';
import { describe, expect, test } from 'vitest';
import { Outdated } from '../engine.ts';
import { asConnectionFailure, endsConnection, isLostRace, outdatedState, postgresFailure } from './failure.ts';

function sqlState(code: string, severity = 'ERROR'): DatabaseError {
  const error = new DatabaseError(`what PostgreSQL says of ${code}`, 0, 'error');
  return Object.assign(error, { code, severity });
}

const passing = { errorCode: 'TEMPORARILY_UNAVAILABLE', status: 503 };

describe('a failure of PostgreSQL', () => {
  test.each([
    ['08006', 'connection_failure'],
    ['53300', 'too_many_connections'],
    ['53200', 'out_of_memory'],
    ['57014', 'query_canceled'],
    ['57P01', 'admin_shutdown'],
    ['57P03', 'cannot_connect_now'],
    ['58030', 'io_error'],
    ['25006', 'read_only_sql_transaction: it has become a standby'],
    ['55P03', 'lock_not_available'],
  ])('that passes by itself, %s (%s), is one that clients retry', (code) => {
    const error = sqlState(code);
    const shown = postgresFailure(error);
    expect(shown).toMatchObject({ ...passing, cause: error });
    expect((shown as MlflowError).message).not.toContain('PostgreSQL says');
    expect(isLostRace(error)).toBe(false);
  });

  test('on a full disk says that it is full', () => {
    expect(postgresFailure(sqlState('53100'))).toMatchObject({
      ...passing,
      message: expect.stringContaining('full') as string,
    });
  });

  test.each([
    ['40001', 'serialization_failure'],
    ['40P01', 'deadlock_detected'],
    ['23505', 'unique_violation'],
    ['23503', 'foreign_key_violation'],
  ])('in a race, %s (%s), is tried again here, and in the end by the client', (code) => {
    expect(isLostRace(sqlState(code))).toBe(true);
    expect(endsConnection(sqlState(code))).toBe(false);
    expect(postgresFailure(sqlState(code))).toMatchObject(passing);
  });

  test.each(['22021', '22P05'])("because of a text that it cannot store, %s, is the caller's", (code) => {
    expect(postgresFailure(sqlState(code))).toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE', status: 400 });
  });

  test('that our own function raises says that a memory was wrong', () => {
    expect(postgresFailure(sqlState(outdatedState))).toBeInstanceOf(Outdated);
  });

  test.each(['42601', '42P01', '22003', '22P02', '23502', '23514', 'XX000', '54001'])(
    'that is a fault of this program, %s, stays what it is',
    (code) => {
      const error = sqlState(code);
      expect(postgresFailure(error)).toBe(error);
      expect(isLostRace(error)).toBe(false);
      expect(endsConnection(error)).toBe(false);
    },
  );

  test.each(['08003', '57P01', '57P02', '57P05', '25006'])('of %s leaves a connection of no use', (code) => {
    expect(endsConnection(sqlState(code))).toBe(true);
  });

  test('that is fatal leaves a connection of no use, whatever its code', () => {
    expect(endsConnection(sqlState('XX000', 'FATAL'))).toBe(true);
  });

  test("without a code is the connection's", () => {
    const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    const lost = asConnectionFailure(error);
    expect(lost).toMatchObject({ cause: error });
    expect(postgresFailure(lost)).toMatchObject({ ...passing, cause: lost });
    expect(endsConnection(lost)).toBe(true);
    expect(isLostRace(lost)).toBe(false);
    expect(asConnectionFailure(sqlState('40001'))).toBeInstanceOf(DatabaseError);
  });

  test('that did not come from the database at all is a defect, and stays what it is', () => {
    const defect = new TypeError('a defect');
    expect(postgresFailure(defect)).toBe(defect);
    expect(endsConnection(defect)).toBe(false);
  });

  test('that has been put into words already keeps them', () => {
    const refusal = new MlflowError('RESOURCE_DOES_NOT_EXIST', 'No run');
    const outdated = new Outdated();
    expect(postgresFailure(refusal)).toBe(refusal);
    expect(postgresFailure(outdated)).toBe(outdated);
  });
});
