import {
  checkDistinctKeys,
  checkKey,
  checkLength,
  compileWriter,
  contract,
  invalidParameter,
  limits,
  MlflowError,
  type Experiment,
  type experiments,
  type OutputOf,
} from '@lazuli/contract';
import { JsonBody, type Handlers, type WorkspaceRef } from '../access/caller.ts';
import type { Db, Engine, Read, Transaction } from '../database/engine.ts';
import { searchExperimentIds, type ExperimentQuery } from '../search/search-experiments.ts';
import {
  findExperimentByName,
  getExperiment,
  getExperiments,
  insertExperiment,
  listExperimentTags,
  lockExperiment,
  noSuchExperiment,
  removeExperimentTag,
  takeExperimentId,
  updateExperiment,
  upsertExperimentTags,
  type ExperimentRow,
} from './experiment-store.ts';
import { requireActive } from './require-active.ts';

/** Owns experiments and their tags: their names, their lifecycle, and where the artifacts of their runs go. */
export interface ExperimentRoom {
  readonly engine: Engine;
  readonly now: () => number;
  /** The location of a new experiment's artifacts: the one asked for, checked, or the default. Throws for a bad one. */
  readonly locationFor: (asked: string | undefined, workspace: WorkspaceRef, experimentId: number) => string;
  /** Deleting or restoring an experiment does the same to its runs, in the same transaction. */
  readonly runsOf: ExperimentRuns;
}

export interface ExperimentRuns {
  markDeleted(tx: Transaction, workspaceId: number, experimentId: number, deletedTime: number): Promise<void>;
  markActive(tx: Transaction, workspaceId: number, experimentId: number): Promise<void>;
  /** Forgets what is cached about the runs; called after the commit. */
  forget(workspaceId: number, experimentId: number): void;
}

export function experimentHandlers({ engine, now, locationFor, runsOf }: ExperimentRoom): Handlers<typeof experiments> {
  return {
    async createExperiment({ name, artifact_location, tags = [] }, { workspace }) {
      checkLength('name', name, limits.experimentName);
      const checkedTags = tags.map(({ key = '', value = '' }) => checkedTag(key, value));
      checkDistinctKeys(checkedTags);
      refuseTooManyViews(checkedTags.map(({ key }) => key));
      return engine.transaction(async ({ db }) => {
        const experimentId = await takeExperimentId(db, workspace.workspaceId);
        const time = now();
        const row: ExperimentRow = {
          workspace_id: workspace.workspaceId,
          experiment_id: experimentId,
          name,
          artifact_location: locationFor(artifact_location, workspace, experimentId),
          lifecycle_stage: 'active',
          creation_time: time,
          last_update_time: time,
        };
        await insertExperiment(db, row);
        await upsertExperimentTags(db, row, checkedTags);
        return { experiment_id: String(experimentId) };
      });
    },

    async getExperiment({ experiment_id }, { workspace }) {
      const row = await getExperiment(engine.db, workspace.workspaceId, experiment_id);
      return { experiment: await withTags(engine.db, workspace, row) };
    },

    async getExperimentByName({ experiment_name }, { workspace }) {
      const row = await findExperimentByName(engine.db, workspace.workspaceId, experiment_name);
      if (row === undefined) {
        throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `Could not find experiment with name '${experiment_name}'`);
      }
      return { experiment: await withTags(engine.db, workspace, row) };
    },

    async searchExperiments(
      { max_results = 0, page_token, filter, order_by = [], view_type = 'ACTIVE_ONLY' },
      { workspace },
    ) {
      const maxResults = Number(max_results);
      if (maxResults <= 0) {
        throw invalidParameter(
          `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be a positive integer`,
        );
      }
      if (maxResults > limits.searchResults) {
        throw invalidParameter(
          `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be at most ${limits.searchResults}`,
        );
      }
      const bytes = await engine.run(searchExperiments, {
        workspaceName: workspace.name,
        query: {
          workspaceId: workspace.workspaceId,
          viewType: view_type,
          maxResults,
          orderBy: order_by,
          ...(filter === undefined ? {} : { filter }),
          ...(page_token === undefined ? {} : { pageToken: page_token }),
        },
      });
      return new JsonBody(bytes);
    },

    async deleteExperiment({ experiment_id }, { workspace }) {
      await engine.transaction(async (tx) => {
        const row = await lockExperiment(tx, workspace.workspaceId, experiment_id);
        // *MLflow: a deleted experiment cannot be found for deletion.*
        if (row.lifecycle_stage !== 'active') throw noSuchExperiment(experiment_id);
        const time = now();
        await updateExperiment(tx.db, row, { lifecycle_stage: 'deleted', last_update_time: time });
        await runsOf.markDeleted(tx, workspace.workspaceId, row.experiment_id, time);
        tx.onCommit(() => runsOf.forget(workspace.workspaceId, row.experiment_id));
      });
      return {};
    },

    async restoreExperiment({ experiment_id }, { workspace }) {
      await engine.transaction(async (tx) => {
        const row = await lockExperiment(tx, workspace.workspaceId, experiment_id);
        if (row.lifecycle_stage !== 'deleted') throw noSuchExperiment(experiment_id);
        await updateExperiment(tx.db, row, { lifecycle_stage: 'active', last_update_time: now() });
        await runsOf.markActive(tx, workspace.workspaceId, row.experiment_id);
        tx.onCommit(() => runsOf.forget(workspace.workspaceId, row.experiment_id));
      });
      return {};
    },

    async updateExperiment({ experiment_id, new_name }, { workspace }) {
      checkLength('name', new_name, limits.experimentName);
      await engine.transaction(async (tx) => {
        const { db } = tx;
        const row = await lockExperiment(tx, workspace.workspaceId, experiment_id);
        if (row.lifecycle_stage !== 'active') {
          throw new MlflowError('INVALID_STATE', 'Cannot rename a non-active experiment.');
        }
        const holder = await findExperimentByName(db, workspace.workspaceId, new_name);
        if (holder !== undefined && holder.experiment_id !== row.experiment_id) {
          throw new MlflowError(
            'RESOURCE_ALREADY_EXISTS',
            `Experiment(name=${new_name}) already exists: experiment ${holder.experiment_id} has this name.`,
          );
        }
        await updateExperiment(db, row, { name: new_name, last_update_time: now() });
      });
      return {};
    },

    async setExperimentTag({ experiment_id, key, value = '' }, { workspace }) {
      const tag = checkedTag(key, value);
      await engine.transaction(async (tx) => {
        const { db } = tx;
        const row = await lockActiveExperiment(tx, workspace.workspaceId, experiment_id);
        if (isView(key)) {
          const kept = (await listExperimentTags(db, workspace.workspaceId, [row.experiment_id])).get(
            row.experiment_id,
          );
          refuseTooManyViews([...new Set([key, ...(kept ?? []).map((present) => present.key)])], row.experiment_id);
        }
        await upsertExperimentTags(db, row, [tag]);
      });
      return {};
    },

    async deleteExperimentTag({ experiment_id, key }, { workspace }) {
      await engine.transaction(async (tx) => {
        const row = await lockActiveExperiment(tx, workspace.workspaceId, experiment_id);
        await removeExperimentTag(tx.db, row, key);
      });
      return {};
    },
  };
}

/** A page of experiments as the bytes of its answer. */
export const searchExperiments: Read<{ workspaceName: string; query: ExperimentQuery }, Uint8Array> = {
  name: 'search-experiments',
  async run(db, { workspaceName, query }) {
    const { keys, nextPageToken } = await searchExperimentIds(db, query);
    const rows = await getExperiments(db, query.workspaceId, keys);
    const tags = await listExperimentTags(db, query.workspaceId, keys);
    const page: OutputOf<typeof experiments.searchExperiments> = {
      experiments: rows.map((row) => experimentOf(row, workspaceName, tags.get(row.experiment_id) ?? [])),
      ...(nextPageToken === undefined ? {} : { next_page_token: nextPageToken }),
    };
    return new TextEncoder().encode(writePage(page));
  },
};

const writePage = compileWriter(contract.experiments.searchExperiments.output);

async function lockActiveExperiment(tx: Transaction, workspaceId: number, id: string): Promise<ExperimentRow> {
  const row = await lockExperiment(tx, workspaceId, id);
  requireActive(row);
  return row;
}

async function withTags(db: Db, workspace: WorkspaceRef, row: ExperimentRow): Promise<Experiment> {
  const tags = await listExperimentTags(db, workspace.workspaceId, [row.experiment_id]);
  return experimentOf(row, workspace.name, tags.get(row.experiment_id) ?? []);
}

function experimentOf(row: ExperimentRow, workspaceName: string, tags: { key: string; value: string }[]): Experiment {
  return {
    experiment_id: String(row.experiment_id),
    name: row.name,
    artifact_location: row.artifact_location,
    lifecycle_stage: row.lifecycle_stage,
    last_update_time: row.last_update_time,
    creation_time: row.creation_time,
    tags,
    workspace: workspaceName,
  };
}

function checkedTag(key: string, value: string): { key: string; value: string } {
  checkKey('key', key);
  checkLength('key', key, limits.key);
  checkLength('value', value, limits.experimentTagValue);
  return { key, value };
}

/** *MLflow's web UI keeps each saved view of an experiment in a tag with this prefix.* */
const viewPrefix = 'mlflow.customView.view';
const viewLimit = 50;

function isView(key: string): boolean {
  return key.startsWith(viewPrefix);
}

function refuseTooManyViews(keys: readonly string[], experimentId?: number): void {
  if (keys.filter(isView).length <= viewLimit) return;
  const where = experimentId === undefined ? '' : ` for experiment ${experimentId}`;
  throw invalidParameter(
    `Unable to create another custom view${where}; the maximum number of custom views per experiment is ${viewLimit}. Delete an existing custom view before creating a new one.`,
  );
}
