import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestedRange } from './byte-range.ts';

test('a range always lies within the file', () => {
  const bound = fc.oneof(fc.nat(30).map(String), fc.constant(''), fc.nat().map(String));
  fc.assert(
    fc.property(bound, bound, fc.nat(30), (first, last, size) => {
      const range = requestedRange(`bytes=${first}-${last}`, size);
      if (range === undefined || range === 'unsatisfiable') return true;
      return 0 <= range.start && range.start <= range.end && range.end < size;
    }),
  );
});

test.each([
  ['bytes=0-', 10, { start: 0, end: 9 }],
  ['bytes= 2-3 ', 10, { start: 2, end: 3 }],
  ['bytes=-4', 10, { start: 6, end: 9 }],
  ['bytes=-4', 3, { start: 0, end: 2 }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=-5', 0, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=3-2', 10, undefined],
  ['bytes=0-0,2-3', 10, undefined],
  ['items=0-1', 10, undefined],
  [undefined, 10, undefined],
])('%s of %i bytes', (header, size, range) => {
  expect(requestedRange(header, size)).toEqual(range);
});
