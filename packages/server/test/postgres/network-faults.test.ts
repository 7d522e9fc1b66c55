import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { aRun } from '../server-fixture.ts';
import { audit } from '../crash/logged-work.ts';
import type { Fault } from './fault-proxy.ts';
import { startFaultyWay, type FaultyWay } from './faulty-way.ts';
import { expectOnlyUnavailable, startLoad, startOn, watchHealth } from './load.ts';

/** What the guide promises: a logging request waits for the flush ahead of it, for a connection, and for its own flush. */
const longestAnswerMs = 26_000;
const recoveryLimitMs = 3_000;

let way: FaultyWay;
let server: FaultyWay['server'];
let other: FaultyWay['other'];
let proxy: FaultyWay['proxy'];
let folder: FaultyWay['folder'];
let url: FaultyWay['url'];
beforeAll(async () => {
  way = await startFaultyWay({ max_connections: '60' });
  ({ server, other, proxy, folder, url } = way);
});
afterAll(() => way[Symbol.asyncDispose]());

afterEach(() => proxy.heal());

/** Lets clients log while a fault lasts and after it, and holds what is there against what was acknowledged. */
async function logThrough(name: string, fault: Fault, lasting: () => Promise<unknown>) {
  const [load, unharmed] = await Promise.all([startLoad(server, name), startLoad(other, `${name}, other`, 1)]);
  const health = watchHealth(server);
  await Promise.all([load.untilEachHas(10), unharmed.untilEachHas(3)]);
  await proxy.impose(fault);
  await lasting();
  await proxy.heal();
  const recoveredMs = await load.untilEachHas(2);
  await load.untilEachHas(10);
  await Promise.all([load.stop(), unharmed.stop(), health.stop()]);
  expectOnlyUnavailable(load);
  expect(unharmed.failures).toEqual([]);
  expect(load.slowestMs).toBeLessThan(longestAnswerMs);
  expect(health.checks).toBeGreaterThan(0);
  expect(health.slowestMs).toBeLessThan(1_000);
  for (const reader of [server, other]) {
    await audit(reader.client, load.books);
    await audit(reader.client, unharmed.books);
  }
  return { failures: load.failures.length, recoveredMs, slowestMs: load.slowestMs };
}

const random = (below: number): number => Math.floor(Math.random() * below);

describe('a network between a server and its database', () => {
  test('that is slow only makes answers slow', async () => {
    const { failures } = await logThrough('slow', { kind: 'delay', ms: 40 }, () => sleep(2_000));
    expect(failures).toBe(0);
  }, 60_000);

  test.each([
    { to: 'database', how: 'reset', bytes: 6_000 },
    { to: 'database', how: 'end', bytes: 6_000 },
    // Answers are short; the first ones belong to the opening of a connection.
    { to: 'server', how: 'reset', bytes: 1_500 },
    { to: 'server', how: 'end', bytes: 1_500 },
  ] as const)(
    'that cuts connections in the middle of what goes to the $to [$how]',
    async ({ to, how, bytes }) => {
      const before = proxy.cuts;
      const { failures, recoveredMs } = await logThrough(
        `cut to ${to} by ${how}`,
        { kind: 'cut', to, how, afterBytes: () => 300 + random(bytes) },
        async () => {
          while (proxy.cuts - before < 15) await sleep(20);
        },
      );
      expect(failures).toBeGreaterThan(0);
      expect(recoveredMs).toBeLessThan(recoveryLimitMs);
    },
    60_000,
  );

  test('that is away for seconds is waited for: clients notice nothing after the first answers', async () => {
    const { failures, recoveredMs } = await logThrough('refuse shortly', { kind: 'refuse' }, () => sleep(2_000));
    // Only what was under way when the connections broke.
    expect(failures).toBeLessThanOrEqual(4);
    expect(recoveredMs).toBeLessThan(recoveryLimitMs);
  }, 60_000);

  test('that is away for longer makes every request fail, at once after a while', async () => {
    const { failures, recoveredMs, slowestMs } = await logThrough('refuse', { kind: 'refuse' }, async () => {
      await sleep(7_000);
      await timed(1_000, () => expectUnavailable(() => aRun(server.client)));
      await timed(1_000, () => expectUnavailable(() => server.client.runs.getRun({ run_id: 'any' })));
    });
    expect(failures).toBeGreaterThan(4);
    expect(slowestMs).toBeLessThan(8_000);
    expect(recoveredMs).toBeLessThan(recoveryLimitMs);
  }, 60_000);

  test('that loses sight of open connections: they are given up, new ones are opened', async () => {
    // Nothing ends this silence: a firewall that has forgotten them, a database that has moved.
    const { failures, recoveredMs } = await logThrough(
      'open connections are silent',
      { kind: 'silence', of: 'open connections' },
      () => sleep(100),
    );
    expect(failures).toBeGreaterThan(0);
    expect(recoveredMs).toBeLessThan(12_000);
  }, 60_000);

  test('that swallows everything: requests fail within their limits, and soon again when it is back', async () => {
    const { failures, recoveredMs } = await logThrough(
      'silence',
      { kind: 'silence', of: 'all connections' },
      async () => {
        await sleep(17_000);
        // A request stands behind the one that is just knocking, and then knocks itself.
        await timed(12_000, () =>
          expectUnavailable(() => server.client.experiments.searchExperiments({ max_results: 10 })),
        );
      },
    );
    expect(failures).toBeGreaterThan(0);
    // The last knock at a silent database may have to end first.
    expect(recoveredMs).toBeLessThan(recoveryLimitMs + 5_000);
  }, 90_000);

  test('that delivers late does not carry out what has failed by then', async () => {
    const before = proxy.withdrawnBytes;
    const { failures } = await logThrough('hold', { kind: 'hold' }, () => sleep(13_000));
    expect(failures).toBeGreaterThan(0);
    expect(proxy.withdrawnBytes).toBeGreaterThan(before);
  }, 90_000);

  test('that swallows everything does not keep a server from stopping', async () => {
    await using stopped = await startOn(proxy.through(url), join(folder, 'three'));
    const load = await startLoad(stopped, 'stopping');
    await load.untilEachHas(5);
    await proxy.impose({ kind: 'silence', of: 'all connections' });
    const ended = await timed(longestAnswerMs, () => {
      stopped.signal('SIGTERM');
      return stopped.ended;
    });
    expect(ended).toEqual({ code: 0, signal: null });
    await load.stop();
    await audit(other.client, load.books);
  }, 60_000);
});

async function expectUnavailable(work: () => Promise<unknown>): Promise<void> {
  await expect(work()).rejects.toMatchObject({ errorCode: 'TEMPORARILY_UNAVAILABLE', status: 503 });
}

async function timed<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  expect(performance.now() - start).toBeLessThan(limitMs);
  return result;
}
