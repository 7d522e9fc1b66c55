import { expect } from 'vitest';
import { audit } from '../crash/logged-work.ts';
import type { Fault } from './fault-proxy.ts';
import type { FaultyWay } from './faulty-way.ts';
import { expectOnlyUnavailable, startLoad, watchHealth } from './load.ts';

/** What the guide promises: a logging request waits for the flush ahead of it, for a connection, and for its own flush. */
export const longestAnswerMs = 26_000;
export const recoveryLimitMs = 3_000;

/** Lets clients log while a fault lasts and after it, and holds what is there against what was acknowledged. */
export async function logThrough(
  { server, other, proxy }: Pick<FaultyWay, 'server' | 'other' | 'proxy'>,
  name: string,
  fault: Fault,
  lasting: () => Promise<unknown>,
) {
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
  // What waits for the database waits for five seconds and more.
  expect(health.slowestMs).toBeLessThan(4_000);
  for (const reader of [server, other]) {
    await audit(reader.client, load.books);
    await audit(reader.client, unharmed.books);
  }
  return { failures: load.failures.length, recoveredMs, slowestMs: load.slowestMs };
}

export async function expectUnavailable(work: () => Promise<unknown>): Promise<void> {
  await expect(work()).rejects.toMatchObject({ errorCode: 'TEMPORARILY_UNAVAILABLE', status: 503 });
}

export async function timed<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  expect(performance.now() - start).toBeLessThan(limitMs);
  return result;
}
