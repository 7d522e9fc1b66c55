import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { aRun } from '../server-fixture.ts';
import { faultyWayForAllTests } from './faulty-way.ts';
import { expectUnavailable, logThrough, recoveryLimitMs, timed } from './logging-through.ts';

const way = faultyWayForAllTests();

const random = (below: number): number => Math.floor(Math.random() * below);

describe('a network between a server and its database', () => {
  test('that is slow only makes answers slow', async () => {
    const { failures } = await logThrough(way, 'slow', { kind: 'delay', ms: 40 }, () => sleep(2_000));
    expect(failures).toBe(0);
  });

  test.each([
    { to: 'database', how: 'reset', bytes: 6_000 },
    { to: 'database', how: 'end', bytes: 6_000 },
    // Answers are short; the first ones belong to the opening of a connection.
    { to: 'server', how: 'reset', bytes: 1_500 },
    { to: 'server', how: 'end', bytes: 1_500 },
  ] as const)(
    'that cuts connections in the middle of what goes to the $to [$how]',
    async ({ to, how, bytes }) => {
      const before = way.proxy.cuts;
      const { failures, recoveredMs } = await logThrough(
        way,
        `cut to ${to} by ${how}`,
        { kind: 'cut', to, how, afterBytes: () => 300 + random(bytes) },
        async () => {
          while (way.proxy.cuts - before < 15) await sleep(20);
        },
      );
      expect(failures).toBeGreaterThan(0);
      expect(recoveredMs).toBeLessThan(recoveryLimitMs);
    },
    60_000,
  );

  test('that is away for seconds is waited for: clients notice nothing after the first answers', async () => {
    const { failures, recoveredMs } = await logThrough(way, 'refuse shortly', { kind: 'refuse' }, () => sleep(2_000));
    // Only what was under way when the connections broke.
    expect(failures).toBeLessThanOrEqual(4);
    expect(recoveredMs).toBeLessThan(recoveryLimitMs);
  });

  test('that is away for longer makes every request fail, at once after a while', async () => {
    const { failures, recoveredMs, slowestMs } = await logThrough(way, 'refuse', { kind: 'refuse' }, async () => {
      await sleep(7_000);
      await timed(1_000, () => expectUnavailable(() => aRun(way.server.client)));
      await timed(1_000, () => expectUnavailable(() => way.server.client.runs.getRun({ run_id: 'any' })));
    });
    expect(failures).toBeGreaterThan(4);
    expect(slowestMs).toBeLessThan(8_000);
    expect(recoveredMs).toBeLessThan(recoveryLimitMs);
  });
});
