import type { Selectable } from 'kysely';
import { invalidParameter } from '@lazuli/contract';
import type { Db, Transaction } from '../database/engine.ts';
import type { LoggedModelTable } from '../database/schema.ts';
import { noSuchModel } from '../runs/model-links.ts';

export type LoggedModelRow = Selectable<LoggedModelTable>;
export type NewLoggedModel = Omit<LoggedModelRow, 'model_key'>;

interface KeyValue {
  readonly key: string;
  readonly value: string;
}

function selectModel(db: Db, workspaceId: number, modelId: string) {
  return db
    .selectFrom('logged_models')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('model_id', '=', modelId)
    .where('lifecycle_stage', '!=', 'collected');
}

/** A model that is there and not deleted. */
export async function findModel(db: Db, workspaceId: number, modelId: string): Promise<LoggedModelRow | undefined> {
  return selectModel(db, workspaceId, modelId).where('lifecycle_stage', '=', 'active').executeTakeFirst();
}

/** Locks a model if it is there. */
export async function findLockedModel(
  { db, locked }: Transaction,
  workspaceId: number,
  modelId: string,
): Promise<LoggedModelRow | undefined> {
  return locked(selectModel(db, workspaceId, modelId)).executeTakeFirst();
}

/** *MLflow: a deleted model is not found, unless it is asked for.* */
export async function getModel(
  db: Db,
  workspaceId: number,
  { modelId, deleted }: { modelId: string; deleted: 'hidden' | 'shown' },
): Promise<LoggedModelRow> {
  const row = await selectModel(db, workspaceId, modelId).executeTakeFirst();
  if (row === undefined || (deleted === 'hidden' && row.lifecycle_stage !== 'active')) throw noSuchModel(modelId);
  return row;
}

/** A model for a transaction that decides on its row: nobody else writes it, or links points with it, until the commit. */
export async function lockModel(tx: Transaction, workspaceId: number, modelId: string): Promise<LoggedModelRow> {
  const row = await findLockedModel(tx, workspaceId, modelId);
  if (row === undefined) throw noSuchModel(modelId);
  return row;
}

export async function lockActiveModel(tx: Transaction, workspaceId: number, modelId: string): Promise<LoggedModelRow> {
  const row = await lockModel(tx, workspaceId, modelId);
  if (row.lifecycle_stage !== 'active') throw noSuchModel(modelId);
  return row;
}

export async function insertModel(db: Db, row: NewLoggedModel): Promise<LoggedModelRow> {
  return db.insertInto('logged_models').values(row).returningAll().executeTakeFirstOrThrow();
}

export async function updateModel(
  db: Db,
  { model_key }: LoggedModelRow,
  change: Partial<Pick<LoggedModelRow, 'status' | 'lifecycle_stage' | 'last_updated_timestamp_ms'>>,
): Promise<void> {
  await db.updateTable('logged_models').set(change).where('model_key', '=', model_key).execute();
}

/** Adds params to a model, which is locked. *Params are write-once*; the same value again changes nothing. */
export async function addModelParams(
  db: Db,
  { workspace_id, model_key, model_id }: LoggedModelRow,
  params: readonly KeyValue[],
): Promise<void> {
  if (params.length === 0) return;
  const present = await db
    .selectFrom('logged_model_params')
    .select(['key', 'value'])
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .where(
      'key',
      'in',
      params.map(({ key }) => key),
    )
    .execute();
  const logged = new Map(present.map(({ key, value }) => [key, value]));
  for (const { key, value } of params) {
    const before = logged.get(key);
    if (before === undefined || before === value) continue;
    throw invalidParameter(
      `Changing param values is not allowed. Param with key='${key}' was already logged with value='${before}' for model ID='${model_id}'. Attempted logging new value '${value}'.`,
    );
  }
  const fresh = params.filter(({ key }) => !logged.has(key));
  if (fresh.length === 0) return;
  await db
    .insertInto('logged_model_params')
    .values(fresh.map(({ key, value }) => ({ workspace_id, model_key, key, value })))
    .execute();
}
