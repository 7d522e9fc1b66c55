import { randomBytes } from 'node:crypto';
import {
  checkLength,
  invalidParameter,
  limits,
  missing,
  MlflowError,
  type InputOf,
  type OutputOf,
  type LoggedModel,
  type loggedModels,
} from '@lazuli/contract';
import { JsonBody, type Handlers, type WorkspaceRef } from '../access/caller.ts';
import { joinLocation } from '../artifact-store/artifact-location.ts';
import type { Engine } from '../database/engine.ts';
import { lockExperiment } from '../experiments/experiment-store.ts';
import { requireActive } from '../experiments/require-active.ts';
import { inventName } from '../runs/invented-name.ts';
import { pythonText } from '../runs/python-text.ts';
import { readExperimentIds } from '../search/experiment-ids.ts';
import type { DatasetName, LoggedModelOrder } from '../search/search-logged-models.ts';
import { hydrateModels } from './hydrate-models.ts';
import {
  addModelParams,
  getModel,
  insertModel,
  lockActiveModel,
  lockModel,
  updateModel,
  type LoggedModelRow,
} from './logged-model-store.ts';
import { searchLoggedModels } from './search-models.ts';
import { loggedModelTags } from '../model-registry/tag-store.ts';

/**
 * Owns logged models: what MLflow 3 calls the files of one trained model with its params, tags, metrics and state. *A model
 * is PENDING until its files are uploaded; its client then says READY or UPLOAD_FAILED, and may say it again.*
 */
export interface LoggedModelRoom {
  readonly engine: Engine;
  readonly now: () => number;
  /** The files and folders in a folder of an artifact location, with paths from that location on. */
  readonly listFolder: (query: {
    readonly workspace: WorkspaceRef;
    readonly uri: string;
    readonly path: string | undefined;
    readonly page_token: string | undefined;
  }) => Promise<OutputOf<typeof loggedModels.listLoggedModelArtifacts>>;
}

type SearchInput = InputOf<typeof loggedModels.searchLoggedModels>;

export function loggedModelHandlers(room: LoggedModelRoom): Handlers<typeof loggedModels> {
  const { engine, now, listFolder } = room;

  async function wholeModel(workspaceId: number, modelId: string, deleted: 'hidden' | 'shown'): Promise<LoggedModel> {
    return engine.snapshot(async (db) => {
      const row = await getModel(db, workspaceId, { modelId, deleted });
      const [model] = await hydrateModels(db, workspaceId, [row]);
      if (model === undefined) throw new TypeError('A model that was found is hydrated.');
      return model;
    });
  }

  /** The model as a transaction leaves it. */
  async function change(
    workspaceId: number,
    modelId: string,
    work: (...given: Parameters<Parameters<Engine['transaction']>[0]>) => Promise<LoggedModelRow>,
  ): Promise<LoggedModel> {
    return engine.transaction(async (tx) => {
      const row = await work(tx);
      const [model] = await hydrateModels(tx.db, workspaceId, [row]);
      if (model === undefined) throw new TypeError(`The model ${modelId} that was written is hydrated.`);
      return model;
    });
  }

  return {
    async createLoggedModel({ experiment_id, name = '', ...given }, { workspace }) {
      checkName(name);
      const { model_type = '', source_run_id = '' } = given;
      checkLength('model_type', model_type, limits.loggedModelType);
      checkLength('source_run_id', source_run_id, limits.key);
      const params = distinct(checkedTexts('params', given.params), 'parameter');
      const tags = distinct(checkedTexts('tags', given.tags), 'tag');
      const { workspaceId } = workspace;
      const modelId = `m-${randomBytes(16).toString('hex')}`;
      const model = await change(workspaceId, modelId, async (tx) => {
        const experiment = await lockExperiment(tx, workspaceId, experiment_id);
        requireActive(experiment);
        const time = now();
        const row = await insertModel(tx.db, {
          workspace_id: workspaceId,
          model_id: modelId,
          experiment_id: experiment.experiment_id,
          name: name === '' ? inventName() : name,
          // *MLflow: beside the runs of the experiment.*
          artifact_uri: joinLocation(experiment.artifact_location, 'models', modelId, 'artifacts'),
          creation_timestamp_ms: time,
          last_updated_timestamp_ms: time,
          status: 'LOGGED_MODEL_PENDING',
          lifecycle_stage: 'active',
          model_type,
          source_run_id,
        });
        await addModelParams(tx.db, row, params);
        await loggedModelTags.upsert(tx.db, row, tags);
        return row;
      });
      return { model };
    },

    async searchLoggedModels(input, { workspace }) {
      const bytes = await engine.run(searchLoggedModels, { workspaceId: workspace.workspaceId, ...searchOf(input) });
      return new JsonBody(bytes);
    },

    async getLoggedModel({ model_id, allow_deleted }, { workspace }) {
      const deleted = allow_deleted?.toLowerCase() === 'true' ? 'shown' : 'hidden';
      return { model: await wholeModel(workspace.workspaceId, model_id, deleted) };
    },

    async finalizeLoggedModel({ model_id, status }, { workspace }) {
      const { workspaceId } = workspace;
      const model = await change(workspaceId, model_id, async (tx) => {
        const row = await lockActiveModel(tx, workspaceId, model_id);
        const finalized = { status, last_updated_timestamp_ms: now() };
        await updateModel(tx.db, row, finalized);
        return { ...row, ...finalized };
      });
      return { model };
    },

    async deleteLoggedModel({ model_id }, { workspace }) {
      await engine.transaction(async (tx) => {
        const row = await lockModel(tx, workspace.workspaceId, model_id);
        // *MLflow: deleting twice is fine.* The time stays that of the first deletion, from which its end of life counts.
        if (row.lifecycle_stage !== 'active') return;
        await updateModel(tx.db, row, { lifecycle_stage: 'deleted', last_updated_timestamp_ms: now() });
      });
      return {};
    },

    async setLoggedModelTags({ model_id, tags }, { workspace }) {
      const given = checkedTexts('tags', tags);
      // *MLflow: of tags with the same key the last one counts.*
      const last = [...new Map(given.map((tag) => [tag.key, tag])).values()];
      await engine.transaction(async (tx) => {
        await loggedModelTags.upsert(tx.db, await lockActiveModel(tx, workspace.workspaceId, model_id), last);
      });
      return {};
    },

    async deleteLoggedModelTag({ model_id, tag_key }, { workspace }) {
      await engine.transaction(async (tx) => {
        const row = await lockActiveModel(tx, workspace.workspaceId, model_id);
        if ((await loggedModelTags.remove(tx.db, row, tag_key)) !== undefined) return;
        throw new MlflowError(
          'RESOURCE_DOES_NOT_EXIST',
          `No tag with key ${pythonText(tag_key)} found for model with ID ${pythonText(model_id)}.`,
        );
      });
      return {};
    },

    async logLoggedModelParams({ model_id, params }, { workspace }) {
      const given = distinct(checkedTexts('params', params), 'parameter');
      await engine.transaction(async (tx) => {
        await addModelParams(tx.db, await lockActiveModel(tx, workspace.workspaceId, model_id), given);
      });
      return {};
    },

    async listLoggedModelArtifacts({ model_id, artifact_directory_path, page_token }, { workspace }) {
      const { artifact_uri } = await getModel(engine.db, workspace.workspaceId, {
        modelId: model_id,
        deleted: 'hidden',
      });
      return listFolder({ workspace, uri: artifact_uri, path: artifact_directory_path, page_token });
    },
  };
}

/** *MLflow: these characters would make another URI of `models:/name`.* An empty name is none. */
function checkName(name: string): void {
  if (/[/:.%"']/.test(name)) {
    throw invalidParameter(
      `Invalid model name (${pythonText(name)}) provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
    );
  }
  checkLength('name', name, limits.loggedModelName);
}

type KeyValue = { readonly key: string; readonly value: string };

function checkedTexts(
  list: 'params' | 'tags',
  given: readonly { key: string; value?: string }[] = [],
): readonly KeyValue[] {
  if (given.length > limits.loggedModelTexts) {
    throw invalidParameter(
      `A request can contain at most ${limits.loggedModelTexts} ${list} of a logged model. Got ${given.length}.`,
    );
  }
  return given.map(({ key, value = '' }, index) => {
    checkLength(`${list}[${index}].key`, key, limits.key);
    checkLength(`${list}[${index}].value`, value, limits.loggedModelText);
    return { key, value };
  });
}

function distinct(given: readonly KeyValue[], kind: 'parameter' | 'tag'): readonly KeyValue[] {
  const seen = new Set<string>();
  for (const { key } of given) {
    if (seen.has(key)) {
      throw invalidParameter(`Duplicate ${kind} keys have been submitted: [${pythonText(key)}]. Give each key once.`);
    }
    seen.add(key);
  }
  return given;
}

/** *MLflow's server gives 100 models where no page size is asked for, or none above 0.* */
const defaultPage = 100;

function searchOf(input: SearchInput) {
  const { experiment_ids: ids, filter, datasets = [], max_results: asked = 0, order_by = [], page_token } = input;
  if (ids === undefined) throw missing('experiment_ids');
  if (asked < 0) {
    throw invalidParameter(`Invalid value ${asked} for parameter 'max_results' supplied. It must not be negative.`);
  }
  return {
    experimentIds: readExperimentIds(ids),
    datasets: datasets.map(datasetName),
    orderBy: order_by.map(orderOf),
    maxResults: Math.min(asked === 0 ? defaultPage : asked, limits.searchResults),
    ...(filter === undefined ? {} : { filter }),
    ...(page_token === undefined ? {} : { pageToken: page_token }),
  };
}

function datasetName({ dataset_name, dataset_digest }: NonNullable<SearchInput['datasets']>[number]): DatasetName {
  if (dataset_name === undefined || dataset_name === '') {
    throw invalidParameter('`dataset_name` in the `datasets` clause must be specified.');
  }
  return { name: dataset_name, ...(dataset_digest ? { digest: dataset_digest } : {}) };
}

function orderOf(clause: NonNullable<SearchInput['order_by']>[number]): LoggedModelOrder {
  const { field_name = '', ascending = true, dataset_name, dataset_digest } = clause;
  return {
    fieldName: field_name,
    direction: ascending ? 'asc' : 'desc',
    ...(dataset_name ? { datasetName: dataset_name } : {}),
    ...(dataset_digest ? { datasetDigest: dataset_digest } : {}),
  };
}
