import type { Selectable } from 'kysely';
import { MlflowError, type RegisteredModel } from '@lazuli/contract';
import type { Db, Transaction } from '../database/engine.ts';
import type { RegisteredModelTable } from '../database/schema.ts';
import { noSuchModel, type Tag } from './registry-rules.ts';
import { hydrateVersions, latestVersionsOf, type ModelKey } from './version-store.ts';

export type ModelRow = Selectable<RegisteredModelTable>;

function selectModel(db: Db, workspaceId: number, name: string) {
  return db
    .selectFrom('registered_models')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('name', '=', name);
}

export async function findModel(db: Db, workspaceId: number, name: string): Promise<ModelRow | undefined> {
  return selectModel(db, workspaceId, name).executeTakeFirst();
}

export async function getModel(db: Db, workspaceId: number, name: string): Promise<ModelRow> {
  const row = await findModel(db, workspaceId, name);
  if (row === undefined) throw noSuchModel(name);
  return row;
}

/**
 * A model for a transaction that changes it or anything of it. All writers of a model, its versions, tags and aliases begin
 * here, so they come one after another.
 */
export async function lockModel({ db, locked }: Transaction, workspaceId: number, name: string): Promise<ModelRow> {
  const row = await findLocked({ db, locked }, workspaceId, name);
  if (row === undefined) throw noSuchModel(name);
  return row;
}

export async function findLocked(
  { db, locked }: Pick<Transaction, 'db' | 'locked'>,
  workspaceId: number,
  name: string,
): Promise<ModelRow | undefined> {
  return locked(selectModel(db, workspaceId, name)).executeTakeFirst();
}

/** The next key of a workspace; keys are never given out twice, because changes outlive their model. */
export async function takeModelKey(db: Db, workspaceId: number): Promise<number> {
  const taken = await db
    .updateTable('workspaces')
    .set((update) => ({ next_model_key: update('next_model_key', '+', 1) }))
    .where('workspace_id', '=', workspaceId)
    .returning('next_model_key')
    .executeTakeFirst();
  // The request was let in before somebody removed its workspace.
  if (taken === undefined) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', 'The workspace does not exist any more.');
  return taken.next_model_key - 1;
}

/** The new row, or undefined where the name is taken. */
export async function insertModel(db: Db, row: ModelRow): Promise<ModelRow | undefined> {
  return db
    .insertInto('registered_models')
    .values(row)
    .onConflict((conflict) => conflict.columns(['workspace_id', 'name']).doNothing())
    .returningAll()
    .executeTakeFirst();
}

export async function updateModel(
  db: Db,
  { workspace_id, model_key }: ModelKey,
  change: Partial<Pick<ModelRow, 'name' | 'description' | 'next_version' | 'last_updated_timestamp'>>,
): Promise<void> {
  await db
    .updateTable('registered_models')
    .set(change)
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .execute();
}

/** Removes a model with everything that is its own; its changes stay. */
export async function removeModel(db: Db, { workspace_id, model_key }: ModelKey): Promise<void> {
  const tables = [
    'model_aliases',
    'model_version_tags',
    'model_versions',
    'registered_model_tags',
    'registered_models',
  ] as const;
  for (const table of tables) {
    await db
      .deleteFrom(table as 'registered_models')
      .where('workspace_id', '=', workspace_id)
      .where('model_key', '=', model_key)
      .execute();
  }
}

export async function listModelTags(db: Db, workspaceId: number, keys: readonly number[]): Promise<Map<number, Tag[]>> {
  const tags = new Map<number, Tag[]>(keys.map((key) => [key, []]));
  if (keys.length === 0) return tags;
  const rows = await db
    .selectFrom('registered_model_tags')
    .select(['model_key', 'key', 'value'])
    .where('workspace_id', '=', workspaceId)
    .where('model_key', 'in', keys)
    .orderBy('key')
    .execute();
  for (const { model_key, key, value } of rows) tags.get(model_key)?.push({ key, value });
  return tags;
}

export async function findAlias(db: Db, { workspace_id, model_key }: ModelKey, alias: string) {
  return db
    .selectFrom('model_aliases')
    .select('version')
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .where('alias', '=', alias)
    .executeTakeFirst();
}

export async function upsertAlias(
  db: Db,
  { workspace_id, model_key }: ModelKey,
  alias: string,
  version: number,
): Promise<void> {
  await db
    .insertInto('model_aliases')
    .values({ workspace_id, model_key, alias, version })
    .onConflict((conflict) => conflict.columns(['workspace_id', 'model_key', 'alias']).doUpdateSet({ version }))
    .execute();
}

export async function removeAlias(db: Db, { workspace_id, model_key }: ModelKey, alias: string): Promise<void> {
  await db
    .deleteFrom('model_aliases')
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .where('alias', '=', alias)
    .execute();
}

/** Models as answers show them, in the order of the rows: their tags, aliases and the latest version of each stage. */
export async function hydrateModels(db: Db, rows: readonly ModelRow[]): Promise<RegisteredModel[]> {
  const [first] = rows;
  if (first === undefined) return [];
  const workspaceId = first.workspace_id;
  const keys = rows.map((row) => row.model_key);
  const tags = await listModelTags(db, workspaceId, keys);
  const aliases = new Map<number, { alias: string; version: string }[]>(keys.map((key) => [key, []]));
  const aliasRows = await db
    .selectFrom('model_aliases')
    .select(['model_key', 'alias', 'version'])
    .where('workspace_id', '=', workspaceId)
    .where('model_key', 'in', keys)
    .orderBy('alias')
    .execute();
  for (const { model_key, alias, version } of aliasRows)
    aliases.get(model_key)?.push({ alias, version: String(version) });
  const names = new Map(rows.map((row) => [row.model_key, row.name]));
  const latestRows = await latestVersionsOf(db, workspaceId, keys);
  const latest = await hydrateVersions(db, latestRows, { names });
  return rows.map((row) => ({
    name: row.name,
    creation_timestamp: row.creation_timestamp,
    last_updated_timestamp: row.last_updated_timestamp,
    user_id: row.user_id,
    // *MLflow shows no description that is empty.*
    ...(row.description === null || row.description === '' ? {} : { description: row.description }),
    latest_versions: latest.filter((_, index) => latestRows[index]?.model_key === row.model_key),
    tags: tags.get(row.model_key) ?? [],
    aliases: aliases.get(row.model_key) ?? [],
  }));
}

export async function modelsByKeys(db: Db, workspaceId: number, keys: readonly number[]): Promise<ModelRow[]> {
  if (keys.length === 0) return [];
  const rows = await db
    .selectFrom('registered_models')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('model_key', 'in', keys)
    .execute();
  const byKey = new Map(rows.map((row) => [row.model_key, row]));
  return keys.flatMap((key) => byKey.get(key) ?? []);
}
