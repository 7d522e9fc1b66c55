/**
 * The targets, and how each is read on another machine than the one on which they were set.
 *
 * A target is scaled by what bounds the workload (README.md says why): a figure whose cost is a request's scales with Ch, one
 * whose cost is JSON with Cj, one whose cost is bytes with Cu or Cd, and W1 - where one client waits for every sync in turn - is a sum of two times, one of
 * the disk and one of the processor, each scaled by its own calibrator.
 *
 * On PostgreSQL the same holds: W2p and W3 are requests of which many share a commit, each a bit of HTTP, of JSON and of rows, so they scale
 * with Ch, and W4d is a thousand points a request, so it scales with Cj, the calibrator that counts points. There
 * the greater part of the time is the database's, which Cp measures; but Cp was not taken on the reference machine, so it can be
 * printed beside and nothing can be scaled by it.
 */
import type { Calibrators } from './calibrators.ts';
import type { Engine } from './engine.ts';

export type CalibratorName = keyof Calibrators;

/**
 * The calibrators of the machine on which the targets were set; Cj as Node 24 gives it, on which the project runs. Cu and Cd are
 * what the bare prototype took there for 1 GiB: 1.0 s up, 0.34 s down.
 */
export const reference: Calibrators = {
  Cf: 5500,
  Ch: 80_000,
  Cj: 4_500_000,
  Ca: 1_260_000,
  Cu: 1024 / 1.0,
  Cd: 1024 / 0.34,
};

export interface TargetFigure {
  readonly workload: string;
  readonly figure: string;
  readonly unit: '/s' | 'points/s' | 'ms';
  readonly better: 'more' | 'less';
  /** Undefined where a figure is reported without a target of its own. */
  readonly must: number | undefined;
  readonly stretch: number | undefined;
  /** The calibrator whose share is printed. */
  readonly per: CalibratorName;
  /** `value` on the reference machine, read on this one. */
  readonly here: (value: number, calibrators: Calibrators) => number;
}

function rateBy(per: CalibratorName): TargetFigure['here'] {
  return (value, calibrators) => (value * calibrators[per]) / reference[per];
}

function timeBy(per: CalibratorName): TargetFigure['here'] {
  return (value, calibrators) => (value * reference[per]) / calibrators[per];
}

/** Milliseconds of one sync and of all else, each on this machine's own scale. */
function syncAndProcessorMs(ms: number, { Cf, Ch }: Calibrators): number {
  const processorMs = ms - 1000 / reference.Cf;
  return 1000 / Cf + (processorMs * reference.Ch) / Ch;
}

function sequentialRate(value: number, calibrators: Calibrators): number {
  return 1000 / syncAndProcessorMs(1000 / value, calibrators);
}

function figure(workload: string, name: string, rest: Omit<TargetFigure, 'workload' | 'figure'>): TargetFigure {
  return { workload, figure: name, ...rest };
}

const rate = { unit: '/s', better: 'more' } as const;
const time = { unit: 'ms', better: 'less' } as const;

const onSqlite = {
  w1Rate: figure('W1', 'rate', { ...rate, must: 2500, stretch: 4500, per: 'Ch', here: sequentialRate }),
  w1P50: figure('W1', 'p50', { ...time, must: 0.5, stretch: undefined, per: 'Ch', here: syncAndProcessorMs }),
  w2Rate: figure('W2', 'rate', { ...rate, must: 25_000, stretch: 60_000, per: 'Ch', here: rateBy('Ch') }),
  w2P99: figure('W2', 'p99', { ...time, must: 10, stretch: undefined, per: 'Ch', here: timeBy('Ch') }),
  w3Rate: figure('W3', 'rate', { ...rate, must: 10_000, stretch: 30_000, per: 'Ch', here: rateBy('Ch') }),
  w4Points: figure('W4', 'points', {
    unit: 'points/s',
    better: 'more',
    must: 600_000,
    stretch: 1_500_000,
    per: 'Cj',
    here: rateBy('Cj'),
  }),
  w4dRate: figure('W4d', 'rate', { ...rate, must: 400, stretch: 1200, per: 'Cj', here: rateBy('Cj') }),
  w5Rate: figure('W5', 'rate', { ...rate, must: 8000, stretch: 18_000, per: 'Ch', here: rateBy('Ch') }),
  w7P50: figure('W7', 'p50', { ...time, must: 5, stretch: 2, per: 'Ch', here: timeBy('Ch') }),
  w10First: figure('W10', 'first page p50', { ...time, must: 20, stretch: 10, per: 'Cj', here: timeBy('Cj') }),
  w10Middle: figure('W10', 'middle page p50', { ...time, must: 20, stretch: 10, per: 'Cj', here: timeBy('Cj') }),
  w10Last: figure('W10', 'last page p50', { ...time, must: 20, stretch: 10, per: 'Cj', here: timeBy('Cj') }),
  w11Up: figure('W11', 'upload p50', { ...time, must: 2000, stretch: 1000, per: 'Cu', here: timeBy('Cu') }),
  w11Down: figure('W11', 'download p50', { ...time, must: 600, stretch: 350, per: 'Cd', here: timeBy('Cd') }),
  // What one process logs takes its own time and the server's; nobody has said yet how much it must be.
  wClientPoints: figure('W-client', 'points', {
    unit: 'points/s',
    better: 'more',
    must: undefined,
    stretch: undefined,
    per: 'Cj',
    here: rateBy('Cj'),
  }),
} as const satisfies Record<string, TargetFigure>;

export type FigureName = keyof typeof onSqlite;

function withoutTarget(target: TargetFigure): TargetFigure {
  return { ...target, must: undefined, stretch: undefined };
}

const onPostgres = {
  w1Rate: withoutTarget(onSqlite.w1Rate),
  w1P50: withoutTarget(onSqlite.w1P50),
  w2Rate: { ...onSqlite.w2Rate, workload: 'W2p', must: 15_000, stretch: 40_000 },
  w2P99: { ...onSqlite.w2P99, workload: 'W2p', must: 15 },
  w3Rate: { ...onSqlite.w3Rate, must: 5000, stretch: 12_000 },
  w4Points: withoutTarget(onSqlite.w4Points),
  w4dRate: { ...onSqlite.w4dRate, must: 150, stretch: 300 },
  w5Rate: withoutTarget(onSqlite.w5Rate),
  w7P50: withoutTarget(onSqlite.w7P50),
  w10First: withoutTarget(onSqlite.w10First),
  w10Middle: withoutTarget(onSqlite.w10Middle),
  w10Last: withoutTarget(onSqlite.w10Last),
  w11Up: withoutTarget(onSqlite.w11Up),
  w11Down: withoutTarget(onSqlite.w11Down),
  wClientPoints: onSqlite.wClientPoints,
} as const satisfies Record<FigureName, TargetFigure>;

export type EngineTargets = Readonly<Record<FigureName, TargetFigure>>;

export const targets: Readonly<Record<Engine, EngineTargets>> = {
  sqlite: onSqlite,
  postgres: onPostgres,
};

export type Verdict = 'met' | 'met here' | 'not met' | 'no target';

/** `met` by the absolute figure, `met here` by the one read on this machine alone. */
export function judge(target: TargetFigure, value: number, calibrators: Calibrators): Verdict {
  const reaches = (wanted: number): boolean => (target.better === 'more' ? value >= wanted : value <= wanted);
  if (target.must === undefined) return 'no target';
  if (reaches(target.must)) return 'met';
  return reaches(target.here(target.must, calibrators)) ? 'met here' : 'not met';
}

/**
 * The figure as a share of its calibrator: for a rate, work done per unit of the calibrator; for a time, how many units of
 * the calibrator fit into it.
 */
export function ratioOf(target: TargetFigure, value: number, calibrators: Calibrators): number {
  return target.unit === 'ms' ? (value / 1000) * calibrators[target.per] : value / calibrators[target.per];
}
