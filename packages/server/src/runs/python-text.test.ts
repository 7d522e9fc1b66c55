import { expect, test } from 'vitest';
import { pythonFloat, pythonText } from './python-text.ts';

test.each([
  [1, '1.0'],
  [-0.5, '-0.5'],
  [0, '0.0'],
  [1e15, '1000000000000000.0'],
  [1e16, '1e+16'],
  [123456789012345680000, '1.2345678901234568e+20'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [5e-324, '5e-324'],
  [NaN, 'nan'],
  [-Infinity, '-inf'],
])('%d is %s in Python', (value, text) => {
  expect(pythonFloat(value)).toBe(text);
});

test.each([
  ['a', "'a'"],
  ["it's", '"it\'s"'],
  [`it's "x"`, `'it\\'s "x"'`],
  ['a\\b\n', "'a\\\\b\\n'"],
])('%j is %s in Python', (value, text) => {
  expect(pythonText(value)).toBe(text);
});
