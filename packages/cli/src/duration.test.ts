import { expect, test } from 'vitest';
import { parseAge, parseDuration } from './duration.ts';

test('a duration is a number and a unit', () => {
  expect(parseDuration('--in', '30m')).toBe(1_800_000);
  expect(parseDuration('--in', '12h')).toBe(43_200_000);
  expect(parseDuration('--in', '30d')).toBe(2_592_000_000);
  expect(parseDuration('--in', '1y')).toBe(365 * 86_400_000);
});

test.each(['', '30', 'd', '0d', '-1d', '1.5d', '30D', '30 d', '9999999d'])('%j is no duration', (text) => {
  expect(() => parseDuration('--in', text)).toThrow(`--in: ${JSON.stringify(text)} must be a number of`);
});

test('an age has several parts, or is none', () => {
  expect(parseAge('--than', '2d8h5m20s')).toBe(2 * 86_400_000 + 8 * 3_600_000 + 5 * 60_000 + 20_000);
  expect(parseAge('--than', '0d')).toBe(0);
  for (const text of ['', '30', 'd', '1d,2h', '-1d', '1.5d']) {
    expect(() => parseAge('--than', text)).toThrow(`--than: ${JSON.stringify(text)} must be a time`);
  }
});
