import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { faultyWayForAllTests } from './faulty-way.ts';
import { expectUnavailable, logThrough, recoveryLimitMs, timed } from './logging-through.ts';

const way = faultyWayForAllTests();

describe('a network between a server and its database that is silent for longer than a request waits', () => {
  test('that swallows everything: requests fail within their limits, and soon again when it is back', async () => {
    const { failures, recoveredMs } = await logThrough(
      way,
      'silence',
      { kind: 'silence', of: 'all connections' },
      async () => {
        await sleep(17_000);
        // A request stands behind the one that is just knocking, and then knocks itself.
        await timed(12_000, () =>
          expectUnavailable(() => way.server.client.experiments.searchExperiments({ max_results: 10 })),
        );
      },
    );
    expect(failures).toBeGreaterThan(0);
    // The last knock at a silent database may have to end first.
    expect(recoveredMs).toBeLessThan(recoveryLimitMs + 5_000);
  });

  test('that delivers late does not carry out what has failed by then', async () => {
    const before = way.proxy.withdrawnBytes;
    const { failures } = await logThrough(way, 'hold', { kind: 'hold' }, () => sleep(13_000));
    expect(failures).toBeGreaterThan(0);
    expect(way.proxy.withdrawnBytes).toBeGreaterThan(before);
  });
});
