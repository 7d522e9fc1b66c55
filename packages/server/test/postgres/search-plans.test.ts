import { CompiledQuery, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Db, Engine } from '../../src/database/engine.ts';
import { kyselyOver } from '../../src/database/kysely-over.ts';
import { openPostgres } from '../../src/database/postgres/open-postgres.ts';
import { searchRunKeys } from '../../src/search/search-runs.ts';
import { createModelDatabase, workspaceId, type ModelRun } from '../search/runs-model.ts';
import { startPostgres } from './postgres-server.ts';

/**
 * How many rows PostgreSQL reads for a search, as it says itself: on a busy machine times tell nothing. It decides by
 * estimates, without statistics and with them, so both are tried with orders and filters that it cannot estimate well.
 */
const count = 4_000;
const experimentIds = Array.from({ length: 20 }, (_, index) => index);

const filters = [
  '',
  'metrics.m > 995',
  "NOT (metrics.m <= 500 OR params.tenth != '7')",
  "metrics.m IS NULL AND tags.x IS NULL AND params.tenth != '7' AND metrics.all > 2 AND params.own LIKE '%7%'",
];
const orders = [
  ['metrics.m', 'metrics.all DESC'],
  ['metrics.all DESC'],
  ['start_time', 'metrics.all'],
  ['params.tenth', 'metrics.m'],
  ['run_name', 'params.own'],
];

const undo = new AsyncDisposableStack();
afterAll(() => undo.disposeAsync());

let engine: Engine;
beforeAll(async () => {
  const postgres = undo.use(await startPostgres({ fsync: 'off', autovacuum: 'off' }));
  engine = await openPostgres({ url: await postgres.createDatabase(), size: 2, preparedStatements: 'on' });
  const owned = { ...engine, [Symbol.asyncDispose]: () => engine.close() };
  const database = undo.use(await createModelDatabase(experimentIds, owned));
  await database.insert(Array.from({ length: count }, (_, index) => aRunOf(index)));
}, 120_000);

function aRunOf(index: number): ModelRun {
  const m = index % 13 === 0 ? NaN : (index * 31) % 997;
  return {
    runId: String(index).padStart(32, '0'),
    experimentId: index % 100 === 0 ? 1 : 0,
    runName: `run ${index}`,
    status: 'FINISHED',
    startTime: (index * 7919) % 5_000,
    endTime: null,
    isDeleted: index % 11 === 0,
    metrics: new Map([...(index % 7 === 0 ? [] : [['m', m] as const]), ['all', index % 10]]),
    params: new Map([
      ['tenth', String(index % 10)],
      ['own', String(index)],
    ]),
    tags: new Map(),
    datasets: [],
  };
}

/** A node of a plan that was carried out. *PostgreSQL: counts are those of one of its loops.* */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

function rowsRead({ Plans: parts = [], ...node }: PlanNode): number {
  const rows = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
  const own = node['Node Type'].endsWith('Scan') ? rows : 0;
  return parts.reduce((sum, part) => sum + rowsRead(part), own);
}

/** A database that also explains each statement, and counts what it reads. */
function counting(db: Db): { db: Db; rows: () => number } {
  let rows = 0;
  const query = async (text: string, values: readonly unknown[]) => {
    const explained = CompiledQuery.raw(`explain (analyze, timing off, format json) ${text}`, [...values]);
    const answer = await db.executeQuery<{ 'QUERY PLAN': readonly [{ Plan: PlanNode }] }>(explained);
    for (const row of answer.rows) rows += rowsRead(row['QUERY PLAN'][0].Plan);
    const { rows: found } = await db.executeQuery<Record<string, never>>(CompiledQuery.raw(text, [...values]));
    return { rows: found, changes: 0 };
  };
  return { db: kyselyOver({ query }, 'postgres'), rows: () => rows };
}

describe.each(['without statistics', 'with statistics'])('PostgreSQL %s', (statistics) => {
  beforeAll(async () => {
    if (statistics === 'with statistics') await sql`analyze`.execute(engine.db);
  });

  test.each(filters)(
    'reads each run of a search a few times at the most: %s',
    async (filter) => {
      for (const orderBy of orders) {
        for (const experiments of [['0'], ['0', '1'], experimentIds.map(String)]) {
          const query = { workspaceId, experimentIds: experiments, filter, viewType: 'ACTIVE_ONLY' as const, orderBy };
          const rows = await engine.snapshot(async (db) => {
            const counted = counting(db);
            await searchRunKeys(counted.db, { ...query, maxResults: 2_000 });
            return counted.rows();
          });
          expect(rows, `${orderBy.join()} in ${experiments.length}`).toBeLessThan(25 * count);
        }
      }
    },
    60_000,
  );
});
