import { describe, expect, test } from 'vitest';
import { judge, ratioOf, reference, targets } from './targets.ts';

const slow = { Cf: 5500, Ch: 28_000, Cj: 1_800_000, Ca: 600_000 };

describe('a target on another machine', () => {
  test('reads the same on the reference machine', () => {
    for (const target of Object.values(targets))
      expect(target.here(target.must, reference)).toBeCloseTo(target.must, 6);
  });

  test('of many clients scales with null requests: 25,000 at Ch 80,000 are 8,750 at 28,000', () => {
    expect(targets.w2Rate.here(25_000, slow)).toBeCloseTo(8750, 6);
  });

  test('of one client keeps the time of the disk where the disk is as fast', () => {
    const diskMs = 1000 / 5500;
    const expectedMs = diskMs + (0.4 - diskMs) * (80_000 / 28_000);
    expect(targets.w1Rate.here(2500, slow)).toBeCloseTo(1000 / expectedMs, 6);
  });

  test('is met absolutely, met here alone, or not met', () => {
    expect(judge(targets.w2Rate, 26_000, slow)).toBe('met');
    expect(judge(targets.w2Rate, 9000, slow)).toBe('met here');
    expect(judge(targets.w2Rate, 8000, slow)).toBe('not met');
    expect(judge(targets.w2P99, 28, slow)).toBe('met here');
    expect(judge(targets.w2P99, 29, slow)).toBe('not met');
  });
});

test('the ratio of a rate is work per unit of the calibrator, that of a time counts units in it', () => {
  expect(ratioOf(targets.w2Rate, 8750, slow)).toBeCloseTo(0.3125, 6);
  expect(ratioOf(targets.w7P50, 10, slow)).toBeCloseTo(280, 6);
});
