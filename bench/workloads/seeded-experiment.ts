/**
 * Data that take minutes to write are written once: an experiment whose name tells what is in it carries a tag when it is
 * complete, and the next run of the bench against the same server (`--keep`, `--url`) finds it. An experiment without the
 * tag was left by an interrupted run; it is renamed out of the way.
 */
import { at, createExperiment, listAt, textAt } from '../tracking-client.ts';
import type { JsonObject, TrackingClient } from '../tracking-client.ts';
import type { WorkloadContext } from './workload.ts';

const COMPLETE_TAG = 'bench.complete';

export async function seededExperiment(
  context: WorkloadContext,
  name: string,
  seed: (experimentId: string) => Promise<void>,
): Promise<{ readonly experimentId: string; readonly note: string }> {
  const { client } = context;
  const existing = await findExperiment(client, name);
  if (existing !== undefined) {
    const experimentId = textAt(existing, 'experiment', 'experiment_id');
    const tags = listAt(existing, 'experiment', 'tags');
    if (tags.some((tag) => at(tag, 'key') === COMPLETE_TAG)) {
      return { experimentId, note: 'data of an earlier run reused' };
    }
    const newName = `${name}-left-before-${context.runName}`;
    await client.call('POST', 'experiments/update', { experiment_id: experimentId, new_name: newName });
  }
  const experimentId = await createExperiment(client, name);
  const start = performance.now();
  await seed(experimentId);
  await client.call('POST', 'experiments/set-experiment-tag', {
    experiment_id: experimentId,
    key: COMPLETE_TAG,
    value: 'true',
  });
  return { experimentId, note: `seeded in ${((performance.now() - start) / 1000).toFixed(1)} s` };
}

async function findExperiment(client: TrackingClient, name: string): Promise<JsonObject | undefined> {
  const { status, body } = await client.exchange(
    client.prepare('GET', 'experiments/get-by-name', { experiment_name: name }),
  );
  if (status === 404) return undefined;
  if (status !== 200) throw new Error(`experiments/get-by-name answered ${status}: ${body.toString('utf8', 0, 300)}`);
  return JSON.parse(body.toString()) as JsonObject; // MLflow: every answer of the API is an object
}
