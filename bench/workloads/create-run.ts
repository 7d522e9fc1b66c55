/** W5: 20 clients create runs; afterwards a search must list every one that was acknowledged. */
import { FIRST_NUMBER, NUMBER_MARK } from '../load.ts';
import { targets } from '../targets.ts';
import { createExperiment, inParallel, listAt, textAt } from '../tracking-client.ts';
import type { TrackingClient } from '../tracking-client.ts';
import { nextPageToken } from './stored-points.ts';
import { measureThroughput } from './throughput.ts';
import type { Outcome, Workload, WorkloadContext } from './workload.ts';

const CLIENTS = 20;
/** Lanes that far apart never use the same number, so that names are unique. */
const NUMBERS_PER_LANE = 1_000_000;
const SEARCH_PAGE = 1000;
const FETCHED_RUNS = 200;

function bodyFor(experimentId: string): string {
  const start = `"start_time":17${NUMBER_MARK}000,"run_name":"run-${NUMBER_MARK}"`;
  return `{"experiment_id":"${experimentId}","user_id":"bench",${start},"tags":[{"key":"mlflow.user","value":"bench"}]}`;
}

async function createRuns(context: WorkloadContext): Promise<Outcome> {
  const experimentId = await createExperiment(context.client, `${context.runName}-w5`);
  const body = bodyFor(experimentId);
  const shapes = Array.from({ length: CLIENTS }, (_, i) => ({
    path: 'runs/create',
    body,
    first: FIRST_NUMBER + i * NUMBERS_PER_LANE,
  }));
  const throughput = await measureThroughput(context, shapes, 'run_id');

  const problems: string[] = [];
  const acknowledged = new Set(throughput.collected);
  if (acknowledged.size !== throughput.collected.length) problems.push('two answers carry the same run id');

  const listed = await listRuns(context.client, experimentId);
  const names = new Set(listed.values());
  const missing = [...acknowledged].filter((runId) => !listed.has(runId));
  if (missing.length > 0) problems.push(`${missing.length} acknowledged runs are not listed, the first ${missing[0]}`);
  if (listed.size > acknowledged.size + throughput.errors) {
    problems.push(`${listed.size} runs are listed, ${acknowledged.size} were acknowledged`);
  }
  const unnamed = throughput.sent.flatMap(({ first, next, failed }) =>
    numbers(first, next).filter((number) => !failed.has(number) && !names.has(`run-${number}`)),
  );
  if (unnamed.length > 0) problems.push(`${unnamed.length} names are not listed, the first run-${unnamed[0]}`);

  const every = Math.max(1, Math.floor(throughput.collected.length / FETCHED_RUNS));
  const fetched = throughput.collected.filter((_, i) => i % every === 0);
  await inParallel(context.target, 2, fetched, async (client, runId) => {
    const name = textAt(await client.call('GET', 'runs/get', { run_id: runId }), 'run', 'info', 'run_name');
    if (name !== listed.get(runId)) problems.push(`runs/get names ${runId} ${name}, the search ${listed.get(runId)}`);
  });
  return {
    figures: [{ target: targets[context.engine].w5Rate, value: throughput.perSecond }],
    latencies: [throughput.latency],
    errors: throughput.errors,
    firstError: throughput.firstError,
    checked: `${listed.size.toLocaleString('en')} runs listed by id and name, ${fetched.length} of them fetched`,
    problems,
    notes: throughput.notes,
  };
}

function numbers(first: number, next: number): number[] {
  return Array.from({ length: next - first }, (_, i) => first + i);
}

/** Names by run id. */
async function listRuns(client: TrackingClient, experimentId: string): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const search = { experiment_ids: [experimentId], max_results: SEARCH_PAGE };
  let pageToken: string | undefined;
  do {
    const page = pageToken === undefined ? search : { ...search, page_token: pageToken };
    const answer = await client.call('POST', 'runs/search', page);
    for (const run of listAt(answer, 'runs')) {
      names.set(textAt(run, 'info', 'run_id'), textAt(run, 'info', 'run_name'));
    }
    pageToken = nextPageToken(answer);
  } while (pageToken !== undefined);
  return names;
}

export const createRunWorkload: Workload = {
  id: 'W5',
  title: 'runs/create, 20 clients',
  seeds: 'nothing',
  run: createRuns,
};
