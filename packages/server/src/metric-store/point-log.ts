import type { Int64 } from '@lazuli/contract';
import type { SeriesPoints } from './series-points.ts';

/**
 * The codec of `metric_log`: what one group commit logged, as one blob. A commit costs the B-tree pages that it dirties;
 * 1,000 points of 1,000 series lie on 1,000 pages of the clustered table, and on a dozen here.
 *
 * A blob is a sequence of records, one for each run: five float64 numbers (workspace, run, count, 1 if whole numbers
 * exceed a double's 53 bits, reserved), then the columns metric key, timestamp, step (float64, or int64 where marked) and
 * value (float64, NaN as itself). Little-endian, as every platform that Node runs on.
 */
const headerNumbers = 5;
const columns = 4;
const bytesPerNumber = 8;

export function encodePoints(series: readonly SeriesPoints[]): Uint8Array {
  const numbers = series.reduce((sum, { values }) => sum + headerNumbers + columns * values.length, 0);
  const buffer = new ArrayBuffer(numbers * bytesPerNumber);
  let offset = 0;
  for (const { workspaceId, runKey, metricKeys, timestamps, steps, values } of series) {
    const wide = timestamps.some(isWide) || steps.some(isWide);
    new Float64Array(buffer, offset, headerNumbers).set([workspaceId, runKey, values.length, wide ? 1 : 0, 0]);
    offset += headerNumbers * bytesPerNumber;
    for (const column of [metricKeys, timestamps, steps, values]) {
      if (wide && (column === timestamps || column === steps)) {
        new BigInt64Array(buffer, offset, values.length).set(column.map(BigInt));
      } else {
        new Float64Array(buffer, offset, values.length).set(column as readonly number[]);
      }
      offset += values.length * bytesPerNumber;
    }
  }
  return new Uint8Array(buffer);
}

export function decodePoints(blob: Uint8Array): SeriesPoints[] {
  // A copy of its own, because a blob from the database need not lie on an 8-byte boundary.
  const { buffer } = new Uint8Array(blob);
  const series: SeriesPoints[] = [];
  let offset = 0;
  const take = (count: number): number[] => {
    const column = Array.from(new Float64Array(buffer, offset, count));
    offset += count * bytesPerNumber;
    return column;
  };
  const takeWide = (count: number): Int64[] => {
    const column = Array.from(new BigInt64Array(buffer, offset, count));
    offset += count * bytesPerNumber;
    return column;
  };
  while (offset < buffer.byteLength) {
    const [workspaceId = 0, runKey = 0, count = 0, wide = 0] = take(headerNumbers);
    const metricKeys = take(count);
    const timestamps = wide === 1 ? takeWide(count) : take(count);
    const steps = wide === 1 ? takeWide(count) : take(count);
    series.push({ workspaceId, runKey, metricKeys, timestamps, steps, values: take(count) });
  }
  return series;
}

function isWide(value: Int64): boolean {
  return typeof value === 'bigint';
}
