import { MlflowError } from '@lazuli/contract';
import type { Client } from '../client.ts';
import { experimentNameIn } from './experiment-names.ts';
import { translated, type Input } from './translation.ts';
import { experimentCalled, tagOnSecondary, type Store, type Twins } from './twins.ts';

/** A call that the primary store has answered. */
export interface Done {
  readonly group: string;
  readonly name: string;
  readonly input: Input;
  readonly answer: unknown;
}

interface There {
  readonly secondary: Store;
  readonly twins: Twins;
}

type Inputs<Group extends keyof Client, Name extends keyof Client[Group]> = Client[Group][Name] extends (
  input: infer I,
  ...rest: never[]
) => unknown
  ? I
  : never;

/** Does the same in the secondary store. What is created is paired with what the primary made. */
export async function repeat({ group, name, input, answer }: Done, there: There): Promise<void> {
  const create = creations[name];
  if (create !== undefined) {
    await create(input, answer, there);
    return;
  }
  if (group === 'loggedModels' && there.twins.fileModel(input['model_id']) !== undefined) return;
  const given = renamed(await translated(input, there.twins), there);
  if (name === 'logOutputs' && (given['models'] as unknown[]).length === 0) return;
  const client = there.secondary.client as unknown as Record<
    string,
    Record<string, (input: Input) => Promise<unknown>>
  >;
  await client[group]?.[name]?.(given);
}

function renamed(input: Input, { secondary }: There): Input {
  const name = input['new_name'];
  if (typeof name !== 'string') return input;
  return { ...input, new_name: experimentNameIn(secondary.uri.kind, name) };
}

const creations: Readonly<Record<string, (input: Input, answer: unknown, there: There) => Promise<void>>> = {
  async createExperiment(input, answer, { secondary, twins }) {
    const { name, tags } = input as Inputs<'experiments', 'createExperiment'>;
    const { experiment_id } = answer as { experiment_id: string };
    // Where the artifacts of the primary lie is its own affair.
    const twinName = experimentNameIn(secondary.uri.kind, name);
    const twin = await experimentCalled(secondary.client, twinName, tags === undefined ? {} : { tags });
    twins.note('experiment', experiment_id, twin);
  },

  async createRun(input, answer, { secondary, twins }) {
    const { info } = (answer as Awaited<ReturnType<Client['runs']['createRun']>>).run;
    const { run_id, run_name, experiment_id } = info;
    const given = await translated({ ...input, run_name, experiment_id }, twins);
    const { tags = [], ...rest } = given as Inputs<'runs', 'createRun'>;
    const { run } = await secondary.client.runs.createRun({
      ...rest,
      tags: [...tags, { key: tagOnSecondary.run, value: run_id }],
    });
    await twins.pair('run', run_id, run.info.run_id);
  },

  async createLoggedModel(input, answer, { secondary, twins }) {
    const { model_id, name } = (answer as Awaited<ReturnType<Client['loggedModels']['createLoggedModel']>>).model.info;
    const given = await translated({ ...input, name }, twins);
    const { tags = [], ...rest } = given as Inputs<'loggedModels', 'createLoggedModel'>;
    const twin = await secondary.client.loggedModels
      .createLoggedModel({ ...rest, tags: [...tags, { key: tagOnSecondary.model, value: model_id }] })
      .catch((error: unknown) => {
        const runId = input['source_run_id'];
        // *Azure ML and MLflow before 3 answer 404: they keep models among the files of runs.*
        if (!(error instanceof MlflowError) || error.errorCode !== 'ENDPOINT_NOT_FOUND' || typeof runId !== 'string')
          throw error;
        twins.noteFileModel(model_id, { runId, name });
      });
    if (twin !== undefined) await twins.pair('model', model_id, twin.model.info.model_id);
  },
};
