import { expect, test } from 'vitest';
import { asciiJson } from './ascii-json.ts';

test.each([
  ['a"b', '"a\\"b"'],
  ['ü😀\u007f', '"\\u00fc\\ud83d\\ude00\\u007f"'],
  [{ b: [1, 'x'], a: null }, '{"a":null,"b":[1,"x"]}'],
  [12345678901234567890n, '12345678901234567890'],
])('%o is %s', (value, text) => {
  expect(asciiJson(value)).toBe(text);
});

test('what nests deep or is wide ends early', () => {
  let deep: unknown = 'bottom';
  for (let level = 0; level < 100_000; level++) deep = [deep];
  expect(asciiJson(deep)).toBe(`${'['.repeat(20)}[…]${']'.repeat(20)}`);
  expect(asciiJson(Array<number>(1_000_000).fill(1)).length).toBeLessThan(1_000);
});
