import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesWildcard } from './wildcard.ts';

test('a star stands for any characters, also for none', () => {
  expect(matchesWildcard('*.example.org', 'a.b.example.org')).toBe(true);
  expect(matchesWildcard('*.example.org', 'example.org')).toBe(false);
  expect(matchesWildcard('a*a', 'a')).toBe(false);
  expect(matchesWildcard('*', '')).toBe(true);
  expect(matchesWildcard('a', 'b')).toBe(false);
});

test('a pattern means what the same pattern means as a regular expression', () => {
  const text = fc.stringMatching(/^[ab.]{0,12}$/);
  const pattern = fc.stringMatching(/^[ab.*]{0,8}$/);
  fc.assert(
    fc.property(pattern, text, (wanted, given) => {
      const source = wanted.replaceAll('.', '\\.').replaceAll('*', '.*');
      expect(matchesWildcard(wanted, given)).toBe(new RegExp(`^${source}$`).test(given));
    }),
    { numRuns: 5_000 },
  );
});
