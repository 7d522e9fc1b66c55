import {
  checkDistinctKeys,
  checkLength,
  invalidParameter,
  limits,
  missing,
  wrongType,
  type DatasetInput,
  type Run,
  type runs,
} from '@lazuli/contract';
import { JsonBody, type Handlers } from '../access/caller.ts';
import type { Engine } from '../database/engine.ts';
import { experimentKey } from '../experiments/experiment-store.ts';
import type { MetricStore } from '../metric-store/metric-store.ts';
import { hydrateRuns, runInfo } from './hydrate-runs.ts';
import { insertInput, insertRunModels, internDataset, listDatasetUses } from './input-store.ts';
import { addToModelHistory, historyEntry } from './log-model.ts';
import { inventName } from './invented-name.ts';
import {
  checkedParam,
  checkedTag,
  checkedTags,
  checkMetricKey,
  checkRunIdPattern,
  checkTimestamp,
  packMetrics,
  readBatch,
} from './read-batch.ts';
import type { RunHandles } from './run-handles.ts';
import { requestIdTag, runNameTag, type KeyValue } from './log-members.ts';
import type { RunLog } from './run-log.ts';
import { getRun, lockActiveRun, lockRun, removeRunTag, updateRun, upsertRunTag } from './run-store.ts';
import { searchRuns } from './search-runs.ts';

/** Owns runs and what is logged to them: params, tags, metrics, inputs and outputs. */
export interface RunRoom {
  readonly engine: Engine;
  readonly now: () => number;
  readonly handles: RunHandles;
  readonly log: RunLog;
  readonly metricStore: MetricStore;
}

const noMetrics = packMetrics([]);

export function runHandlers({ engine, now, handles, log, metricStore }: RunRoom): Handlers<typeof runs, 'logBatch'> {
  return {
    async createRun({ experiment_id = '0', user_id = '', run_name, start_time = 0, tags = [] }, { workspace }) {
      const given = checkedTags(tags, 'tags');
      checkDistinctKeys(given);
      const runName = chosenName(run_name, given);
      const kept = given.filter(({ key }) => key !== runNameTag);
      const allTags = [...kept, { key: runNameTag, value: runName }];
      const experimentId = experimentKey(experiment_id === '' ? '0' : experiment_id);
      const requestId = requestIdOf(given);
      const run = await log.submit(
        {
          kind: 'create',
          workspace,
          experimentId,
          runName,
          userId: user_id,
          startTime: start_time,
          tags: allTags,
          ...(requestId === undefined ? {} : { requestId }),
        },
        1_000,
      );
      if (run === undefined) throw new TypeError('A created run has an identity.');
      if (run.isRepeated === true) return { run: await wholeRun(workspace.workspaceId, run.runId) };
      const row: Run = {
        info: {
          run_uuid: run.runId,
          experiment_id: String(experimentId),
          run_name: runName,
          user_id,
          status: 'RUNNING',
          start_time,
          artifact_uri: run.artifactUri,
          lifecycle_stage: 'active',
          run_id: run.runId,
        },
        data: { tags: allTags },
        inputs: {},
      };
      return { run: row };
    },

    async updateRun({ run_id, run_uuid, status, end_time, run_name }, { workspace }) {
      const runId = requiredRunId(run_id, run_uuid);
      return engine.transaction(async (tx) => {
        const { db } = tx;
        const row = await lockActiveRun(tx, workspace.workspaceId, runId);
        const change = {
          ...(status === undefined ? {} : { status }),
          ...(end_time === undefined ? {} : { end_time }),
          // *MLflow: an empty name is no change.*
          ...(run_name === undefined || run_name === '' ? {} : { run_name }),
        };
        await updateRun(db, row, change);
        if (change.run_name !== undefined) await upsertRunTag(db, row, runNameTag, change.run_name);
        return { run_info: runInfo({ ...row, ...change }) };
      });
    },

    async deleteRun({ run_id }, { workspace }) {
      await setLifecycle(workspace.workspaceId, run_id, { lifecycle_stage: 'deleted', deleted_time: now() });
      return {};
    },

    async restoreRun({ run_id }, { workspace }) {
      await setLifecycle(workspace.workspaceId, run_id, { lifecycle_stage: 'active', deleted_time: null });
      return {};
    },

    async logMetric({ run_id, run_uuid, key, ...point }, { workspace }) {
      const runId = requiredRunId(run_id, run_uuid);
      checkMetricKey('name', key);
      checkTimestamp('timestamp', key, point.value, point.timestamp);
      const metrics = packMetrics([{ key, ...point }]);
      await log.submit({ kind: 'batch', workspace, runId, metrics, params: [], tags: [] }, 100);
      return {};
    },

    async logParam({ run_id, run_uuid, key, value = '' }, { workspace }) {
      const runId = requiredRunId(run_id, run_uuid);
      const param = checkedParam('key', key, value);
      await log.submit(
        { kind: 'param', workspace, runId, metrics: noMetrics, params: [param], tags: [] },
        100 + param.value.length,
      );
      return {};
    },

    async setTag({ run_id, run_uuid, key, value = '' }, { workspace }) {
      const runId = requiredRunId(run_id, run_uuid);
      const tags = withoutEmptyName([checkedTag('key', key, value)]);
      await log.submit({ kind: 'batch', workspace, runId, metrics: noMetrics, params: [], tags }, 100 + value.length);
      return {};
    },

    async deleteTag({ run_id, key }, { workspace }) {
      await engine.transaction(async (tx) => {
        const row = await lockActiveRun(tx, workspace.workspaceId, run_id);
        await removeRunTag(tx.db, row, key);
      });
      return {};
    },

    async getRun({ run_id, run_uuid }, { workspace }) {
      return { run: await wholeRun(workspace.workspaceId, requiredRunId(run_id, run_uuid)) };
    },

    async getRunDataStatus({ run_id }, { workspace }) {
      await getRun(engine.db, workspace.workspaceId, run_id);
      return { is_complete: true };
    },

    async searchRuns(input, { workspace }) {
      const { experiment_ids = [], filter, run_view_type = 'ACTIVE_ONLY', order_by = [], page_token } = input;
      const { max_results: maxResults = 1_000 } = input;
      if (maxResults <= 0) {
        throw invalidParameter(
          `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be a positive integer`,
        );
      }
      if (maxResults > limits.searchResults) {
        throw wrongType(maxResults, 'max_results');
      }
      const query = {
        workspaceId: workspace.workspaceId,
        experimentIds: experiment_ids,
        viewType: run_view_type,
        maxResults,
        orderBy: order_by,
        ...(filter === undefined ? {} : { filter }),
        ...(page_token === undefined ? {} : { pageToken: page_token }),
      };
      const bytes = await engine.run(searchRuns, query, await metricStore.settleLatest());
      return new JsonBody(bytes);
    },

    logBatch: {
      async fromText(text, { workspace }) {
        const { tags, ...batch } = readBatch(text);
        await log.submit({ kind: 'batch', workspace, ...batch, tags: withoutEmptyName(tags) }, text.length);
        return {};
      },
    },

    async logInputs({ run_id, datasets = [], models = [] }, { workspace }) {
      checkRunIdPattern(run_id);
      datasets.forEach(checkDataset);
      await engine.transaction(async (tx) => {
        const { db } = tx;
        const row = await lockActiveRun(tx, workspace.workspaceId, run_id);
        // In one order for everybody: two requests that add the same datasets would otherwise wait for each other.
        for (const { dataset, tags = [] } of datasets.toSorted(byDataset)) {
          await insertInput(db, row, await internDataset(db, row, dataset), tags);
        }
        await insertRunModels(
          db,
          row,
          'input',
          models.map(({ model_id }) => ({ model_id, step: 0 })),
        );
      });
      return {};
    },

    async logOutputs({ run_id, models }, { workspace }) {
      await engine.transaction(async (tx) => {
        const row = await lockActiveRun(tx, workspace.workspaceId, run_id);
        await insertRunModels(
          tx.db,
          row,
          'output',
          models.map(({ model_id, step = 0 }) => ({ model_id, step })),
        );
      });
      return {};
    },

    async logModel({ run_id, model_json }, { workspace }) {
      const entry = historyEntry(model_json);
      await engine.transaction((tx) =>
        addToModelHistory(tx, { workspaceId: workspace.workspaceId, runId: run_id }, entry),
      );
      return {};
    },

    async searchDatasets({ experiment_ids: ids = [] }, { workspace }) {
      if (ids.length === 0) {
        throw invalidParameter('SearchDatasets request must specify at least one experiment_id.');
      }
      if (ids.length > limits.searchDatasetExperiments) {
        throw invalidParameter(
          `SearchDatasets request cannot specify more than ${limits.searchDatasetExperiments} experiment_ids. Received ${ids.length} experiment_ids.`,
        );
      }
      const uses = await listDatasetUses(
        engine.db,
        workspace.workspaceId,
        ids.map(experimentKey),
        limits.searchDatasetSummaries,
      );
      return {
        dataset_summaries: uses.map(({ experiment_id, name, digest, context }) => ({
          experiment_id: String(experiment_id),
          name,
          digest,
          ...(context === null ? {} : { context }),
        })),
      };
    },
  };

  async function wholeRun(workspaceId: number, runId: string): Promise<Run> {
    const { run_key } = await getRun(engine.db, workspaceId, runId);
    const preparation = await metricStore.settleLatest(run_key);
    return engine.snapshot(async (db) => {
      const row = await getRun(db, workspaceId, runId);
      const [run] = await hydrateRuns(db, workspaceId, [row]);
      if (run === undefined) throw new TypeError('A run that was found is hydrated.');
      return run;
    }, preparation);
  }

  /** *MLflow: deleting or restoring twice is fine.* */
  async function setLifecycle(
    workspaceId: number,
    runId: string,
    change: { lifecycle_stage: string; deleted_time: number | null },
  ): Promise<void> {
    await engine.transaction(async (tx) => {
      const row = await lockRun(tx, workspaceId, runId);
      if (row.lifecycle_stage === change.lifecycle_stage) return;
      await updateRun(tx.db, row, change);
      tx.onCommit(() => handles.forget(workspaceId, runId));
    });
  }
}

function requiredRunId(runId: string | undefined, runUuid: string | undefined): string {
  const id = runId === undefined || runId === '' ? runUuid : runId;
  if (id === undefined || id === '') throw missing('run_id');
  return id;
}

/** The id of a request to create a run, where the client gives it one so that it may send it twice. */
function requestIdOf(tags: readonly KeyValue[]): string | undefined {
  const requestId = tags.find(({ key }) => key === requestIdTag)?.value;
  if (requestId === undefined || requestId === '') return undefined;
  checkLength(requestIdTag, requestId, limits.key);
  return requestId;
}

/** *MLflow: run_name and the tag mlflow.runName are one; a run without either gets an invented name.* */
function chosenName(runName: string | undefined, tags: readonly KeyValue[]): string {
  const named = runName === undefined || runName === '' ? undefined : runName;
  const tagged = tags.find(({ key }) => key === runNameTag)?.value;
  if (named !== undefined && tagged !== undefined && named !== tagged) {
    throw invalidParameter(
      `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${named}', mlflow.runName='${tagged}').`,
    );
  }
  return named ?? (tagged === undefined || tagged === '' ? inventName() : tagged);
}

/** *MLflow: setting the tag mlflow.runName renames the run, and to nothing it cannot be renamed.* */
function withoutEmptyName(tags: readonly KeyValue[]): readonly KeyValue[] {
  return tags.some(({ key, value }) => key === runNameTag && value === '')
    ? tags.filter(({ key, value }) => key !== runNameTag || value !== '')
    : tags;
}

/** Equal ones stay in their order: the first is the one that counts. */
function byDataset({ dataset: a }: DatasetInput, b: DatasetInput): number {
  const { name, digest } = b.dataset;
  if (a.name !== name) return a.name < name ? -1 : 1;
  return a.digest === digest ? 0 : a.digest < digest ? -1 : 1;
}

function checkDataset({ dataset, tags = [] }: DatasetInput): void {
  checkLength('name', dataset.name, limits.datasetName);
  checkLength('digest', dataset.digest, limits.datasetDigest);
  checkLength('source', dataset.source, limits.datasetSource);
  checkLength('schema', dataset.schema ?? '', limits.datasetSchema);
  checkLength('profile', dataset.profile ?? '', limits.datasetProfile);
  for (const { key, value } of tags) {
    checkLength('key', key, limits.inputTagKey);
    checkLength('value', value, limits.inputTagValue);
  }
  checkDistinctKeys(tags);
}
