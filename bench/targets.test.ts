import { describe, expect, test } from 'vitest';
import { engines } from './engine.ts';
import { judge, ratioOf, reference, targets } from './targets.ts';

const slow = { Cf: 5500, Ch: 28_000, Cj: 1_800_000, Ca: 600_000, Cu: 512, Cd: 1024 };

describe('a target on another machine', () => {
  test.each(engines)('reads the same on the reference machine, on %s', (engine) => {
    const musts = Object.values(targets[engine]).flatMap((target) =>
      target.must === undefined ? [] : [{ must: target.must, here: target.here(target.must, reference) }],
    );
    expect(musts.length).toBeGreaterThan(0);
    for (const { must, here } of musts) expect(here).toBeCloseTo(must, 6);
  });

  test('of many clients scales with null requests: 25,000 at Ch 80,000 are 8,750 at 28,000', () => {
    expect(targets.sqlite.w2Rate.here(25_000, slow)).toBeCloseTo(8750, 6);
  });

  test('of one client keeps the time of the disk where the disk is as fast', () => {
    const diskMs = 1000 / 5500;
    const expectedMs = diskMs + (0.4 - diskMs) * (80_000 / 28_000);
    expect(targets.sqlite.w1Rate.here(2500, slow)).toBeCloseTo(1000 / expectedMs, 6);
  });

  test('of a file scales with the bytes that a bare server moves: 2 s up at 1 GiB/s are 4 s at 0.5', () => {
    expect(targets.sqlite.w11Up.here(2000, slow)).toBeCloseTo(4000, 6);
    expect(targets.sqlite.w11Down.here(600, slow)).toBeCloseTo(600 / 0.34, 6);
  });

  test('is met absolutely, met here alone, or not met', () => {
    expect(judge(targets.sqlite.w2Rate, 26_000, slow)).toBe('met');
    expect(judge(targets.sqlite.w2Rate, 9000, slow)).toBe('met here');
    expect(judge(targets.sqlite.w2Rate, 8000, slow)).toBe('not met');
    expect(judge(targets.sqlite.w2P99, 28, slow)).toBe('met here');
    expect(judge(targets.sqlite.w2P99, 29, slow)).toBe('not met');
  });
});

describe('on PostgreSQL', () => {
  test('batches of distinct keys scale with the points parsed: 150 at Cj 4.5 M are 60 at 1.8 M', () => {
    expect(targets.postgres.w4dRate.here(150, slow)).toBeCloseTo(60, 6);
  });

  test('W2 goes by the name W2p and has targets of its own', () => {
    expect(targets.postgres.w2Rate.workload).toBe('W2p');
    expect(judge(targets.postgres.w2Rate, 15_000, slow)).toBe('met');
    expect(judge(targets.sqlite.w2Rate, 15_000, slow)).toBe('met here');
    expect(judge(targets.postgres.w2P99, 15, slow)).toBe('met');
  });

  test('a figure without a target is neither met nor missed, and still a share of its calibrator', () => {
    expect(judge(targets.postgres.w1Rate, 1, slow)).toBe('no target');
    expect(judge(targets.postgres.w10First, 1e9, slow)).toBe('no target');
    expect(ratioOf(targets.postgres.w5Rate, 2800, slow)).toBeCloseTo(0.1, 6);
  });
});

test('the ratio of a rate is work per unit of the calibrator, that of a time counts units in it', () => {
  expect(ratioOf(targets.sqlite.w2Rate, 8750, slow)).toBeCloseTo(0.3125, 6);
  expect(ratioOf(targets.sqlite.w7P50, 10, slow)).toBeCloseTo(280, 6);
});
