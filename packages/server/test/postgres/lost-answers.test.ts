import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '@lazuli/client';
import { MlflowError } from '@lazuli/client';
import { aRun } from '../server-fixture.ts';
import { startFaultyWay, type FaultyWay } from './faulty-way.ts';

/**
 * A connection that breaks between the commit and its answer: the server cannot know whether the write was carried out, says
 * 503, and the client sends it again.
 */
let way: FaultyWay;
let server: FaultyWay['server'];
let other: FaultyWay['other'];
let proxy: FaultyWay['proxy'];
beforeAll(async () => {
  way = await startFaultyWay();
  ({ server, other, proxy } = way);
});
afterAll(() => way[Symbol.asyncDispose]());
afterEach(() => proxy.heal());

const metricKeys = ['loss', 'accuracy'];

/** What each verb writes for a number, always another. */
const verbs = {
  'log-metric': ({ runs }: Client, run_id: string, n: number) =>
    runs.logMetric({ run_id, key: 'loss', value: n, timestamp: n, step: n }),
  'log-param': ({ runs }: Client, run_id: string, n: number) =>
    runs.logParam({ run_id, key: `param ${n}`, value: String(n) }),
  'set-tag': ({ runs }: Client, run_id: string, n: number) =>
    runs.setTag({ run_id, key: 'changing', value: String(n) }),
  'log-batch': ({ runs }: Client, run_id: string, n: number) =>
    runs.logBatch({
      run_id,
      metrics: metricKeys.map((key) => ({ key, value: n, timestamp: n, step: n })),
      params: Array.from({ length: 20 }, (_, place) => ({ key: `param ${n}/${place}`, value: 'v'.repeat(50) })),
      tags: [
        { key: 'changing', value: String(n) },
        { key: `tag ${n}`, value: 'is there' },
      ],
    }),
};

/** Everything of a run, read through the server whose way to the database is well. */
async function stateOf(run_id: string): Promise<unknown> {
  const { run } = await other.client.runs.getRun({ run_id });
  const histories = [];
  for (const metric_key of metricKeys) {
    const { metrics = [] } = await other.client.metrics.getMetricHistory({ run_id, metric_key });
    histories.push(metrics);
  }
  const byKey = (items: readonly { key: string }[] = []) => items.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return {
    histories,
    metrics: byKey(run.data.metrics),
    params: byKey(run.data.params),
    tags: byKey(run.data.tags?.filter(({ key }) => key !== 'mlflow.runName')),
  };
}

/** A request, and whether it was acknowledged; any failure but 503 fails the test. */
async function acknowledged(request: () => Promise<unknown>): Promise<boolean> {
  try {
    await request();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(MlflowError);
    expect(error).toMatchObject({ errorCode: 'TEMPORARILY_UNAVAILABLE', status: 503 });
    return false;
  }
}

describe.each(Object.entries(verbs))('%s', (_verb, send) => {
  test.each(['database', 'server'] as const)(
    'that is cut anywhere on the way to the %s is there in whole or not at all, acknowledged only where it is, and there once when it is sent again',
    async (to) => {
      const { run_id } = await aRun(server.client);
      const { run_id: model } = await aRun(other.client);
      await send(server.client, run_id, 1);
      await send(other.client, model, 1);
      const outcomes = new Set<string>();
      // Answers have some 50 bytes each, a flush some thousands; steps of a prime number hit parts of every kind.
      const step = to === 'server' ? 7 : 331;
      for (let n = 2, bytes = 0; n < 18; n++, bytes += step) {
        const without = await stateOf(model);
        await proxy.impose({ kind: 'cut', to, how: n % 2 === 0 ? 'reset' : 'end', afterBytes: () => bytes });
        const isAcknowledged = await acknowledged(() => send(server.client, run_id, n));
        await proxy.heal();
        await send(other.client, model, n);
        const withIt = await stateOf(model);
        const state = await stateOf(run_id);
        const isThere = JSON.stringify(state) === JSON.stringify(withIt);
        expect(state).toEqual(isThere ? withIt : without);
        if (isAcknowledged) expect(isThere).toBe(true);
        outcomes.add(`${isAcknowledged ? '200' : '503'}, ${isThere ? 'there' : 'not there'}`);
        await send(server.client, run_id, n);
        expect(await stateOf(run_id)).toEqual(withIt);
      }
      // What was carried out and could not be acknowledged was met among them.
      expect(outcomes).toContain(to === 'server' ? '503, there' : '503, not there');
      expect(outcomes).not.toContain('200, not there');
    },
    60_000,
  );
});
