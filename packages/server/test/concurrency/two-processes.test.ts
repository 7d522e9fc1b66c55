import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { startProcess } from '../crash/server-process.ts';
import { databaseOnSharedPostgres } from '../postgres/test-databases.ts';
import { explainRandomHistories } from './histories.ts';
import { race, raceLimitMs, repeat } from './races.ts';
import { warm } from './two-sides.ts';

const isPostgres = inject('engine') === 'postgres';

test(
  `what clients of ${isPostgres ? 'two server processes' : 'a server process'} see is explained by some order`,
  { timeout: 2 * raceLimitMs },
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-processes-'));
    try {
      const database = isPostgres ? ['--database-url', await databaseOnSharedPostgres(dataDir)] : [];
      const flags = ['--log-level', 'error', ...database];
      await using first = await startProcess({ dataDir, flags });
      await using second = isPostgres ? await startProcess({ dataDir, flags }) : undefined;
      const sides = [first.client, (second ?? first).client] as const;
      const [a, b] = sides;
      await repeat(
        async (random) => {
          const run_id = (await a.runs.createRun({ experiment_id: '0' })).run.info.run_id;
          await warm(sides, run_id);
          const outcomes = await race(
            random,
            () => a.runs.logParam({ run_id, key: 'lr', value: '1' }),
            () => b.runs.logParam({ run_id, key: 'lr', value: '2' }),
          );
          expect(outcomes.map(({ ok }) => ok).toSorted()).toEqual([false, true]);
          const params = [{ key: 'lr', value: outcomes[0].ok ? '1' : '2' }];
          for (const { runs } of sides) expect((await runs.getRun({ run_id })).run.data.params).toEqual(params);
        },
        { most: 200, seconds: 2 },
      );
      const { histories } = await explainRandomHistories(sides, 3);
      expect(histories).toBeGreaterThanOrEqual(4);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);
