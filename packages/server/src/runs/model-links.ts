import { MlflowError, type Int64 } from '@lazuli/contract';
import type { ColumnValue, GroupTransaction, SetRequirement, SetSelect, SetWrite } from '../database/engine.ts';
import type { Batch, MetricColumns } from './log-members.ts';

/**
 * Points that are linked with a logged model: they go to the run's series as all points do, and beside it to the model,
 * where a dataset may tell what was measured on. Points without a model pass none of this.
 */
const findModel: SetSelect = {
  table: 'logged_models',
  by: { workspace_id: 'int64', model_id: 'text' },
  columns: ['model_key', 'lifecycle_stage'],
  lockedBy: 'model_key',
};
const activeModels: SetRequirement = {
  table: 'logged_models',
  by: { model_key: 'int64' },
  holds: { lifecycle_stage: 'active' },
};
const pointKey = {
  workspace_id: 'int64',
  model_key: 'int64',
  metric_key: 'int64',
  timestamp: 'int64',
  step: 'int64',
  run_key: 'int64',
  dataset_name: 'text',
  dataset_digest: 'text',
  is_nan: 'int64',
  value: 'double',
} as const;
const insertPoints: SetWrite = {
  table: 'logged_model_metrics',
  columns: pointKey,
  conflict: { key: Object.keys(pointKey) },
};

export function noSuchModel(modelId: string): MlflowError {
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `Logged model with ID '${modelId}' not found.`);
}

/** The keys of the active models that points of these batches name, by workspace and id. */
export type ModelKeys = ReadonlyMap<string, number>;

const noModels: ModelKeys = new Map();

export async function loadModels(tx: GroupTransaction, batches: readonly Batch[]): Promise<ModelKeys> {
  const linking = batches.filter(({ metrics }) => metrics.links !== undefined);
  if (linking.length === 0) return noModels;
  const wanted = new Map<string, readonly ColumnValue[]>();
  for (const { workspace, metrics } of linking) {
    for (const { modelId } of metrics.links ?? []) {
      wanted.set(modelName(workspace.workspaceId, modelId), [workspace.workspaceId, modelId]);
    }
  }
  const rows = await tx.select(findModel, [...wanted.values()]);
  const models = new Map<string, number>();
  [...wanted.keys()].forEach((name, index) => {
    const row = rows[index];
    // *MLflow shows a deleted model to nobody*, so it takes nothing either.
    if (row !== undefined && row['lifecycle_stage'] === 'active') models.set(name, Number(row['model_key']));
  });
  return models;
}

/** Refuses a batch that names a model which is not there. */
export function requireModels({ workspace, metrics }: Batch, models: ModelKeys): void {
  for (const { modelId } of metrics.links ?? []) {
    if (!models.has(modelName(workspace.workspaceId, modelId))) throw noSuchModel(modelId);
  }
}

/** Writes the linked points of accepted batches; `metricKeys` are those of all points of a batch. */
export async function writeModelPoints(
  tx: GroupTransaction,
  accepted: readonly { batch: Batch; runKey: number; metricKeys: readonly number[] }[],
  models: ModelKeys,
): Promise<void> {
  if (models.size === 0) return;
  const used = new Set<number>();
  const rows = accepted.flatMap(({ batch: { workspace, metrics }, runKey, metricKeys }) =>
    (metrics.links ?? []).map(({ index, modelId, datasetName, datasetDigest }): ColumnValue[] => {
      const modelKey = models.get(modelName(workspace.workspaceId, modelId)) as number;
      used.add(modelKey);
      const { value, timestamp, step } = pointAt(metrics, index);
      const isNan = Number.isNaN(value);
      const place = [workspace.workspaceId, modelKey, metricKeys[index] as number, timestamp, step, runKey];
      return [...place, datasetName, datasetDigest, isNan ? 1 : 0, isNan ? 0 : value];
    }),
  );
  if (rows.length === 0) return;
  tx.require(
    activeModels,
    [...used].map((modelKey) => [modelKey]),
  );
  await tx.write(insertPoints, rows);
}

function pointAt(metrics: MetricColumns, index: number): { value: number; timestamp: Int64; step: Int64 } {
  return {
    value: metrics.values[index] as number,
    timestamp: metrics.timestamps[index] as Int64,
    step: metrics.steps[index] as Int64,
  };
}

function modelName(workspaceId: number, modelId: string): string {
  return `${workspaceId}/${modelId}`;
}
