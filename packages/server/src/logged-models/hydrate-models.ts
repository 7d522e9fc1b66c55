import type { LoggedModel, Metric } from '@lazuli/contract';
import type { Db } from '../database/engine.ts';
import { listRegistrations } from '../model-registry/version-store.ts';
import { metricOf } from '../runs/hydrate-runs.ts';
import type { LoggedModelRow } from './logged-model-store.ts';

/** SQLite takes 32,766 parameters a statement; one statement for this many models is also a sensible amount of rows. */
const modelsAtOnce = 500;

/** Whole models, as the wire shows them, in the order of the rows given. */
export async function hydrateModels(
  db: Db,
  workspaceId: number,
  rows: readonly LoggedModelRow[],
): Promise<LoggedModel[]> {
  const models: LoggedModel[] = [];
  for (let start = 0; start < rows.length; start += modelsAtOnce) {
    models.push(...(await hydrateSome(db, workspaceId, rows.slice(start, start + modelsAtOnce))));
  }
  return models;
}

/** Models by their keys, in the order of the keys. */
export async function getModelsByKey(
  db: Db,
  workspaceId: number,
  modelKeys: readonly number[],
): Promise<LoggedModel[]> {
  const models: LoggedModel[] = [];
  for (let start = 0; start < modelKeys.length; start += modelsAtOnce) {
    const keys = modelKeys.slice(start, start + modelsAtOnce);
    const rows = await db.selectFrom('logged_models').selectAll().where('model_key', 'in', keys).execute();
    const byKey = new Map(rows.map((row) => [row.model_key, row]));
    models.push(
      ...(await hydrateSome(
        db,
        workspaceId,
        keys.flatMap((key) => byKey.get(key) ?? []),
      )),
    );
  }
  return models;
}

async function hydrateSome(db: Db, workspaceId: number, rows: readonly LoggedModelRow[]): Promise<LoggedModel[]> {
  if (rows.length === 0) return [];
  const keys = rows.map((row) => row.model_key);
  const params = await textsOf(db, 'logged_model_params', { workspaceId, keys });
  const tags = await textsOf(db, 'logged_model_tags', { workspaceId, keys });
  const metrics = await metricsOf(db, workspaceId, rows);
  const ids = rows.map((row) => row.model_id);
  const registrations = await listRegistrations(db, workspaceId, ids);
  return rows.map((row) => ({
    info: {
      model_id: row.model_id,
      experiment_id: String(row.experiment_id),
      name: row.name,
      creation_timestamp_ms: row.creation_timestamp_ms,
      last_updated_timestamp_ms: row.last_updated_timestamp_ms,
      artifact_uri: row.artifact_uri,
      status: row.status as LoggedModel['info']['status'],
      model_type: row.model_type,
      source_run_id: row.source_run_id,
      tags: tags.get(row.model_key) ?? [],
      registrations: registrations.get(row.model_id) ?? [],
    },
    data: { params: params.get(row.model_key) ?? [], metrics: metrics.get(row.model_key) ?? [] },
  }));
}

async function textsOf(
  db: Db,
  table: 'logged_model_params' | 'logged_model_tags',
  { workspaceId, keys }: { workspaceId: number; keys: readonly number[] },
): Promise<Map<number, { key: string; value: string }[]>> {
  const rows = await db
    .selectFrom(table)
    .select(['model_key', 'key', 'value'])
    .where('workspace_id', '=', workspaceId)
    .where('model_key', 'in', keys)
    .orderBy('model_key')
    .orderBy('key')
    .execute();
  const texts = new Map<number, { key: string; value: string }[]>();
  for (const { model_key, key, value } of rows) listOf(texts, model_key).push({ key, value });
  return texts;
}

/** Every linked point, *as MLflow shows them*, in the order of time. */
async function metricsOf(
  db: Db,
  workspaceId: number,
  models: readonly LoggedModelRow[],
): Promise<Map<number, Metric[]>> {
  const ids = new Map(models.map((row) => [row.model_key, row.model_id]));
  const rows = await db
    .selectFrom('logged_model_metrics as v')
    .innerJoin('metric_keys as k', 'k.metric_key', 'v.metric_key')
    .innerJoin('runs as r', 'r.run_key', 'v.run_key')
    .select(['v.model_key', 'k.key', 'v.value', 'v.is_nan', 'v.timestamp', 'v.step'])
    .select(['v.dataset_name', 'v.dataset_digest', 'r.run_id'])
    .where('v.workspace_id', '=', workspaceId)
    .where('v.model_key', 'in', [...ids.keys()])
    .orderBy('v.timestamp')
    .orderBy('v.step')
    .orderBy('k.key')
    .orderBy('v.run_key')
    .orderBy('v.dataset_name')
    .execute();
  const metrics = new Map<number, Metric[]>();
  for (const row of rows) {
    listOf(metrics, row.model_key).push({
      ...metricOf(row.key, row),
      model_id: ids.get(row.model_key) ?? '',
      ...(row.dataset_name === '' ? {} : { dataset_name: row.dataset_name, dataset_digest: row.dataset_digest }),
      run_id: row.run_id,
    });
  }
  return metrics;
}

function listOf<Item>(lists: Map<number, Item[]>, key: number): Item[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}
