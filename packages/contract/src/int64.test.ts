import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exactInt64, parseInt64 } from './int64.ts';

test('every 64-bit integer is exact, a number wherever that is possible', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const parsed = parseInt64(String(value));
      expect(String(parsed)).toBe(String(value));
      expect(typeof parsed).toBe(Number.isSafeInteger(Number(value)) ? 'number' : 'bigint');
    }),
  );
  expect(parseInt64('+5')).toBe(5);
  expect(parseInt64('-0')).toBe(0);
  expect(exactInt64(2n ** 53n)).toBe(2n ** 53n);
});

test.each([
  '',
  ' 1',
  '1 ',
  '1_0',
  '٣',
  '0x1',
  '1.0',
  '1e3',
  '--1',
  '9223372036854775808',
  '-9223372036854775809',
  '1'.repeat(100_000),
])('a text that is no 64-bit integer in digits: %.20s', (text) => {
  expect(parseInt64(text)).toBeUndefined();
});
