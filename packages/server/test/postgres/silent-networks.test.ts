import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { audit } from '../crash/logged-work.ts';
import { startFaultyWay, type FaultyWay } from './faulty-way.ts';
import { startLoad, startOn } from './load.ts';
import { expectUnavailable, logThrough, longestAnswerMs, recoveryLimitMs, timed } from './logging-through.ts';

let way: FaultyWay;
beforeAll(async () => {
  way = await startFaultyWay({ max_connections: '60' });
});
afterAll(() => way[Symbol.asyncDispose]());

afterEach(() => way.proxy.heal());

describe('a network between a server and its database that says nothing', () => {
  test('that loses sight of open connections: they are given up, new ones are opened', async () => {
    // Nothing ends this silence: a firewall that has forgotten them, a database that has moved.
    const { failures, recoveredMs } = await logThrough(
      way,
      'open connections are silent',
      { kind: 'silence', of: 'open connections' },
      () => sleep(100),
    );
    expect(failures).toBeGreaterThan(0);
    expect(recoveredMs).toBeLessThan(12_000);
  }, 60_000);

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
  }, 90_000);

  test('that delivers late does not carry out what has failed by then', async () => {
    const before = way.proxy.withdrawnBytes;
    const { failures } = await logThrough(way, 'hold', { kind: 'hold' }, () => sleep(13_000));
    expect(failures).toBeGreaterThan(0);
    expect(way.proxy.withdrawnBytes).toBeGreaterThan(before);
  }, 90_000);

  test('that swallows everything does not keep a server from stopping', async () => {
    await using stopped = await startOn(way.proxy.through(way.url), join(way.folder, 'three'));
    const load = await startLoad(stopped, 'stopping');
    await load.untilEachHas(5);
    await way.proxy.impose({ kind: 'silence', of: 'all connections' });
    const ended = await timed(longestAnswerMs, () => {
      stopped.signal('SIGTERM');
      return stopped.ended;
    });
    expect(ended).toEqual({ code: 0, signal: null });
    await load.stop();
    await audit(way.other.client, load.books);
  }, 60_000);
});
