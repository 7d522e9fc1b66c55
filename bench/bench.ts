/** `npm run bench`: the workloads of README.md against a server of our own or, with --url, against any other. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureCalibrators } from './calibrators.ts';
import type { CalibratorSample } from './calibrators.ts';
import { undoOnSignal } from './interruption.ts';
import { currentCommit, describeMachine } from './machine.ts';
import { readOptions, usage, UsageError } from './options.ts';
import type { Options } from './options.ts';
import { startPostgres } from './postgres-server.ts';
import type { PostgresServer } from './postgres-server.ts';
import { postgresLine } from './postgres-settings.ts';
import { everyAnswerWasRight, renderMarkdown, writeReport } from './report.ts';
import type { BenchRun, Measured } from './report.ts';
import { startServer } from './server-process.ts';
import type { RunningServer } from './server-process.ts';
import { openTrackingClient, targetOf } from './tracking-client.ts';
import { clientLoopWorkload } from './workloads/client-loop.ts';
import { createRunWorkload } from './workloads/create-run.ts';
import { largeBatches, smallBatches, wideBatches } from './workloads/log-batch.ts';
import { hundredClientsLogMetrics, oneClientLogsMetrics } from './workloads/log-metric.ts';
import { largeFileWorkload } from './workloads/large-file.ts';
import { historyWorkload } from './workloads/metric-history.ts';
import { searchWorkload } from './workloads/search-runs.ts';
import type { Workload } from './workloads/workload.ts';

const workloads: readonly Workload[] = [
  oneClientLogsMetrics,
  hundredClientsLogMetrics,
  smallBatches,
  largeBatches,
  wideBatches,
  createRunWorkload,
  searchWorkload,
  historyWorkload,
  largeFileWorkload,
  clientLoopWorkload,
];

/** What all workloads of one run of the bench have in common. */
interface Surroundings {
  readonly options: Options;
  readonly runName: string;
  readonly folder: string;
  /** Undefined unless the server that is measured is our own, on PostgreSQL. */
  readonly postgres: PostgresServer | undefined;
  /** What has been started, and is ended with the bench at the latest. */
  readonly undo: AsyncDisposableStack;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function remove(folder: string): Promise<void> {
  // Retried, because a process that was just killed may still add a file.
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** A server of our own, on data of its own so that no workload inherits another's data or background work; or the one at --url. */
async function measure(workload: Workload, surroundings: Surroundings): Promise<Measured> {
  const { options, runName, folder, postgres, undo } = surroundings;
  const { url, engine, processes, auth, scale, durationMs } = options;
  const isReusable = workload.seeds === 'reusable data';
  const name = isReusable ? workload.id : `${workload.id}-${runName}`;
  const dataDir = join(folder, name);
  const database = name.toLowerCase();
  let server: RunningServer | undefined;
  try {
    if (url === undefined) {
      await mkdir(dataDir, { recursive: true });
      const databaseUrl = await postgres?.openDatabase(database);
      const logPrefix = join(folder, `${workload.id}-${runName}`);
      server = await startServer({ dataDir, databaseUrl, processes, auth, logPrefix }, undo);
    }
    const target = targetOf(server?.urls ?? (url === undefined ? [] : [url]), server?.token);
    const client = await openTrackingClient(target);
    try {
      const note = (text: string): void => {
        say(`  ${workload.id}: ${text}`);
      };
      const peakMemory = async (): Promise<number | undefined> => server?.peakMemoryMb();
      const surroundingsOf = { target, client, engine, scale, durationMs, runName, note };
      const outcome = await workload.run({ ...surroundingsOf, peakMemoryMb: peakMemory });
      const peakMemoryMb = await peakMemory();
      return { workload, outcome, failure: undefined, startedInMs: server?.startedInMs, peakMemoryMb };
    } finally {
      client.close();
    }
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { workload, outcome: undefined, failure, startedInMs: server?.startedInMs, peakMemoryMb: undefined };
  } finally {
    await server?.stop();
    const isKept = isReusable && options.keep !== undefined;
    if (url === undefined && !isKept && !undo.disposed) {
      await postgres?.dropDatabase(database);
      await remove(dataDir);
    }
  }
}

async function calibrate(folder: string, postgres: PostgresServer | undefined): Promise<CalibratorSample> {
  const calibrators = await measureCalibrators(folder, postgres);
  const shown = Object.entries(calibrators).map(
    ([name, value]: [string, number]) => `${name} ${Math.round(value).toLocaleString('en')}`,
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

function serverName({ url, label, engine, processes, auth }: Options): string {
  if (url !== undefined) return label ?? url.host;
  const count = processes === 1 ? '' : `, ${processes} processes`;
  return `Lazuli on ${engine}${count}${auth === 'none' ? '' : ', with access control'}`;
}

/** Complete runs have a plain name; others say what they hold, so that they never replace a complete one on SQLite. */
function resultName(run: BenchRun, { url, engine, processes, auth, selected }: Options): string {
  const parts = [run.date.toISOString().slice(0, 10), run.commit];
  if (url !== undefined) parts.push(run.server.replace(/[^\w.-]+/g, '-'));
  if (engine !== 'sqlite') parts.push(engine);
  if (processes !== 1) parts.push(`${processes}-processes`);
  if (auth !== 'none') parts.push(auth);
  if (selected.length < workloads.length) parts.push(...selected.map(({ id }) => id));
  if (run.scale !== 1) parts.push(`scale-${run.scale}`);
  return parts.join('-');
}

/** Where the data lie: a folder that the user names, or one that is removed with the last process that uses it. */
async function openFolder(keep: string | undefined, undo: AsyncDisposableStack): Promise<string> {
  if (keep !== undefined) {
    await mkdir(keep, { recursive: true });
    return keep;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-bench-'));
  undo.defer(() => remove(folder));
  // PostgreSQL may run as another user, whose way to its data leads through here.
  await chmod(folder, 0o711);
  return folder;
}

async function main(undo: AsyncDisposableStack): Promise<void> {
  const options = readOptions(process.argv.slice(2), workloads);
  if (options === 'help') {
    process.stdout.write(usage(workloads));
    return;
  }
  const date = new Date();
  const runName = `bench-${date.getTime().toString(36)}`;
  const folder = await openFolder(options.keep, undo);
  const machine = await describeMachine(folder);
  const commit = await currentCommit();
  const isPostgresOurs = options.engine === 'postgres' && options.url === undefined;
  const postgres = isPostgresOurs ? await startPostgres(folder, undo) : undefined;
  if (postgres !== undefined) say(postgresLine(postgres.description));

  const before = await calibrate(folder, postgres);
  const measured: Measured[] = [];
  for (const workload of options.selected) {
    say(`${workload.id}: ${workload.title}`);
    const result = await measure(workload, { options, runName, folder, postgres, undo });
    // What fails after a signal fails because of it.
    if (undo.disposed) return;
    say(`  ${summaryOf(result)}`);
    measured.push(result);
  }
  const after = await calibrate(folder, postgres);
  const run: BenchRun = {
    date,
    commit,
    machine,
    server: serverName(options),
    postgres: postgres?.description,
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
}

const undo = new AsyncDisposableStack();
const interruption = undoOnSignal(undo);
try {
  await main(undo);
} catch (error) {
  if (!interruption.happened()) {
    say(
      error instanceof UsageError
        ? `${error.message}\n\n${usage(workloads)}`
        : String(error instanceof Error ? error.stack : error),
    );
    process.exitCode = 1;
  }
} finally {
  await undo.disposeAsync();
}
