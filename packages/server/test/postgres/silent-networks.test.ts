import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { audit } from '../crash/logged-work.ts';
import { faultyWayForAllTests } from './faulty-way.ts';
import { startLoad, startOn } from './load.ts';
import { logThrough, longestAnswerMs, timed } from './logging-through.ts';

const way = faultyWayForAllTests();

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
  });

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
  });
});
