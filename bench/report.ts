/** What a run of the bench leaves behind: a table for people and the same as JSON for comparing. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Calibrators, CalibratorSample } from './calibrators.ts';
import type { Machine } from './machine.ts';
import { postgresLine } from './postgres-settings.ts';
import type { PostgresDescription } from './postgres-settings.ts';
import { judge, ratioOf, reference } from './targets.ts';
import type { CalibratorName, TargetFigure, Verdict } from './targets.ts';
import type { NamedLatency, Outcome, Workload } from './workloads/workload.ts';

export interface Measured {
  readonly workload: Workload;
  /** Undefined when the workload could not be carried through; `failure` says why. */
  readonly outcome: Outcome | undefined;
  readonly failure: string | undefined;
  readonly startedInMs: number | undefined;
  readonly peakMemoryMb: number | undefined;
}

export interface BenchRun {
  readonly date: Date;
  readonly commit: string;
  readonly machine: Machine;
  readonly server: string;
  /** The one that the bench has started; undefined where it has not. */
  readonly postgres: PostgresDescription | undefined;
  readonly scale: number;
  readonly durationMs: number;
  /** Measured before and after the workloads. */
  readonly calibratorSamples: readonly CalibratorSample[];
  readonly measured: readonly Measured[];
}

interface FigureRow {
  /** By the name of its targets: W2 on PostgreSQL is W2p. */
  readonly workload: string;
  readonly figure: string;
  readonly unit: string;
  readonly value: number;
  readonly must: number | undefined;
  readonly stretch: number | undefined;
  /** The targets as they read on this machine. */
  readonly mustHere: number | undefined;
  readonly stretchHere: number | undefined;
  readonly calibrator: CalibratorName;
  readonly ratio: number;
  readonly mustRatio: number | undefined;
  readonly verdict: Verdict;
}

/** The better sample of each: what the machine can do when least disturbed, which is the stricter reading of the targets. */
export function calibratorsOf(run: BenchRun): CalibratorSample {
  const best = (name: CalibratorName): number => Math.max(...run.calibratorSamples.map((sample) => sample[name]));
  const compared = {
    Cf: best('Cf'),
    Ch: best('Ch'),
    Cj: best('Cj'),
    Ca: best('Ca'),
    Cu: best('Cu'),
    Cd: best('Cd'),
  };
  const rows = run.calibratorSamples.flatMap(({ Cp }) => (Cp === undefined ? [] : [Cp]));
  return rows.length === 0 ? compared : { ...compared, Cp: Math.max(...rows) };
}

function figureRows({ outcome }: Measured, calibrators: Calibrators): FigureRow[] {
  return (outcome?.figures ?? []).map(({ target, value }) => {
    const here = (wanted: number | undefined): number | undefined =>
      wanted === undefined ? undefined : target.here(wanted, calibrators);
    return {
      workload: target.workload,
      figure: target.figure,
      unit: target.unit,
      value,
      must: target.must,
      stretch: target.stretch,
      mustHere: here(target.must),
      stretchHere: here(target.stretch),
      calibrator: target.per,
      ratio: ratioOf(target, value, calibrators),
      mustRatio: target.must === undefined ? undefined : ratioOf(target, target.must, reference),
      verdict: verdictOn(outcome, target, value, calibrators),
    };
  });
}

function verdictOn(
  outcome: Outcome | undefined,
  target: TargetFigure,
  value: number,
  calibrators: Calibrators,
): Verdict {
  const verdict = judge(target, value, calibrators);
  return verdict === 'no target' || isSound(outcome) ? verdict : 'not met';
}

/** A figure counts only where every request was answered and every answer was right. */
function isSound(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && outcome.errors === 0 && outcome.problems.length === 0;
}

export function everyAnswerWasRight(run: BenchRun): boolean {
  return run.measured.every(({ outcome }) => isSound(outcome));
}

export function renderMarkdown(run: BenchRun): string {
  const { machine } = run;
  const size = run.scale === 1 ? '' : `, seeded data at ${run.scale} of their size (the targets mean 1)`;
  return [
    `# Bench of ${run.server}, ${run.date.toISOString().slice(0, 10)}`,
    '',
    `- commit ${run.commit}`,
    `- ${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.platform}, ${machine.fileSystem}`,
    `- Node ${machine.node}; load average before the start ${machine.load.toFixed(2)}`,
    ...(run.postgres === undefined ? [] : [`- ${postgresLine(run.postgres)}`]),
    `- throughput: median of three rounds of ${run.durationMs / 1000} s after a warm-up${size}`,
    '',
    '## Calibrators',
    '',
    calibratorTable(run),
    '',
    ...disturbance(run),
    '## Figures',
    '',
    figureTable(run),
    '',
    'Met: `met` = the absolute must; `met here` = the must as it reads on this machine by its calibrator; errors or wrong answers',
    'leave a figure not met; a figure without a target is reported to be compared.',
    '',
    '## Latencies, errors and checks',
    '',
    latencyTable(run),
    '',
    ...run.measured.flatMap(remarks),
    '',
  ].join('\n');
}

function calibratorTable(run: BenchRun): string {
  const what: Readonly<Record<keyof CalibratorSample, string>> = {
    Cf: 'fdatasync after a 4 KB append, /s',
    Ch: 'null HTTP requests/s of one node:http process',
    Cj: 'metrics parsed and packed /s',
    Ca: 'rows/s into a SQLite append table, FULL',
    Cu: 'MiB/s up into a flushed file of one node:http process',
    Cd: 'MiB/s down from a file of one node:http process',
    Cp: 'rows/s into a PostgreSQL append table, one client',
  };
  const best = calibratorsOf(run);
  const references: CalibratorSample = reference; // Cp has none: it was not taken there
  const rows = namesOf(best).map((name) => [
    name,
    what[name],
    ...run.calibratorSamples.map((sample) => number(sample[name])),
    number(references[name]),
    references[name] === undefined ? '-' : ((best[name] ?? Number.NaN) / references[name]).toFixed(2),
  ]);
  const samples = run.calibratorSamples.map((_, i) => (i === 0 ? 'before' : 'after'));
  return table(['', 'what', ...samples, 'reference', 'share'], rows);
}

function namesOf(calibrators: CalibratorSample): (keyof CalibratorSample)[] {
  return Object.keys(calibrators) as (keyof CalibratorSample)[];
}

const QUIET_SHARE = 0.8;
/** Of the cores, in the minute before the bench. */
const QUIET_LOAD = 0.5;

/**
 * Says when something else was using the machine. It lowers calibrators and figures alike, but not alike enough: a target
 * that is met here by calibrators taken on a busy machine proves nothing.
 */
function disturbance(run: BenchRun): string[] {
  const best = calibratorsOf(run);
  const moved = namesOf(best).filter((name) =>
    run.calibratorSamples.some((sample) => (sample[name] ?? 0) < (best[name] ?? 0) * QUIET_SHARE),
  );
  const { load, cores } = run.machine;
  const signs = [
    ...(load > cores * QUIET_LOAD
      ? [`the load average was ${load.toFixed(1)} on ${cores} cores before the start`]
      : []),
    ...(moved.length > 0 ? [`${moved.join(', ')} moved by a fifth or more between the samples`] : []),
  ];
  if (signs.length === 0) return [];
  return [`**The machine was not quiet**: ${signs.join('; ')}. Read nothing into the verdicts; measure again.`, ''];
}

function figureTable(run: BenchRun): string {
  const calibrators = calibratorsOf(run);
  const figures = run.measured.flatMap((measured) => figureRows(measured, calibrators));
  const rows = figures.map((row) => [
    row.workload,
    row.figure,
    `${number(row.value)} ${row.unit}`,
    number(row.must),
    number(row.stretch),
    number(row.mustHere),
    number(row.stretchHere),
    `${number(row.ratio)} (${number(row.mustRatio)}) ${row.calibrator}`,
    row.verdict,
  ]);
  const heads = ['', 'figure', 'value', 'must', 'stretch', 'must here', 'stretch here', 'ratio (must)', 'met'];
  return table(heads, rows);
}

function latencyTable(run: BenchRun): string {
  const rows = run.measured.flatMap(({ workload, outcome, peakMemoryMb }) => {
    const timed = outcome?.latencies ?? [];
    const latencies: readonly (NamedLatency | undefined)[] = timed.length === 0 ? [undefined] : timed;
    return latencies.map((latency) => [
      workload.id,
      latency?.name ?? '-',
      number(latency?.count),
      number(latency?.p50),
      number(latency?.p99),
      number(latency?.max),
      number(outcome?.errors),
      outcome === undefined ? 'not run' : outcome.problems.length === 0 ? 'right' : `${outcome.problems.length} wrong`,
      number(peakMemoryMb),
    ]);
  });
  const heads = ['', 'what', 'count', 'p50 ms', 'p99 ms', 'max ms', 'errors', 'answers', 'peak RSS MB'];
  return table(heads, rows);
}

const SHOWN_PROBLEMS = 5;

function remarks({ workload, outcome, failure }: Measured): string[] {
  const lines = [`- **${workload.id}**, ${workload.title}`];
  if (failure !== undefined) lines.push(`  - could not be measured: ${oneLine(failure)}`);
  if (outcome === undefined) return lines;
  lines.push(`  - checked: ${outcome.checked}`, ...outcome.notes.map((note) => `  - ${note}`));
  if (outcome.firstError !== undefined) lines.push(`  - first error: ${oneLine(outcome.firstError)}`);
  lines.push(...outcome.problems.slice(0, SHOWN_PROBLEMS).map((problem) => `  - wrong: ${problem}`));
  return lines;
}

/** A message of several lines would end the list that it stands in. */
function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim();
}

/** Columns padded, so that the table reads in a terminal as well. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, i) => Math.max(3, head.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, i) => (cells[i] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Three digits that count, thousands apart. */
function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** Writes both files and answers where; `name` is their common part. */
export async function writeReport(run: BenchRun, folder: string, name: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const markdown = join(folder, `${name}.md`);
  await writeFile(markdown, renderMarkdown(run));
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(asJson(run), undefined, 2)}\n`);
  return markdown;
}

function asJson(run: BenchRun) {
  const calibrators = calibratorsOf(run);
  return {
    date: run.date.toISOString(),
    commit: run.commit,
    server: run.server,
    postgres: run.postgres,
    machine: run.machine,
    scale: run.scale,
    durationMs: run.durationMs,
    calibrators: { used: calibrators, samples: run.calibratorSamples, reference },
    workloads: run.measured.map((measured) => {
      const { workload, outcome, failure, startedInMs, peakMemoryMb } = measured;
      return {
        id: workload.id,
        title: workload.title,
        figures: figureRows(measured, calibrators),
        latencies: outcome?.latencies,
        errors: outcome?.errors,
        firstError: outcome?.firstError,
        checked: outcome?.checked,
        problems: outcome?.problems,
        notes: outcome?.notes,
        failure,
        startedInMs,
        peakMemoryMb,
      };
    }),
  };
}
