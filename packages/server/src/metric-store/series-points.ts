import type { Int64 } from '@lazuli/contract';

/** Points of one run, as parallel columns. NaN is the double NaN; infinities are clamped already. */
export interface SeriesPoints {
  readonly workspaceId: number;
  readonly runKey: number;
  /** The interned key of each point. */
  readonly metricKeys: readonly number[];
  readonly timestamps: readonly Int64[];
  readonly steps: readonly Int64[];
  readonly values: readonly number[];
}
