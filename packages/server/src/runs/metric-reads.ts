import { invalidParameter, parseInt64, writeInteger } from '@lazuli/contract';
import type { Db, Read } from '../database/engine.ts';
import {
  historyOf,
  sampleOf,
  type SampleRange,
  type SeriesName,
  type StoredPoint,
} from '../metric-store/metric-store.ts';
import { findMetricKey, findRun } from './run-store.ts';

/** The reads behind the three history endpoints. They may scan, so they run off the event loop and answer in bytes. */
export interface HistoryQuery {
  readonly workspaceId: number;
  readonly runId: string;
  readonly metricKey: string;
  readonly limit: number;
  readonly pageToken?: string;
}

export const metricHistory: Read<HistoryQuery, Uint8Array> = {
  name: 'metric-history',
  async run(db, { workspaceId, runId, metricKey, limit, pageToken }) {
    const after = pageToken === undefined || pageToken === '' ? undefined : pointFromToken(pageToken);
    const series = await findSeries(db, workspaceId, runId, metricKey);
    const points = series === undefined ? [] : await historyOf(db, series, limit + 1, after);
    const last = points.length > limit ? points[limit - 1] : undefined;
    const metrics = pointTexts(points.slice(0, limit), metricKey).join(',');
    if (last !== undefined) return bytes(`{"metrics":[${metrics}],"next_page_token":"${tokenFromPoint(last)}"}`);
    return bytes(metrics === '' ? '{}' : `{"metrics":[${metrics}]}`);
  },
};

export const metricHistoryBulk: Read<
  { workspaceId: number; runIds: readonly string[]; metricKey: string; limit: number },
  Uint8Array
> = {
  name: 'metric-history-bulk',
  async run(db, { workspaceId, runIds, metricKey, limit }) {
    const metrics: string[] = [];
    for (const runId of [...new Set(runIds)].sort()) {
      const series = await findSeries(db, workspaceId, runId, metricKey);
      if (series === undefined) continue;
      const points = await historyOf(db, series, limit - metrics.length);
      metrics.push(...pointTexts(points, metricKey, runId));
      if (metrics.length >= limit) break;
    }
    // *MLflow writes this answer by hand, with the list also when it is empty; its web interface reads it.*
    return bytes(`{"metrics":[${metrics.join(',')}]}`);
  },
};

export const metricHistoryInterval: Read<
  { workspaceId: number; runIds: readonly string[]; metricKey: string; range: SampleRange },
  Uint8Array
> = {
  name: 'metric-history-interval',
  async run(db, { workspaceId, runIds, metricKey, range }) {
    const metrics: string[] = [];
    for (const runId of runIds) {
      const series = await findSeries(db, workspaceId, runId, metricKey);
      if (series === undefined) continue;
      const points = await sampleOf(db, series, range);
      metrics.push(...pointTexts(points, metricKey, runId));
    }
    return bytes(metrics.length === 0 ? '{}' : `{"metrics":[${metrics.join(',')}]}`);
  },
};

/**
 * Points as the contract's writer would write them. A page has tens of thousands that differ in three numbers, so what
 * they share is written once; objects in between would take three times as long.
 */
function pointTexts(points: readonly StoredPoint[], metricKey: string, runId?: string): string[] {
  const head = `{"key":${JSON.stringify(metricKey)},"value":`;
  const tail = runId === undefined ? '}' : `,"run_id":${JSON.stringify(runId)}}`;
  return points.map(
    ({ value, is_nan, timestamp, step }) =>
      `${head}${is_nan === 1 ? '"NaN"' : String(value)},"timestamp":${writeInteger(timestamp)},"step":${writeInteger(step)}${tail}`,
  );
}

async function findSeries(
  db: Db,
  workspaceId: number,
  runId: string,
  metricKey: string,
): Promise<SeriesName | undefined> {
  const run = await findRun(db, workspaceId, runId);
  if (run === undefined) return undefined;
  const key = await findMetricKey(db, workspaceId, run.experiment_id, metricKey);
  return key === undefined ? undefined : { workspaceId, runKey: run.run_key, metricKey: key };
}

/** Answers leave the reader thread by changing hands, so they must own their memory: Buffers may share a pool. */
function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A page token is the last point of the page before: (timestamp, step, is_nan, value), exact. */
function tokenFromPoint({ timestamp, step, is_nan, value }: StoredPoint): string {
  return Buffer.from(JSON.stringify([String(timestamp), String(step), is_nan, value])).toString('base64url');
}

function pointFromToken(token: string): StoredPoint {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (Array.isArray(parts) && parts.length === 4) {
      const [timestamp, step, isNan, value] = parts as unknown[];
      const exact = [timestamp, step].map((text) => (typeof text === 'string' ? parseInt64(text) : undefined));
      if (
        exact[0] !== undefined &&
        exact[1] !== undefined &&
        typeof value === 'number' &&
        (isNan === 0 || isNan === 1)
      ) {
        return { timestamp: exact[0], step: exact[1], is_nan: isNan, value };
      }
    }
  } catch {
    // Whatever is wrong with it, it is no token of ours.
  }
  throw invalidParameter(`Invalid page token, could not base64-decode`);
}
