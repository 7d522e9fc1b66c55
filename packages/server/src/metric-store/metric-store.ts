import type { Int64 } from '@lazuli/contract';
import { sql } from 'kysely';
import type { Db, Engine, GroupTransaction, Preparation } from '../database/engine.ts';
import type { SeriesPoints } from './series-points.ts';
import { writeAtOnce } from './settled-points.ts';
import { createUnsettledPoints } from './unsettled-points.ts';

/**
 * Points of metrics: series of (timestamp, step, value), interned as (run, metric key). They grow unlike everything else,
 * so they live behind an interface of their own: append, latest, history, sample. Stage one keeps them in a table that is
 * clustered in the order of history, which points reach with their group (settled-points.ts) or, where one process owns the
 * database, by way of a log (unsettled-points.ts).
 */
export interface MetricStore {
  /** Adds points within a group; once it is committed they are durable, and a settling away from being read. */
  append(tx: GroupTransaction, series: readonly SeriesPoints[]): Promise<void>;
  /** Before latest values are read, of one run or of all: does most of the work, and gives what the read has to be prepared with. */
  settleLatest(runKey?: number): Promise<Preparation | undefined>;
  /** The same before points of these runs are read. */
  settlePoints(runKeys: readonly number[]): Promise<Preparation | undefined>;
  /** After a workspace is gone. */
  forgetWorkspace(workspaceId: number): void;
  /** After these runs are gone. */
  forgetRuns(runKeys: readonly number[]): void;
  /** Ends the background work; everything is settled then. */
  close(): Promise<void>;
}

/** One point as it is stored. */
export interface StoredPoint {
  readonly timestamp: Int64;
  readonly step: Int64;
  readonly value: number;
  readonly is_nan: number;
}

export async function openMetricStore(engine: Engine): Promise<MetricStore> {
  // What one process has not settled yet another one would not see.
  if (engine.ownership === 'shared') return settledAtOnce;
  const unsettled = createUnsettledPoints(engine);
  await unsettled.recover();
  return unsettled;
}

/** Where several processes write, points go to their places with their group: another process reads them next. */
const settledAtOnce: MetricStore = {
  append: writeAtOnce,
  settleLatest: async () => undefined,
  settlePoints: async () => undefined,
  forgetWorkspace: () => {},
  forgetRuns: () => {},
  close: async () => {},
};

export interface SeriesName {
  readonly workspaceId: number;
  readonly runKey: number;
  readonly metricKey: number;
}

/** Up to `limit` points in the order of history, those behind `after`. The cost follows the page, not the history. */
export async function historyOf(
  db: Db,
  { workspaceId, runKey, metricKey }: SeriesName,
  limit: number,
  after?: StoredPoint,
): Promise<StoredPoint[]> {
  const behind =
    after === undefined
      ? sql``
      : sql`and (timestamp, step, is_nan, value) > (${after.timestamp}, ${after.step}, ${after.is_nan}, ${after.value})`;
  const { rows } = await sql<StoredPoint>`
    select timestamp, step, value, is_nan from metric_points
    where workspace_id = ${workspaceId} and run_key = ${runKey} and metric_key = ${metricKey} ${behind}
    order by timestamp, step, is_nan, value
    limit ${limit}`.execute(db);
  return rows;
}

export interface SampleRange {
  readonly startStep?: Int64;
  readonly endStep?: Int64;
  /** At most this many points. */
  readonly limit: number;
}

/**
 * Points of a series spread evenly over its rows in the order of (step, timestamp, value), the last one always among them.
 * *MLflow ≥ 3.15 cuts the rows into `limit` buckets of equal size, the first ones a row larger, and takes the first row of
 * each; the last row then takes the place of the last sample.*
 */
export async function sampleOf(
  db: Db,
  { workspaceId, runKey, metricKey }: SeriesName,
  { startStep, endStep, limit }: SampleRange,
): Promise<StoredPoint[]> {
  const from = startStep === undefined ? sql`` : sql`and step >= ${startStep}`;
  const to = endStep === undefined ? sql`` : sql`and step <= ${endStep}`;
  const rows = sql`metric_points
    where workspace_id = ${workspaceId} and run_key = ${runKey} and metric_key = ${metricKey} ${from} ${to}`;
  const counted = await sql<{ total: number }>`select count(*) as total from ${rows}`.execute(db);
  const positions = samplePositions(counted.rows[0]?.total ?? 0, limit);
  if (positions.length === 0) return [];
  const sampled = await sql<StoredPoint>`
    select timestamp, step, value, is_nan from (
      select timestamp, step, value, is_nan,
        row_number() over (order by step, timestamp, value, is_nan) - 1 as position
      from ${rows}
    ) as ordered where position in (${sql.join(positions)}) order by position`.execute(db);
  return sampled.rows;
}

/** Which of `total` rows a sample of at most `limit` shows. */
export function samplePositions(total: number, limit: number): number[] {
  const samples = Math.min(total, limit);
  const size = Math.floor(total / Math.max(samples, 1));
  const larger = total - size * samples;
  const positions = Array.from({ length: samples }, (_, bucket) => bucket * size + Math.min(bucket, larger));
  if (samples > 0) positions[samples - 1] = total - 1;
  return positions;
}
