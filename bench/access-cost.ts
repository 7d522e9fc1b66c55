/**
 * `npm run bench:access`: what access control costs. Two servers stand side by side, one that asks for a token and one that does not,
 * and take the same short rounds in turn. What is compared is each round with the one beside it, so that a machine whose speed
 * moves within minutes still tells them apart; the figure is the median of these ratios.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { undoOnSignal } from './interruption.ts';
import { currentCommit, describeMachine } from './machine.ts';
import { UsageError } from './options.ts';
import { startServer } from './server-process.ts';
import { median } from './statistics.ts';
import { openTrackingClient, targetOf } from './tracking-client.ts';
import { createRunWorkload } from './workloads/create-run.ts';
import { largeBatches, smallBatches } from './workloads/log-batch.ts';
import { hundredClientsLogMetrics, oneClientLogsMetrics } from './workloads/log-metric.ts';
import type { Workload, WorkloadContext } from './workloads/workload.ts';

const workloads = [oneClientLogsMetrics, hundredClientsLogMetrics, smallBatches, largeBatches, createRunWorkload];
/** Of the rate without access control. */
const LOSS_LIMIT = 0.15;

type Surroundings = Omit<WorkloadContext, 'runName'>;

async function openServer(auth: 'none' | 'token', folder: string, undo: AsyncDisposableStack): Promise<Surroundings> {
  const dataDir = join(folder, auth);
  await mkdir(dataDir);
  const plan = { dataDir, databaseUrl: undefined, processes: 1, auth, logPrefix: join(folder, `server-${auth}`) };
  const server = await startServer(plan, undo);
  const target = targetOf(server.urls, server.token);
  const client = await openTrackingClient(target);
  undo.defer(() => client.close());
  const note = (): undefined => undefined;
  const peakMemoryMb = (): Promise<number | undefined> => server.peakMemoryMb();
  return { target, client, engine: 'sqlite', durationMs, scale: 1, peakMemoryMb, note };
}

/** Requests a second, or points; every answer has been checked. */
async function rateOf(workload: Workload, surroundings: Surroundings, runName: string): Promise<number> {
  const { figures, errors, firstError, problems } = await workload.run({ ...surroundings, runName });
  const wrong = firstError ?? problems[0];
  if (errors > 0 || wrong !== undefined) throw new Error(`${workload.id}: ${errors} errors; ${wrong}`);
  return figures[0]?.value ?? Number.NaN;
}

async function compare(workload: Workload, open: Surroundings, guarded: Surroundings): Promise<string> {
  const pairs: { open: number; guarded: number }[] = [];
  // The first pair warms both servers up for this workload.
  for (let i = 0; i <= repeats; i += 1) {
    const first = await rateOf(workload, i % 2 === 0 ? open : guarded, `access-${i}`);
    const second = await rateOf(workload, i % 2 === 0 ? guarded : open, `access-${i}`);
    if (i > 0) pairs.push(i % 2 === 0 ? { open: first, guarded: second } : { open: second, guarded: first });
  }
  const ratios = pairs.map((pair) => pair.guarded / pair.open).sort((a, b) => a - b);
  const loss = 1 - median(ratios);
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const cells = [
    workload.id,
    Math.round(median(pairs.map((pair) => pair.open))).toLocaleString('en'),
    Math.round(median(pairs.map((pair) => pair.guarded))).toLocaleString('en'),
    percent(loss),
    `${percent(1 - (ratios.at(-1) ?? Number.NaN))} to ${percent(1 - (ratios[0] ?? Number.NaN))}`,
    loss <= LOSS_LIMIT ? 'met' : 'not met',
  ];
  return `| ${cells.join(' | ')} |`;
}

const { values, positionals } = parseArgs({
  options: { repeats: { type: 'string', default: '10' }, duration: { type: 'string', default: '1' } },
  allowPositionals: true,
});
const repeats = Number(values.repeats);
const durationMs = Number(values.duration) * 1000;
const selected = positionals.length === 0 ? workloads : workloads.filter(({ id }) => positionals.includes(id));
const known = workloads.map(({ id }) => id);
const unknown = positionals.find((name) => !known.includes(name));
if (unknown !== undefined) throw new UsageError(`${unknown} is not one of ${known.join(', ')}`);
if (!(repeats > 0)) throw new UsageError(`--repeats ${values.repeats} is not a number above 0`);
if (!(durationMs > 0)) throw new UsageError(`--duration ${values.duration} is not a number above 0`);

await using undo = new AsyncDisposableStack();
undoOnSignal(undo);
const folder = await mkdtemp(join(tmpdir(), 'lazuli-bench-'));
undo.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
const { processor, cores, node, load } = await describeMachine(folder);
const open = await openServer('none', folder, undo);
const guarded = await openServer('token', folder, undo);
console.log(
  `commit ${await currentCommit()}, ${processor}, ${cores} cores, Node ${node}, load before ${load.toFixed(2)}`,
);
console.log(`${repeats} pairs of ${values.duration} s; at most ${LOSS_LIMIT * 100} % may be lost\n`);
console.log('|  | without /s | with /s | lost | least to most | |\n| --- | --- | --- | --- | --- | --- |');
for (const workload of selected) console.log(await compare(workload, open, guarded));
