import { MlflowError } from '@lazuli/contract';
import type { Client } from '../client.ts';
import type { TrackingUri } from '../tracking-uri.ts';
import { experimentNameIn } from './experiment-names.ts';

/** One of the two stores; a connection of the client is one. */
export interface Store {
  readonly uri: Pick<TrackingUri, 'kind'>;
  readonly client: Client;
}

/**
 * Which run, experiment or model of the secondary store is the twin of one in the primary. It is remembered, and kept as
 * tags on both sides, so that another process finds it: experiments are found by name.
 */
export interface Twins {
  /** Rejects where there is none. */
  of(kind: Kind, id: string): Promise<string>;
  /** Notes a new pair and tags both. */
  pair(kind: 'run' | 'model', primaryId: string, secondaryId: string): Promise<void>;
  note(kind: Kind, primaryId: string, secondaryId: string): void;
  /** Notes what an experiment was called by who asked for it: the primary may know it by a part of that. */
  noteName(experimentId: string, name: string): void;
  /** Notes a model that the secondary has no logged model of, but among the files of its run. */
  noteFileModel(modelId: string, place: FileModel): void;
  fileModel(modelId: unknown): FileModel | undefined;
  /** Notes where the files of a run or model of the primary lie. */
  noteFiles(kind: 'run' | 'model', primaryId: string, location: string): void;
  /** Where the twins of files lie; rejects where their run or model is not known or has no twin. */
  locationOf(location: string): Promise<string>;
}

export type Kind = 'experiment' | 'run' | 'model';

/** A model among the files of a run of the primary: below `runs:/{runId}/{name}`. */
export interface FileModel {
  readonly runId: string;
  readonly name: string;
}

interface Files {
  readonly kind: 'run' | 'model';
  readonly id: string;
}

export const tagOnPrimary = { run: 'lazuli.secondaryRunId', model: 'lazuli.secondaryModelId' } as const;
export const tagOnSecondary = { run: 'lazuli.primaryRunId', model: 'lazuli.primaryModelId' } as const;

export function createTwins(primary: Store, secondary: Store): Twins {
  const known = new Map<string, Promise<string>>();
  const keyOf = (kind: Kind, id: string): string => `${kind} ${id}`;
  const find: Readonly<Record<Kind, (id: string) => Promise<string>>> = {
    experiment: experimentTwin,
    run: async (run_id) => {
      const { run } = await primary.client.runs.getRun({ run_id });
      return tagged('run', run_id, run.data.tags);
    },
    model: async (model_id) => {
      const { model } = await primary.client.loggedModels.getLoggedModel({ model_id });
      return tagged('model', model_id, model.info.tags);
    },
  };

  const names = new Map<string, string>();
  const fileModels = new Map<unknown, FileModel>();
  const files = new Map<string, Files>();

  async function locationOfTwin({ kind, id }: Files): Promise<string> {
    const model = fileModels.get(id);
    if (model !== undefined) return `${await locationOfTwin({ kind: 'run', id: model.runId })}/${model.name}`;
    const twin = await twins.of(kind, id);
    if (kind === 'run') return (await secondary.client.runs.getRun({ run_id: twin })).run.info.artifact_uri;
    return (await secondary.client.loggedModels.getLoggedModel({ model_id: twin })).model.info.artifact_uri;
  }

  async function experimentTwin(experiment_id: string): Promise<string> {
    const name =
      names.get(experiment_id) ?? (await primary.client.experiments.getExperiment({ experiment_id })).experiment.name;
    return await experimentCalled(secondary.client, experimentNameIn(secondary.uri.kind, name));
  }

  const twins: Twins = {
    async of(kind, id) {
      const key = keyOf(kind, id);
      const twin = known.get(key) ?? find[kind](id);
      known.set(key, twin);
      try {
        return await twin;
      } catch (error) {
        // That there is none stays so; whether there is one is asked again.
        if (!(error instanceof TwinMissing)) known.delete(key);
        throw error;
      }
    },
    note: (kind, primaryId, secondaryId) => {
      known.set(keyOf(kind, primaryId), Promise.resolve(secondaryId));
    },
    async pair(kind, primaryId, secondaryId) {
      known.set(keyOf(kind, primaryId), Promise.resolve(secondaryId));
      const tag = { key: tagOnPrimary[kind], value: secondaryId };
      if (kind === 'run') await primary.client.runs.setTag({ run_id: primaryId, ...tag });
      else await primary.client.loggedModels.setLoggedModelTags({ model_id: primaryId, tags: [tag] });
    },
    noteName: (experimentId, name) => {
      names.set(experimentId, name);
    },
    noteFileModel: (modelId, place) => {
      fileModels.set(modelId, place);
    },
    fileModel: (modelId) => fileModels.get(modelId),
    noteFiles: (kind, id, location) => {
      files.set(location, { kind, id });
    },
    async locationOf(location) {
      const roots = [...files.keys()].filter((root) => location === root || location.startsWith(`${root}/`));
      const root = roots.sort((one, two) => two.length - one.length)[0] ?? '';
      const owner = files.get(root);
      if (owner === undefined) throw new TwinMissing('artifact location', location);
      return (await locationOfTwin(owner)) + location.slice(root.length);
    },
  };
  return twins;
}

/** The id of an experiment by name; made where it is not there. */
export async function experimentCalled(client: Client, name: string, input: object = {}): Promise<string> {
  const found = async (): Promise<string> =>
    (await client.experiments.getExperimentByName({ experiment_name: name })).experiment.experiment_id;
  try {
    return await found();
  } catch (error) {
    if (!isCode(error, 'RESOURCE_DOES_NOT_EXIST')) throw error;
  }
  try {
    return (await client.experiments.createExperiment({ ...input, name })).experiment_id;
  } catch (error) {
    // Somebody else has made it meanwhile.
    if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
    return await found();
  }
}

function isCode(error: unknown, code: MlflowError['errorCode']): boolean {
  return error instanceof MlflowError && error.errorCode === code;
}

/** The secondary store never got it. */
export class TwinMissing extends MlflowError {
  constructor(kind: Kind | 'artifact location', id: string) {
    super('RESOURCE_DOES_NOT_EXIST', `The ${kind} '${id}' has no twin there.`);
  }
}

function tagged(
  kind: 'run' | 'model',
  id: string,
  tags: readonly { readonly key?: string; readonly value?: string }[] = [],
): string {
  const twin = tags.find(({ key }) => key === tagOnPrimary[kind])?.value;
  if (twin === undefined) throw new TwinMissing(kind, id);
  return twin;
}
