import { describe, expect, test } from 'vitest';
import { checkKey, checkLength, cutToLength } from './limits.ts';

describe('lengths are counted in code points', () => {
  test.each(['x', 'ä', '😀', 'e\u0301'])('%s', (unit) => {
    const size = Array.from(unit).length;
    checkLength('name', unit.repeat(10), 10 * size);
    expect(() => {
      checkLength('name', `${unit.repeat(10)}x`, 10 * size);
    }).toThrow(`'name' exceeds the maximum length of ${10 * size} characters`);
    expect(cutToLength(unit.repeat(10), 10 * size)).toBe(unit.repeat(10));
    expect(cutToLength(`${unit.repeat(10)}x`, 10 * size)).toBe(unit.repeat(10));
  });

  test('a long text is cut between code points', () => {
    expect(cutToLength('😀'.repeat(5), 3)).toBe('😀😀😀');
    expect(cutToLength(`x${'😀'.repeat(5)}`, 3)).toBe('x😀😀');
    expect(cutToLength('x'.repeat(1_000_000), 3)).toBe('xxx');
  });
});

describe('keys', () => {
  test.each(['a', 'a.b', 'a/b/c', 'a b', ' ', 'A-1_b:c', 'ü日本', '٣', 'a..b', '.a', '...', 'a/..b'])(
    '%j is one',
    (key) => {
      checkKey('key', key);
    },
  );

  test.each(['a$', 'a\\b', 'a\nb', 'a\n', '😀', 'a,b', 'a"b', 'a%', 'a=b', '\u200b'])(
    '%j has a character of no key',
    (key) => {
      expect(() => {
        checkKey('metrics[3].name', key);
      }).toThrow(
        /^Invalid value ".*" for parameter 'metrics\[3\]\.name' supplied: Names may only contain alphanumerics/,
      );
    },
  );

  test.each([
    ['', '.'],
    ['.', '.'],
    ['..', '..'],
    ['/', '/'],
    ['/a', '/a'],
    ['a/', 'a'],
    ['a//b', 'a/b'],
    ['./a', 'a'],
    ['a/./b', 'a/b'],
    ['a/../b', 'b'],
    ['../a', '../a'],
    ['a/../../b', '../b'],
  ])('%j is the path of another', (key, path) => {
    expect(() => {
      checkKey('key', key);
    }).toThrow(`This name would resolve to '${path}'`);
  });
});
