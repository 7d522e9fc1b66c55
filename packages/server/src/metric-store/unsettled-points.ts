import { exactInt64, type Int64 } from '@lazuli/contract';
import type { Db, Engine, GroupTransaction, Preparation, SetRemove, SetWrite } from '../database/engine.ts';
import { decodePoints, encodePoints } from './point-log.ts';
import type { SeriesPoints } from './series-points.ts';
import {
  byPlace,
  insertPoints,
  keepNewer,
  rowsOf,
  upsertLatest,
  writeAtOnce,
  type PointRow,
} from './settled-points.ts';

/**
 * Points between their commit and their place. A group appends its points to `metric_log`, one blob a commit, and that is
 * what makes them durable. Their places are two tables that cost a B-tree page a series: `metric_points`, clustered in the
 * order of history, and `latest_metrics`, the greatest point of each series by (step, timestamp, value). Points are
 * settled there in the background, many at once and sorted, and at once before a read that would miss them. Then their
 * part of the log is removed.
 *
 * Settling twice does no harm (a point that is there is ignored, a latest value only ever grows), so a crash at any moment
 * is made up for by settling the whole log again; and settling need not wait for the disk, because what a crash undoes is
 * still in the log.
 */
export interface UnsettledPoints {
  /** Makes points durable with the group, and readable after its commit. */
  append(tx: GroupTransaction, series: readonly SeriesPoints[]): Promise<void>;
  /** Brings the latest values of a run up to date, or of all runs; the preparation does the same for what came meanwhile. */
  settleLatest(runKey?: number): Promise<Preparation>;
  /** Brings the points of some runs to their place; the preparation does the same for what came meanwhile. */
  settlePoints(runKeys: readonly number[]): Promise<Preparation>;
  /** Settles what a process that ended has left in the log. */
  recover(): Promise<void>;
  /** Forgets points whose runs are removed with their workspace. */
  forgetWorkspace(workspaceId: number): void;
  /** Forgets points of runs that are removed. */
  forgetRuns(runKeys: readonly number[]): void;
  close(): Promise<void>;
}

/** What a crash undoes of a settling is still in the log. */
const relaxed = { durability: 'relaxed' } as const;

const insertLog: SetWrite = { table: 'metric_log', columns: { seq: 'int64', points: 'blob' } };
const removeLog: SetRemove = { table: 'metric_log', by: { seq: 'int64' } };

interface UnsettledRun {
  readonly workspaceId: number;
  points: PointRow[];
  latest: Map<number, PointRow>;
}

/** A run with as many points as are to be settled. */
interface WaitingRun {
  readonly run: UnsettledRun;
  left: number;
}

/** How long points wait for their place while nobody reads them. */
const settleAfterMs = 250;
/** Rows that one settling transaction writes: a few milliseconds, between which requests are answered. */
const sliceRows = 2_000;
/** With this many points waiting, further ones go to their place with their group, so that memory stays bounded. */
const mostUnsettled = 400_000;

export function createUnsettledPoints(engine: Engine): UnsettledPoints {
  const runs = new Map<number, UnsettledRun>();
  let unsettledCount = 0;
  /** The log holds the rows from `firstSeq` up to, not including, `nextSeq`. */
  let firstSeq = 1;
  let nextSeq = 1;
  let timer: NodeJS.Timeout | undefined;
  let passing: Promise<void> | undefined;
  let closed = false;

  function note(series: readonly SeriesPoints[]): void {
    for (const one of series) {
      let run = runs.get(one.runKey);
      if (run === undefined)
        runs.set(one.runKey, (run = { workspaceId: one.workspaceId, points: [], latest: new Map() }));
      for (const row of rowsOf(one)) {
        run.points.push(row);
        keepNewer(run.latest, row);
      }
      unsettledCount += one.values.length;
    }
    if (closed) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      // What fails here stays in memory and in the log; the next pass takes it along.
      settleAll().catch(() => note([]));
    }, settleAfterMs).unref();
  }

  async function settlePoints(runKeys: readonly number[]): Promise<void> {
    // Those that are there now: with a run that is being logged to, waiting for none to be left could take for ever.
    let waiting = waitingOf(runKeys);
    while (waiting.length > 0) {
      const slice = waiting;
      await engine.group((tx) => writeSlice(tx, slice, sliceRows), relaxed);
      // Somebody else may have settled them meanwhile.
      waiting = waiting.filter(({ run, left }) => left > 0 && run.points.length > 0);
    }
  }

  function waitingOf(runKeys: readonly number[]): WaitingRun[] {
    return runKeys.flatMap((runKey): WaitingRun[] => {
      const run = runs.get(runKey);
      return run === undefined || run.points.length === 0 ? [] : [{ run, left: run.points.length }];
    });
  }

  /** Writes up to `mostRows` points of as many runs as it takes: a transaction for each run would cost more than its points. */
  async function writeSlice(tx: GroupTransaction, waiting: readonly WaitingRun[], mostRows: number): Promise<void> {
    const rows: PointRow[] = [];
    const taken: { one: WaitingRun; count: number }[] = [];
    for (const one of waiting) {
      if (rows.length >= mostRows) break;
      const points = one.run.points.slice(0, Math.min(one.left, mostRows - rows.length)).sort(byPlace);
      for (const point of points) rows.push(point);
      taken.push({ one, count: points.length });
    }
    if (rows.length === 0) return;
    await tx.write(insertPoints, rows);
    tx.onCommit(() => {
      // Later points were pushed behind; another settling can have taken none, since groups take turns.
      for (const { one, count } of taken) {
        one.run.points = one.run.points.slice(count);
        one.left -= count;
        unsettledCount -= count;
      }
    });
  }

  async function settleLatest(runKey?: number): Promise<void> {
    const behind = behindOf(runKey);
    for (let start = 0; start < behind.length;) {
      let rows = 0;
      const slice: UnsettledRun[] = [];
      while (start < behind.length && (slice.length === 0 || rows < sliceRows)) {
        const run = behind[start++] as UnsettledRun;
        rows += run.latest.size;
        slice.push(run);
      }
      await engine.group((tx) => writeLatest(tx, slice), relaxed);
    }
  }

  /** The runs whose latest values are behind, or the one named, if it is. */
  function behindOf(runKey?: number): UnsettledRun[] {
    const chosen = runKey === undefined ? [...runs.values()] : [runs.get(runKey)];
    return chosen.filter((run): run is UnsettledRun => run !== undefined && run.latest.size > 0);
  }

  async function writeLatest(tx: GroupTransaction, behind: readonly UnsettledRun[]): Promise<void> {
    const rows = behind.flatMap(({ latest }) => [...latest.values()]);
    if (rows.length === 0) return;
    await tx.write(upsertLatest, rows);
    tx.onCommit(() => {
      for (const run of behind) run.latest = new Map();
    });
  }

  /** Whether a state holds commits that this thread has not heard of yet: what they logged is settled nowhere. */
  async function hasNewerLog(db: Db): Promise<boolean> {
    const newer = db.selectFrom('metric_log').select('seq').where('seq', '>=', nextSeq).limit(1);
    return (await newer.executeTakeFirst()) !== undefined;
  }

  /** Settles everything that was logged before this call, and shortens the log by it. */
  function settleAll(): Promise<void> {
    passing ??= pass().finally(() => {
      passing = undefined;
    });
    return passing;
  }

  async function pass(): Promise<void> {
    const end = nextSeq;
    const before = [...runs.keys()];
    await settleLatest();
    await settlePoints(before);
    for (const runKey of before) {
      const run = runs.get(runKey);
      if (run?.points.length === 0 && run.latest.size === 0) runs.delete(runKey);
    }
    const settled = Array.from({ length: end - firstSeq }, (_, index) => [firstSeq + index]);
    if (settled.length > 0) await engine.group((tx) => tx.remove(removeLog, settled), relaxed);
    firstSeq = end;
  }

  function forgetRun(runKey: number): void {
    const run = runs.get(runKey);
    if (run === undefined) return;
    // Emptied, too: a settling that waits for its turn may hold it.
    unsettledCount -= run.points.length;
    run.points = [];
    run.latest = new Map();
    runs.delete(runKey);
  }

  return {
    async append(tx, series) {
      if (unsettledCount > mostUnsettled) return writeAtOnce(tx, series);
      // Encoded anew for each try of a group: the writer takes a blob's memory with it.
      await tx.write(insertLog, [[nextSeq, encodePoints(series)]]);
      tx.onCommit(() => {
        nextSeq++;
        note(series);
      });
    },
    async settlePoints(runKeys) {
      await settlePoints(runKeys);
      return {
        isMissing: async (db) => waitingOf(runKeys).length > 0 || (await hasNewerLog(db)),
        write: (tx) => writeSlice(tx, waitingOf(runKeys), Infinity),
      };
    },
    async settleLatest(runKey) {
      await settleLatest(runKey);
      return {
        isMissing: async (db) => behindOf(runKey).length > 0 || (await hasNewerLog(db)),
        write: (tx) => writeLatest(tx, behindOf(runKey)),
      };
    },
    async recover() {
      const logged = await engine.db.selectFrom('metric_log').select('seq').orderBy('seq').execute();
      firstSeq = logged[0]?.seq ?? 1;
      for (const { seq } of logged) {
        const { points } = await engine.db
          .selectFrom('metric_log')
          .select('points')
          .where('seq', '=', seq)
          .executeTakeFirstOrThrow();
        note(await ofPresentRuns(engine, decodePoints(points).map(narrowed)));
        nextSeq = seq + 1;
        if (unsettledCount > mostUnsettled) await settleAll();
      }
      if (logged.length > 0) await settleAll();
    },
    forgetWorkspace(workspaceId) {
      for (const [runKey, run] of runs) if (run.workspaceId === workspaceId) forgetRun(runKey);
    },
    forgetRuns: (runKeys) => runKeys.forEach(forgetRun),
    async close() {
      closed = true;
      clearTimeout(timer);
      try {
        await passing;
        await settleAll();
      } catch {
        // On a full disk a server must stop all the same; what is left in the log is settled by the next one.
      }
    },
  };
}

/** The points of runs that are still there: a workspace may have been removed after its points were logged. */
async function ofPresentRuns({ db }: Engine, series: readonly SeriesPoints[]): Promise<SeriesPoints[]> {
  const keys = [...new Set(series.map(({ runKey }) => runKey))];
  const rows = await db.selectFrom('runs').select('run_key').where('run_key', 'in', keys).execute();
  const present = new Set(rows.map((row) => row.run_key));
  return series.filter(({ runKey }) => present.has(runKey));
}

/** Whole numbers from the log, which keeps a record's in one width, as the narrowest exact ones. */
function narrowed(series: SeriesPoints): SeriesPoints {
  const exact = (value: Int64): Int64 => (typeof value === 'bigint' ? exactInt64(value) : value);
  return { ...series, timestamps: series.timestamps.map(exact), steps: series.steps.map(exact) };
}
