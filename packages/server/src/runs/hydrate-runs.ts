import type { DatasetInput, Int64, Metric, Param, Run, RunInfo, RunTag } from '@lazuli/contract';
import type { Db } from '../database/engine.ts';
import type { RunRow } from './run-store.ts';

/** SQLite takes 32,766 parameters a statement; one statement for this many runs is also a sensible amount of rows. */
const runsAtOnce = 500;

/**
 * Whole runs, as the wire shows them, in the order of the rows given: one query for each kind of thing that they own.
 * Latest metrics must be settled. What a run owns comes as the primary keys have it: whatever way the planner takes, both engines
 * answer alike.
 */
export async function hydrateRuns(db: Db, workspaceId: number, rows: readonly RunRow[]): Promise<Run[]> {
  const runs: Run[] = [];
  for (let start = 0; start < rows.length; start += runsAtOnce) {
    runs.push(...(await hydrateSome(db, workspaceId, rows.slice(start, start + runsAtOnce))));
  }
  return runs;
}

/** Runs by their keys, in the order of the keys. */
export async function getRunsByKey(db: Db, workspaceId: number, runKeys: readonly number[]): Promise<Run[]> {
  const runs: Run[] = [];
  for (let start = 0; start < runKeys.length; start += runsAtOnce) {
    const keys = runKeys.slice(start, start + runsAtOnce);
    const rows = await db.selectFrom('runs').selectAll().where('run_key', 'in', keys).execute();
    const byKey = new Map(rows.map((row) => [row.run_key, row]));
    runs.push(
      ...(await hydrateSome(
        db,
        workspaceId,
        keys.flatMap((key) => byKey.get(key) ?? []),
      )),
    );
  }
  return runs;
}

async function hydrateSome(db: Db, workspaceId: number, rows: readonly RunRow[]): Promise<Run[]> {
  if (rows.length === 0) return [];
  const keys = rows.map((row) => row.run_key);
  const [metrics, params, tags, inputs, models] = await Promise.all([
    latestMetrics(db, workspaceId, keys),
    texts(db, 'run_params', workspaceId, keys),
    texts(db, 'run_tags', workspaceId, keys),
    datasetInputs(db, workspaceId, keys),
    runModels(db, workspaceId, keys),
  ]);
  return rows.map((row) => {
    const linked = models.get(row.run_key) ?? [];
    return {
      info: runInfo(row),
      data: {
        metrics: metrics.get(row.run_key) ?? [],
        params: params.get(row.run_key) ?? [],
        tags: tags.get(row.run_key) ?? [],
      },
      inputs: {
        dataset_inputs: inputs.get(row.run_key) ?? [],
        model_inputs: linked.flatMap(({ direction, model_id }) => (direction === 'input' ? [{ model_id }] : [])),
      },
      outputs: {
        model_outputs: linked.flatMap(({ direction, model_id, step }) =>
          direction === 'output' ? [{ model_id, step }] : [],
        ),
      },
    };
  });
}

export function runInfo(row: RunRow): RunInfo {
  return {
    run_uuid: row.run_id,
    experiment_id: String(row.experiment_id),
    run_name: row.run_name,
    user_id: row.user_id,
    status: row.status as RunInfo['status'],
    start_time: row.start_time,
    ...(row.end_time === null ? {} : { end_time: row.end_time }),
    artifact_uri: row.artifact_uri,
    lifecycle_stage: row.lifecycle_stage,
    run_id: row.run_id,
  };
}

/** A metric's point as the wire shows it. */
export function metricOf(key: string, point: { value: number; is_nan: number; timestamp: Int64; step: Int64 }): Metric {
  return { key, value: point.is_nan === 1 ? NaN : point.value, timestamp: point.timestamp, step: point.step };
}

async function latestMetrics(db: Db, workspaceId: number, runKeys: readonly number[]): Promise<Map<number, Metric[]>> {
  const rows = await db
    .selectFrom('latest_metrics')
    .innerJoin('metric_keys', 'metric_keys.metric_key', 'latest_metrics.metric_key')
    .select(['run_key', 'key', 'timestamp', 'step', 'value', 'is_nan'])
    .where('latest_metrics.workspace_id', '=', workspaceId)
    .where('run_key', 'in', runKeys)
    .orderBy('run_key')
    .orderBy('latest_metrics.metric_key')
    .execute();
  return byRun(rows, (row) => metricOf(row.key, row));
}

async function texts(
  db: Db,
  table: 'run_params' | 'run_tags',
  workspaceId: number,
  runKeys: readonly number[],
): Promise<Map<number, (Param | RunTag)[]>> {
  const rows = await db
    .selectFrom(table)
    .select(['run_key', 'key', 'value'])
    .where('workspace_id', '=', workspaceId)
    .where('run_key', 'in', runKeys)
    .orderBy('run_key')
    .orderBy('key')
    .execute();
  return byRun(rows, ({ key, value }) => ({ key, value }));
}

async function datasetInputs(
  db: Db,
  workspaceId: number,
  runKeys: readonly number[],
): Promise<Map<number, DatasetInput[]>> {
  const rows = await db
    .selectFrom('run_inputs')
    .innerJoin('datasets', 'datasets.dataset_key', 'run_inputs.dataset_key')
    .select(['run_key', 'run_inputs.dataset_key', 'name', 'digest', 'source_type', 'source', 'schema', 'profile'])
    .where('run_inputs.workspace_id', '=', workspaceId)
    .where('run_key', 'in', runKeys)
    .orderBy('run_key')
    .orderBy('run_inputs.dataset_key')
    .execute();
  if (rows.length === 0) return new Map();
  const tagRows = await db
    .selectFrom('run_input_tags')
    .select(['run_key', 'dataset_key', 'key', 'value'])
    .where('workspace_id', '=', workspaceId)
    .where('run_key', 'in', runKeys)
    .orderBy('run_key')
    .orderBy('dataset_key')
    .orderBy('key')
    .execute();
  const tags = byRun(tagRows, (row) => row);
  return byRun(rows, ({ run_key, dataset_key, name, digest, source_type, source, schema, profile }) => ({
    tags: (tags.get(run_key) ?? []).flatMap((tag) =>
      tag.dataset_key === dataset_key ? [{ key: tag.key, value: tag.value }] : [],
    ),
    dataset: {
      name,
      digest,
      source_type,
      source,
      ...(schema === null ? {} : { schema }),
      ...(profile === null ? {} : { profile }),
    },
  }));
}

async function runModels(db: Db, workspaceId: number, runKeys: readonly number[]) {
  const rows = await db
    .selectFrom('run_models')
    .select(['run_key', 'direction', 'model_id', 'step'])
    .where('workspace_id', '=', workspaceId)
    .where('run_key', 'in', runKeys)
    .orderBy('run_key')
    .orderBy('direction')
    .orderBy('model_id')
    .orderBy('step')
    .execute();
  return byRun(rows, (row) => row);
}

function byRun<Row extends { run_key: number }, Item>(
  rows: readonly Row[],
  itemOf: (row: Row) => Item,
): Map<number, Item[]> {
  const items = new Map<number, Item[]>();
  for (const row of rows) {
    const list = items.get(row.run_key);
    if (list === undefined) items.set(row.run_key, [itemOf(row)]);
    else list.push(itemOf(row));
  }
  return items;
}
