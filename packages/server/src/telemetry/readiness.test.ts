import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createReadiness } from './readiness.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const silent = 'The database does not answer.';

test('a server whose database answers is ready', async () => {
  const { hindrance } = createReadiness({ probe: async () => undefined, onChange: () => undefined });
  expect(await hindrance()).toBeUndefined();
});

test('however often it is asked, the database is asked once in a while', async () => {
  const probe = vi.fn(async () => undefined);
  const { hindrance } = createReadiness({ probe, onChange: () => undefined, keptMs: 250 });
  await Promise.all(Array.from({ length: 100 }, hindrance));
  await vi.advanceTimersByTimeAsync(240);
  await hindrance();
  expect(probe).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(20);
  await Promise.all(Array.from({ length: 100 }, hindrance));
  expect(probe).toHaveBeenCalledTimes(2);
});

test('a server whose database fails is not, and is again as soon as it answers; each change is told once', async () => {
  const failure = new Error('connect ECONNREFUSED 10.0.0.7:5432');
  let fails = true;
  const changes: unknown[] = [];
  const { hindrance } = createReadiness({
    probe: () => (fails ? Promise.reject(failure) : Promise.resolve()),
    onChange: (cause) => changes.push(cause),
  });
  for (let ask = 0; ask < 3; ask += 1) {
    expect(await hindrance()).toBe(silent);
    await vi.advanceTimersByTimeAsync(300);
  }
  fails = false;
  for (let ask = 0; ask < 3; ask += 1) {
    expect(await hindrance()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(300);
  }
  expect(changes).toEqual([failure, undefined]);
});

test('a probe that throws at once counts as one that fails', async () => {
  const { hindrance } = createReadiness({
    probe: () => {
      throw new Error('the pool is closed');
    },
    onChange: () => undefined,
  });
  expect(await hindrance()).toBe(silent);
});

test('a database that hangs is given up after the limit, and not asked again before it has answered', async () => {
  const hanging = Promise.withResolvers<undefined>();
  const probe = vi.fn(() => hanging.promise);
  const changes: unknown[] = [];
  const { hindrance } = createReadiness({ probe, onChange: (cause) => changes.push(cause), limitMs: 2_000 });
  const first = hindrance();
  await vi.advanceTimersByTimeAsync(1_999);
  const second = hindrance();
  await vi.advanceTimersByTimeAsync(1);
  expect(await first).toBe(silent);
  expect(await second).toBe(silent);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await hindrance()).toBe(silent);
  expect(probe).toHaveBeenCalledTimes(1);
  hanging.resolve(undefined);
  await vi.advanceTimersByTimeAsync(1);
  expect(await hindrance()).toBeUndefined();
  expect(changes).toEqual([
    expect.objectContaining({ message: 'The database did not answer within 2000 ms.' }),
    undefined,
  ]);
});

test('a server that stops is not ready at once, not even for who has asked before', async () => {
  const answer = Promise.withResolvers<undefined>();
  const readiness = createReadiness({ probe: () => answer.promise, onChange: () => undefined });
  const before = readiness.hindrance();
  readiness.stop();
  expect(await readiness.hindrance()).toBe('The server is stopping.');
  answer.resolve(undefined);
  expect(await before).toBe('The server is stopping.');
});
