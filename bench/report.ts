/** What a run of the bench leaves behind: a table for people and the same as JSON for comparing. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Calibrators } from './calibrators.ts';
import type { Machine } from './machine.ts';
import { judge, ratioOf, reference } from './targets.ts';
import type { CalibratorName, Verdict } from './targets.ts';
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
  readonly scale: number;
  readonly durationMs: number;
  /** Measured before and after the workloads. */
  readonly calibratorSamples: readonly Calibrators[];
  readonly measured: readonly Measured[];
}

interface FigureRow {
  readonly workload: string;
  readonly figure: string;
  readonly unit: string;
  readonly value: number;
  readonly must: number;
  readonly stretch: number | undefined;
  /** The targets as they read on this machine. */
  readonly mustHere: number;
  readonly stretchHere: number | undefined;
  readonly calibrator: CalibratorName;
  readonly ratio: number;
  readonly mustRatio: number;
  readonly verdict: Verdict;
}

/** The better sample of each: what the machine can do when least disturbed, which is the stricter reading of the targets. */
export function calibratorsOf(run: BenchRun): Calibrators {
  const best = (name: CalibratorName): number => Math.max(...run.calibratorSamples.map((sample) => sample[name]));
  return { Cf: best('Cf'), Ch: best('Ch'), Cj: best('Cj'), Ca: best('Ca') };
}

function figureRows(run: BenchRun): FigureRow[] {
  const calibrators = calibratorsOf(run);
  return run.measured.flatMap(({ outcome }) =>
    (outcome?.figures ?? []).map(({ target, value }) => ({
      workload: target.workload,
      figure: target.figure,
      unit: target.unit,
      value,
      must: target.must,
      stretch: target.stretch,
      mustHere: target.here(target.must, calibrators),
      stretchHere: target.stretch === undefined ? undefined : target.here(target.stretch, calibrators),
      calibrator: target.per,
      ratio: ratioOf(target, value, calibrators),
      mustRatio: ratioOf(target, target.must, reference),
      verdict: isSound(outcome) ? judge(target, value, calibrators) : 'not met',
    })),
  );
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
    'leave a figure not met.',
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
  const what: Readonly<Record<CalibratorName, string>> = {
    Cf: 'fdatasync after a 4 KB append, /s',
    Ch: 'null HTTP requests/s of one node:http process',
    Cj: 'metrics parsed and packed /s',
    Ca: 'rows/s into a SQLite append table, FULL',
  };
  const best = calibratorsOf(run);
  const rows = (Object.keys(what) as CalibratorName[]).map((name) => [
    name,
    what[name],
    ...run.calibratorSamples.map((sample) => number(sample[name])),
    number(reference[name]),
    (best[name] / reference[name]).toFixed(2),
  ]);
  const samples = run.calibratorSamples.map((_, i) => (i === 0 ? 'before' : 'after'));
  return table(['', 'what', ...samples, 'reference', 'share'], rows);
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
  const moved = (Object.keys(best) as CalibratorName[]).filter((name) =>
    run.calibratorSamples.some((sample) => sample[name] < best[name] * QUIET_SHARE),
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
  const rows = figureRows(run).map((row) => [
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
    const latencies: readonly (NamedLatency | undefined)[] = outcome?.latencies ?? [undefined];
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
  const rows = figureRows(run);
  return {
    date: run.date.toISOString(),
    commit: run.commit,
    server: run.server,
    machine: run.machine,
    scale: run.scale,
    durationMs: run.durationMs,
    calibrators: { used: calibratorsOf(run), samples: run.calibratorSamples, reference },
    workloads: run.measured.map(({ workload, outcome, failure, startedInMs, peakMemoryMb }) => ({
      id: workload.id,
      title: workload.title,
      figures: rows.filter((row) => row.workload === workload.id),
      latencies: outcome?.latencies,
      errors: outcome?.errors,
      firstError: outcome?.firstError,
      checked: outcome?.checked,
      problems: outcome?.problems,
      notes: outcome?.notes,
      failure,
      startedInMs,
      peakMemoryMb,
    })),
  };
}
