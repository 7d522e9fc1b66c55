import { expect, test } from 'vitest';
import { jsonText } from './json-text.ts';
import { tableOf } from './table.ts';

test('what JSON has no form for is written as what comes nearest', () => {
  const value = { small: 5n, large: 2n ** 60n, map: new Map([['a', new Set([1, 2])]]), none: undefined };
  expect(jsonText(value)).toBe('{"small":5,"large":"1152921504606846976","map":{"a":[1,2]}}');
});

test('tables take bigints, also after earlier rows', () => {
  const first = tableOf([{ step: 1n }], undefined);
  expect(first).toBe('{"columns":["step"],"data":[[1]]}');
  expect(tableOf({ step: [2n] }, first)).toBe('{"columns":["step"],"data":[[1],[2]]}');
});
