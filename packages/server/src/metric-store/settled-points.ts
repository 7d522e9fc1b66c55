import type { Int64 } from '@lazuli/contract';
import type { GroupTransaction, SetWrite } from '../database/engine.ts';
import type { SeriesPoints } from './series-points.ts';

/**
 * Points in their places: `metric_points`, in the order of history, and `latest_metrics`, the greatest point of each series
 * by (step, timestamp, value).
 */
const pointColumns = {
  workspace_id: 'int64',
  run_key: 'int64',
  metric_key: 'int64',
  timestamp: 'int64',
  step: 'int64',
  value: 'double',
  is_nan: 'int64',
} as const;

export const insertPoints: SetWrite = {
  table: 'metric_points',
  columns: pointColumns,
  // *MLflow ignores a point that is there already, equal in all of these.*
  conflict: { key: ['workspace_id', 'run_key', 'metric_key', 'timestamp', 'step', 'is_nan', 'value'] },
};

export const upsertLatest: SetWrite = {
  table: 'latest_metrics',
  columns: pointColumns,
  conflict: {
    key: ['workspace_id', 'run_key', 'metric_key'],
    replace: ['timestamp', 'step', 'value', 'is_nan'],
    newerBy: ['step', 'timestamp', 'value'],
  },
};

/** A row of `metric_points`. */
export type PointRow = readonly [
  workspaceId: number,
  runKey: number,
  metricKey: number,
  timestamp: Int64,
  step: Int64,
  value: number,
  isNan: 0 | 1,
];

export function* rowsOf({
  workspaceId,
  runKey,
  metricKeys,
  timestamps,
  steps,
  values,
}: SeriesPoints): Generator<PointRow> {
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    const [metricKey, timestamp, step] = [
      metricKeys[index] as number,
      timestamps[index] as Int64,
      steps[index] as Int64,
    ];
    if (Number.isNaN(value)) yield [workspaceId, runKey, metricKey, timestamp, step, 0, 1];
    else yield [workspaceId, runKey, metricKey, timestamp, step, value, 0];
  }
}

/** Writes points to their places with the group. */
export async function writeAtOnce(tx: GroupTransaction, series: readonly SeriesPoints[]): Promise<void> {
  const rows = series.flatMap((one) => [...rowsOf(one)]);
  await tx.write(insertPoints, rows);
  const latest = new Map<string, PointRow>();
  for (const row of rows) keepNewer(latest, row, `${row[1]}/${row[2]}`);
  await tx.write(upsertLatest, [...latest.values()]);
}

function isNewer(row: PointRow, known: PointRow): boolean {
  if (row[4] !== known[4]) return row[4] > known[4];
  if (row[3] !== known[3]) return row[3] > known[3];
  return row[5] > known[5];
}

/** The order of the clustered table, so that neighbours are written one after the other. */
export function byPlace(a: PointRow, b: PointRow): number {
  if (a[2] !== b[2]) return a[2] - b[2];
  if (a[3] !== b[3]) return a[3] < b[3] ? -1 : 1;
  return a[4] === b[4] ? 0 : a[4] < b[4] ? -1 : 1;
}

export function keepNewer<Key>(latest: Map<Key, PointRow>, row: PointRow, key = row[2] as Key): void {
  const known = latest.get(key);
  if (known === undefined || isNewer(row, known)) latest.set(key, row);
}
