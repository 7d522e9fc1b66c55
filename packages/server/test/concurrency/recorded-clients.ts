import { MlflowError, type Client, type Run } from '@lazuli/client';
import { unknown, type Operation } from './explain-history.ts';
import type { NameInput, NameOutput } from './name-model.ts';
import type { Point, RunInput, RunOutput, RunState } from './run-model.ts';

/** Sends the operations of the models to a server and writes down what came of them, on one clock. */
export interface Recorder<Input, Output> {
  readonly history: Operation<Input, Output>[];
  perform(clientName: string, client: Client, input: Input): Promise<Output | typeof unknown>;
}

function createRecorder<Input, Output>(
  send: (client: Client, input: Input) => Promise<Output>,
): Recorder<Input, Output> {
  const history: Operation<Input, Output>[] = [];
  let clock = 0;
  return {
    history,
    async perform(clientName, client, input) {
      const called = ++clock;
      let output: Output | typeof unknown;
      try {
        output = await send(client, input);
      } catch (error) {
        // Whether a request that ended like this has changed anything, nobody knows.
        if (!(error instanceof MlflowError) || error.status < 500) throw error;
        output = unknown;
      }
      history.push({ client: clientName, input, output, called, answered: output === unknown ? Infinity : ++clock });
      return output;
    },
  };
}

export function recordRuns(experiment_id: string): Recorder<RunInput, RunOutput> {
  return createRecorder((client, input) =>
    sendToRuns(client, experiment_id, input).catch((error: unknown) => refusalOf(error) as RunOutput),
  );
}

export function recordNames(): Recorder<NameInput, NameOutput> {
  return createRecorder((client, input) =>
    sendToNames(client, input).catch((error: unknown) => refusalOf(error) as NameOutput),
  );
}

async function sendToRuns({ runs, experiments }: Client, experiment_id: string, input: RunInput): Promise<RunOutput> {
  switch (input.verb) {
    case 'create run': {
      const { run } = await runs.createRun({ experiment_id, run_name: input.name, tags: listed(input.tags) });
      return { created: run.info.run_id };
    }
    case 'log':
      await log(runs, input);
      return 'done';
    case 'delete tag':
      await runs.deleteTag({ run_id: input.run, key: input.key });
      return 'done';
    case 'rename run':
      await runs.updateRun({ run_id: input.run, run_name: input.name });
      return 'done';
    case 'delete run':
      await runs.deleteRun({ run_id: input.run });
      return 'done';
    case 'restore run':
      await runs.restoreRun({ run_id: input.run });
      return 'done';
    case 'get run':
      return { run: stateOf((await runs.getRun({ run_id: input.run })).run) };
    case 'delete experiment':
      await experiments.deleteExperiment({ experiment_id });
      return 'done';
    case 'restore experiment':
      await experiments.restoreExperiment({ experiment_id });
      return 'done';
    case 'get experiment': {
      const { experiment } = await experiments.getExperiment({ experiment_id });
      return { experimentDeleted: experiment.lifecycle_stage === 'deleted' };
    }
    case 'search runs': {
      const found = await runs.searchRuns({ experiment_ids: [experiment_id], run_view_type: 'ALL' });
      return { runs: Object.fromEntries((found.runs ?? []).map((run) => [run.info.run_id, stateOf(run)])) };
    }
  }
}

/** The verb of its own where there is one for so little. */
async function log(runs: Client['runs'], input: Extract<RunInput, { verb: 'log' }>): Promise<unknown> {
  const { run: run_id, metrics } = input;
  const [params, tags] = [listed(input.params), listed(input.tags)];
  const [metric, param, tag] = [metrics[0], params[0], tags[0]];
  if (metrics.length + params.length + tags.length === 1) {
    if (metric !== undefined) return runs.logMetric({ run_id, ...metric });
    if (param !== undefined) return runs.logParam({ run_id, ...param });
    if (tag !== undefined) return runs.setTag({ run_id, ...tag });
  }
  return runs.logBatch({ run_id, metrics: [...metrics], params, tags });
}

async function sendToNames({ experiments }: Client, input: NameInput): Promise<NameOutput> {
  switch (input.verb) {
    case 'create':
      return { created: (await experiments.createExperiment({ name: input.name })).experiment_id };
    case 'find': {
      const { experiment } = await experiments.getExperimentByName({ experiment_name: input.name });
      return { id: experiment.experiment_id, deleted: experiment.lifecycle_stage === 'deleted' };
    }
    case 'rename':
      await experiments.updateExperiment({ experiment_id: input.id, new_name: input.name });
      return 'done';
    case 'delete':
      await experiments.deleteExperiment({ experiment_id: input.id });
      return 'done';
    case 'restore':
      await experiments.restoreExperiment({ experiment_id: input.id });
      return 'done';
  }
}

/** What a refusal says, in the models' words; whatever else it is goes on as it came. */
function refusalOf(error: unknown): RunOutput | NameOutput {
  if (!(error instanceof MlflowError)) throw error;
  if (error.errorCode === 'RESOURCE_DOES_NOT_EXIST') return 'no such thing';
  if (error.errorCode === 'RESOURCE_ALREADY_EXISTS') return 'taken';
  if (error.errorCode === 'INVALID_STATE') return 'is deleted';
  if (error.message.includes("must be in the 'active' state")) return 'is deleted';
  if (error.message.startsWith('Changing param values is not allowed')) {
    const one = /Param with key='(\w+)' was already logged with value='(\w+)'/.exec(error.message);
    if (one !== null) return { unlike: { [one[1]!]: one[2]! } };
    const several = error.message.matchAll(/\{'key': '(\w+)', 'old_value': '(\w+)'/g);
    return { unlike: Object.fromEntries([...several].map(([, key, value]) => [key!, value!])) };
  }
  throw error;
}

function stateOf({ info, data }: Run): RunState {
  const texts = (list: readonly { key: string; value: string }[] = []) =>
    Object.fromEntries(list.map(({ key, value }) => [key, value]));
  return {
    deleted: info.lifecycle_stage === 'deleted',
    name: info.run_name,
    params: texts(data.params),
    tags: texts(data.tags),
    latest: Object.fromEntries(
      (data.metrics ?? []).map(({ key, step, timestamp, value }): [string, Point] => [
        key,
        { step: Number(step), timestamp: Number(timestamp), value },
      ]),
    ),
  };
}

function listed(texts: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.entries(texts).map(([key, value]) => ({ key, value }));
}
