import { sql } from 'kysely';
import type { ColumnValue, Db, Engine, GroupTransaction, SetWrite } from '../database/engine.ts';

/**
 * The latest value of each series, the greatest by (step, timestamp, value), written behind the points.
 *
 * A row of `latest_metrics` lies in two B-trees besides the points' own, so writing it with every point would cost more
 * than the point. Committed points only update a map in memory; the map is written out every 250 ms and before any query
 * that reads the table. A run whose rows may be behind is named in `unsettled_runs`, in the same commit as its points, so
 * that after a crash its latest values are taken from the points again.
 */
export interface LatestMetrics {
  /** Notes the points of a group, given as rows of `metric_points`. */
  follow(tx: GroupTransaction, rows: readonly (readonly ColumnValue[])[]): Promise<void>;
  settle(): Promise<void>;
  recover(): Promise<void>;
  close(): Promise<void>;
}

const settleAfterMs = 250;

const writeLatest: SetWrite = {
  table: 'latest_metrics',
  columns: {
    workspace_id: 'int64',
    run_key: 'int64',
    metric_key: 'int64',
    timestamp: 'int64',
    step: 'int64',
    value: 'double',
    is_nan: 'int64',
  },
  conflict: {
    key: ['workspace_id', 'run_key', 'metric_key'],
    replace: ['timestamp', 'step', 'value', 'is_nan'],
    newerBy: ['step', 'timestamp', 'value'],
  },
};

const markUnsettled: SetWrite = {
  table: 'unsettled_runs',
  columns: { workspace_id: 'int64', run_key: 'int64' },
  conflict: { key: ['workspace_id', 'run_key'] },
};

/** A row of `metric_points`, by position. */
type PointRow = readonly ColumnValue[];
const [RUN, KEY, TIMESTAMP, STEP, VALUE] = [1, 2, 3, 4, 5] as const;

interface UnsettledRun {
  readonly workspaceId: ColumnValue;
  readonly latest: Map<ColumnValue, PointRow>;
}

export function createLatestMetrics(engine: Engine): LatestMetrics {
  let unsettled = new Map<ColumnValue, UnsettledRun>();
  let settling: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  function note(rows: readonly PointRow[]): void {
    for (const row of rows) {
      const runKey = row[RUN] ?? null;
      let run = unsettled.get(runKey);
      if (run === undefined) {
        run = { workspaceId: row[0] ?? null, latest: new Map() };
        unsettled.set(runKey, run);
      }
      const known = run.latest.get(row[KEY] ?? null);
      if (known === undefined || isNewer(row, known)) run.latest.set(row[KEY] ?? null, row);
    }
    timer ??= setTimeout(() => {
      timer = undefined;
      // A failure leaves the map as it is: the next settling, or recovery after a crash, makes up for it.
      settle().catch(() => note([]));
    }, settleAfterMs).unref();
  }

  async function settle(): Promise<void> {
    // Points that were committed before this call may have missed a settling that is under way.
    while (settling !== undefined) await settling;
    if (unsettled.size === 0) return;
    settling = writeOut().finally(() => {
      settling = undefined;
    });
    await settling;
  }

  function writeOut(): Promise<void> {
    return engine.group(async (tx) => {
      const taken = unsettled;
      const rows: PointRow[] = [];
      const runs: ColumnValue[][] = [];
      for (const [runKey, { workspaceId, latest }] of taken) {
        rows.push(...latest.values());
        runs.push([workspaceId, runKey]);
      }
      await tx.write(writeLatest, rows);
      await tx.remove({ table: 'unsettled_runs', by: { workspace_id: 'int64', run_key: 'int64' } }, runs);
      // No group can have come in between: groups take turns.
      tx.onCommit(() => {
        unsettled = new Map();
      });
    }, 'relaxed');
  }

  return {
    async follow(tx, rows) {
      const fresh = new Map<ColumnValue, ColumnValue[]>();
      for (const row of rows) {
        const runKey = row[RUN] ?? null;
        if (!unsettled.has(runKey) && !fresh.has(runKey)) fresh.set(runKey, [row[0] ?? null, runKey]);
      }
      if (fresh.size > 0) await tx.write(markUnsettled, [...fresh.values()]);
      tx.onCommit(() => note(rows));
    },
    settle,
    async recover() {
      const runs = await engine.db.selectFrom('unsettled_runs').selectAll().execute();
      for (const { workspace_id, run_key } of runs) {
        await engine.transaction(({ db }) => takeFromPoints(db, workspace_id, run_key));
      }
    },
    async close() {
      clearTimeout(timer);
      await settle();
    },
  };
}

function isNewer(row: PointRow, known: PointRow): boolean {
  for (const column of [STEP, TIMESTAMP, VALUE]) {
    const [given, kept] = [row[column] ?? 0, known[column] ?? 0];
    if (given !== kept) return given > kept;
  }
  return false;
}

async function takeFromPoints(db: Db, workspaceId: number, runKey: number): Promise<void> {
  await sql`delete from latest_metrics where workspace_id = ${workspaceId} and run_key = ${runKey}`.execute(db);
  await sql`
    insert into latest_metrics (workspace_id, run_key, metric_key, timestamp, step, value, is_nan)
    select workspace_id, run_key, metric_key, timestamp, step, value, is_nan from (
      select *, row_number() over (partition by metric_key order by step desc, timestamp desc, value desc) as place
      from metric_points where workspace_id = ${workspaceId} and run_key = ${runKey}
    ) as ranked where place = 1`.execute(db);
  await sql`delete from unsettled_runs where workspace_id = ${workspaceId} and run_key = ${runKey}`.execute(db);
}
