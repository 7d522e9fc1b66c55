/** `npm run bench`: the workloads of README.md against a server of our own or, with --url, against any other. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureCalibrators } from './calibrators.ts';
import type { Calibrators } from './calibrators.ts';
import { currentCommit, describeMachine } from './machine.ts';
import { everyAnswerWasRight, renderMarkdown, writeReport } from './report.ts';
import type { BenchRun, Measured } from './report.ts';
import { engines, startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';
import { openTrackingClient, targetOf } from './tracking-client.ts';
import { createRunWorkload } from './workloads/create-run.ts';
import { largeBatches, smallBatches } from './workloads/log-batch.ts';
import { hundredClientsLogMetrics, oneClientLogsMetrics } from './workloads/log-metric.ts';
import { historyWorkload } from './workloads/metric-history.ts';
import { searchWorkload } from './workloads/search-runs.ts';
import type { Workload } from './workloads/workload.ts';

const workloads: readonly Workload[] = [
  oneClientLogsMetrics,
  hundredClientsLogMetrics,
  smallBatches,
  largeBatches,
  createRunWorkload,
  searchWorkload,
  historyWorkload,
];

const usage = `npm run bench [-- <workload>... --option value...]

workloads, all unless named:
${workloads.map(({ id, title }) => `  ${id.padEnd(4)} ${title}`).join('\n')}

  --engine sqlite    the database of the server that is started (${engines.join(', ')})
  --scale 0.1        size of the seeded data of W7 and W10; 1 is what the targets mean
  --duration 5       seconds of each of the three rounds of a throughput workload
  --keep <folder>    keep the server's data under this folder, and reuse what an earlier run seeded there
  --url <url>        measure this MLflow-compatible server instead of starting one
  --label <name>     what to call that server in the result (its address unless given)
  --results <folder> where the results are written (bench/results)
`;

interface Options {
  readonly selected: readonly Workload[];
  readonly scale: number;
  readonly durationMs: number;
  readonly keep: string | undefined;
  readonly url: URL | undefined;
  readonly label: string | undefined;
  readonly results: string;
}

class UsageError extends Error {}

function readOptions(args: readonly string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      engine: { type: 'string', default: 'sqlite' },
      scale: { type: 'string', default: '1' },
      duration: { type: 'string', default: '5' },
      keep: { type: 'string' },
      url: { type: 'string' },
      label: { type: 'string' },
      results: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  if (!engines.some((engine) => engine === values.engine)) {
    throw new UsageError(`--engine ${values.engine} is not one that the bench can start: ${engines.join(', ')}`);
  }
  for (const name of positionals) {
    if (!workloads.some(({ id }) => id === name.toUpperCase())) throw new UsageError(`there is no workload ${name}`);
  }
  const names = positionals.map((name) => name.toUpperCase());
  return {
    selected: names.length === 0 ? workloads : workloads.filter(({ id }) => names.includes(id)),
    scale: positiveNumber('--scale', values.scale),
    durationMs: positiveNumber('--duration', values.duration) * 1000,
    keep: values.keep,
    url: values.url === undefined ? undefined : new URL(values.url),
    label: values.label,
    results: values.results,
  };
}

function positiveNumber(option: string, text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number))) throw new UsageError(`${option} ${text} is not a positive number`);
  return number;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A server of our own, fresh for each workload so that none inherits another's data or background work; or the one at --url. */
async function measure(workload: Workload, options: Options, runName: string, folder: string): Promise<Measured> {
  const dataDir = join(folder, workload.seeds === 'nothing' ? `${workload.id}-${runName}` : workload.id);
  let server: ServerProcess | undefined;
  try {
    if (options.url === undefined) {
      await mkdir(dataDir, { recursive: true });
      server = await startServer(dataDir, join(folder, `${workload.id}-${runName}.log`));
    }
    const target = targetOf(server?.url ?? options.url ?? new URL('http://127.0.0.1:5000'));
    const client = await openTrackingClient(target);
    try {
      const note = (text: string): void => {
        say(`  ${workload.id}: ${text}`);
      };
      const { scale, durationMs } = options;
      const outcome = await workload.run({ target, client, scale, durationMs, runName, note });
      const peakMemoryMb = await server?.peakMemoryMb();
      return { workload, outcome, failure: undefined, startedInMs: server?.startedInMs, peakMemoryMb };
    } finally {
      client.close();
    }
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { workload, outcome: undefined, failure, startedInMs: server?.startedInMs, peakMemoryMb: undefined };
  } finally {
    await server?.stop();
    if (workload.seeds === 'nothing') await rm(dataDir, { recursive: true, force: true });
  }
}

async function calibrate(folder: string): Promise<Calibrators> {
  const calibrators = await measureCalibrators(folder);
  const shown = (Object.keys(calibrators) as (keyof Calibrators)[]).map(
    (name) => `${name} ${Math.round(calibrators[name]).toLocaleString('en')}`,
  );
  say(`calibrators: ${shown.join(', ')}`);
  return calibrators;
}

function summaryOf({ workload, outcome, failure }: Measured): string {
  if (outcome === undefined) return `${workload.id}: could not be measured: ${failure ?? 'no reason given'}`;
  const figures = outcome.figures.map(
    ({ target, value }) =>
      `${target.figure} ${value.toLocaleString('en', { maximumFractionDigits: 2 })} ${target.unit}`,
  );
  return `${workload.id}: ${figures.join(', ')}, ${outcome.errors} errors, ${outcome.problems.length} wrong answers`;
}

/** Complete runs have a plain name; partial ones say what they hold, so that they never replace a complete one. */
function resultName(run: BenchRun, options: Options): string {
  const parts = [run.date.toISOString().slice(0, 10), run.commit];
  if (options.url !== undefined) parts.push(run.server.replace(/[^\w.-]+/g, '-'));
  if (options.selected.length < workloads.length) parts.push(...options.selected.map(({ id }) => id));
  if (options.scale !== 1) parts.push(`scale-${options.scale}`);
  return parts.join('-');
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(usage);
    return;
  }
  const date = new Date();
  const runName = `bench-${date.getTime().toString(36)}`;
  const folder = options.keep ?? (await mkdtemp(join(tmpdir(), 'lazuli-bench-')));
  await mkdir(folder, { recursive: true });
  try {
    const machine = await describeMachine(folder);
    const commit = await currentCommit();
    const before = await calibrate(folder);
    const measured: Measured[] = [];
    for (const workload of options.selected) {
      say(`${workload.id}: ${workload.title}`);
      const result = await measure(workload, options, runName, folder);
      say(`  ${summaryOf(result)}`);
      measured.push(result);
    }
    const after = await calibrate(folder);
    const run: BenchRun = {
      date,
      commit,
      machine,
      server: options.url === undefined ? 'Lazuli on sqlite' : (options.label ?? options.url.host),
      scale: options.scale,
      durationMs: options.durationMs,
      calibratorSamples: [before, after],
      measured,
    };
    process.stdout.write(`\n${renderMarkdown(run)}\n`);
    if (measured.some(({ outcome }) => outcome !== undefined)) {
      say(`written to ${await writeReport(run, options.results, resultName(run, options))}`);
    }
    if (!everyAnswerWasRight(run)) process.exitCode = 1;
  } finally {
    if (options.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  const isMistake = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  say(isMistake ? `${error.message}\n\n${usage}` : String(error instanceof Error ? error.stack : error));
  process.exitCode = 1;
}
