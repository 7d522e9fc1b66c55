import type { Dataset, DatasetInput, Int64 } from '@lazuli/contract';
import type { Db } from '../database/engine.ts';
import type { RunRow } from './run-store.ts';

/** Inserts a dataset if the experiment has none of this name and digest; gives its key. */
export async function internDataset(
  db: Db,
  { workspace_id, experiment_id }: RunRow,
  dataset: Dataset,
): Promise<number> {
  const present = db
    .selectFrom('datasets')
    .select('dataset_key')
    .where('workspace_id', '=', workspace_id)
    .where('experiment_id', '=', experiment_id)
    .where('name', '=', dataset.name)
    .where('digest', '=', dataset.digest);
  const found = await present.executeTakeFirst();
  if (found !== undefined) return found.dataset_key;
  const { name, digest, source_type, source } = dataset;
  await db
    .insertInto('datasets')
    .values({
      workspace_id,
      experiment_id,
      name,
      digest,
      source_type,
      source,
      schema: absentIfEmpty(dataset.schema),
      profile: absentIfEmpty(dataset.profile),
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return (await present.executeTakeFirstOrThrow()).dataset_key;
}

/** *MLflow shows neither a schema nor a profile that is empty.* */
function absentIfEmpty(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

/** Records that a run reads a dataset. *MLflow: the same dataset again adds nothing, not even tags.* */
export async function insertInput(
  db: Db,
  { workspace_id, run_key }: RunRow,
  dataset_key: number,
  tags: NonNullable<DatasetInput['tags']>,
): Promise<void> {
  const inserted = await db
    .insertInto('run_inputs')
    .values({ workspace_id, run_key, dataset_key })
    .onConflict((conflict) => conflict.doNothing())
    .returning('dataset_key')
    .executeTakeFirst();
  if (inserted === undefined || tags.length === 0) return;
  await db
    .insertInto('run_input_tags')
    .values(tags.map(({ key, value }) => ({ workspace_id, run_key, dataset_key, key, value })))
    .execute();
}

export async function insertRunModels(
  db: Db,
  { workspace_id, run_key }: RunRow,
  direction: 'input' | 'output',
  models: readonly { model_id: string; step: Int64 }[],
): Promise<void> {
  if (models.length === 0) return;
  await db
    .insertInto('run_models')
    .values(models.map(({ model_id, step }) => ({ workspace_id, run_key, direction, model_id, step })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export interface DatasetUse {
  readonly experiment_id: number;
  readonly name: string;
  readonly digest: string;
  readonly context: string | null;
}

/** The distinct (experiment, name, digest, context) of datasets that runs of some experiments read. */
export async function listDatasetUses(
  db: Db,
  workspaceId: number,
  experimentIds: readonly number[],
  limit: number,
): Promise<DatasetUse[]> {
  return db
    .selectFrom('datasets')
    .innerJoin('run_inputs', (join) =>
      join
        .onRef('run_inputs.workspace_id', '=', 'datasets.workspace_id')
        .onRef('run_inputs.dataset_key', '=', 'datasets.dataset_key'),
    )
    .leftJoin('run_input_tags', (join) =>
      join
        .onRef('run_input_tags.workspace_id', '=', 'run_inputs.workspace_id')
        .onRef('run_input_tags.run_key', '=', 'run_inputs.run_key')
        .onRef('run_input_tags.dataset_key', '=', 'run_inputs.dataset_key')
        .on('run_input_tags.key', '=', 'mlflow.data.context'),
    )
    .select(['datasets.experiment_id', 'datasets.name', 'datasets.digest', 'run_input_tags.value as context'])
    .distinct()
    .where('datasets.workspace_id', '=', workspaceId)
    .where('datasets.experiment_id', 'in', experimentIds)
    .orderBy('datasets.experiment_id')
    .orderBy('datasets.name')
    .orderBy('datasets.digest')
    .limit(limit)
    .execute();
}
