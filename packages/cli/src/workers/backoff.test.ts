import { expect, test } from 'vitest';
import { createBackoff } from './backoff.ts';

test('a worker that has worked is replaced at once, one that keeps ending soon ever later, up to half a minute', () => {
  const waitAfter = createBackoff();
  expect([20_000, 0, 500, 9_999, 3, 3, 3, 3].map(waitAfter)).toEqual([
    0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ]);
  expect([60_000, 100].map(waitAfter)).toEqual([0, 1_000]);
});
