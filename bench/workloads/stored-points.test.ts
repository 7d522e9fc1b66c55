import { expect, test } from 'vitest';
import { differenceOf } from './stored-points.ts';
import type { Point } from './stored-points.ts';

/** Requests 10 to 14 of two points each, of which request 12 was not acknowledged. */
const pointsOf = (number: number): Point[] =>
  [0, 1].map((i) => ({ step: number * 2 + i, timestamp: number * 2 + i, value: number / 100 + i }));
const series = { runId: 'r', key: 'loss', sent: { first: 10, next: 15, failed: new Set([12]) }, pointsOf };
const acknowledged = [10, 11, 13, 14].flatMap(pointsOf);

test('a series that holds what was acknowledged is right', () => {
  expect(differenceOf(series, acknowledged)).toBeUndefined();
});

test('a request that was sent but not acknowledged may be stored, in part or whole', () => {
  expect(differenceOf(series, [10, 11, 12, 13, 14].flatMap(pointsOf))).toBeUndefined();
  expect(differenceOf(series, acknowledged.toSpliced(4, 0, ...pointsOf(12).slice(0, 1)))).toBeUndefined();
});

test('every single acknowledged point is missed', () => {
  for (const i of acknowledged.keys()) {
    expect(differenceOf(series, acknowledged.toSpliced(i, 1))).toMatch(
      /^1 acknowledged points are not where they belong/,
    );
  }
});

test('a point that is stored twice, was never sent or carries another value is found', () => {
  const [first, ...rest] = acknowledged;
  if (first === undefined) throw new Error('there are points');
  expect(differenceOf(series, [first, first, ...rest])).toBeDefined();
  expect(differenceOf(series, [...acknowledged, { step: 99, timestamp: 99, value: 1 }])).toMatch(
    /1 stored ones left over/,
  );
  expect(differenceOf(series, [{ ...first, value: first.value + 1e-12 }, ...rest])).toBeDefined();
});

test('points out of order are found', () => {
  expect(differenceOf(series, acknowledged.toReversed())).toBeDefined();
});
