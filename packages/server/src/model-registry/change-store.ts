import { sql, type Selectable } from 'kysely';
import type { ChangeKind } from '@lazuli/contract';
import type { Db } from '../database/engine.ts';
import type { RegistryChangeTable } from '../database/schema.ts';
import type { ModelRow } from './model-store.ts';

/**
 * The audit trail: every change of a model is written in the transaction that makes it, while the model is locked, so that
 * the keys of a model's changes are in the order of the changes.
 */
export type ChangeRow = Selectable<RegistryChangeTable>;

export interface Change {
  readonly kind: ChangeKind;
  readonly version?: number;
  readonly key?: string;
  readonly from?: string | null;
  readonly to?: string | null;
}

export interface Author {
  readonly principal: string;
  readonly timestamp: number;
}

const rowsAtOnce = 500;

/** Records changes of a model. What is as it was is no change. */
export async function recordChanges(
  db: Db,
  { workspace_id, model_key, name }: Pick<ModelRow, 'workspace_id' | 'model_key' | 'name'>,
  { principal, timestamp }: Author,
  changes: readonly Change[],
): Promise<void> {
  const rows = changes
    .filter(({ from = null, to = null, kind }) => from !== to || kind === 'MODEL_DELETED')
    .map(({ kind, version = null, key = null, from = null, to = null }) => ({
      workspace_id,
      model_key,
      timestamp,
      principal,
      kind,
      name,
      version,
      key,
      old_value: from,
      new_value: to,
    }));
  for (let start = 0; start < rows.length; start += rowsAtOnce) {
    await db
      .insertInto('registry_changes')
      .values(rows.slice(start, start + rowsAtOnce))
      .execute();
  }
}

/** Records that a model goes with all that it has: every alias and every version ends. */
export async function recordEnd(db: Db, model: ModelRow, author: Author): Promise<void> {
  const { workspace_id, model_key } = model;
  const aliases = await db
    .selectFrom('model_aliases')
    .select(['alias', 'version'])
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .orderBy('alias')
    .execute();
  const versions = await db
    .selectFrom('model_versions')
    .select(['version', 'current_stage'])
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .orderBy('version')
    .execute();
  await recordChanges(db, model, author, [
    ...aliases.map(({ alias, version }) => ({ kind: 'ALIAS', key: alias, from: String(version) }) as const),
    ...versions.map(
      ({ version, current_stage }) => ({ kind: 'VERSION_DELETED', version, from: current_stage }) as const,
    ),
    { kind: 'MODEL_DELETED', from: model.name },
  ]);
}

/**
 * The model that a name meant at a time, also one that is gone: the last that was changed under this name until then, and else
 * the one that has the name now.
 */
export async function findModelKeyAt(
  db: Db,
  workspaceId: number,
  name: string,
  timestamp: number,
): Promise<number | undefined> {
  const changed = await db
    .selectFrom('registry_changes')
    .select('model_key')
    .where('workspace_id', '=', workspaceId)
    .where('name', '=', name)
    .where('timestamp', '<=', timestamp)
    .orderBy('change_key', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (changed !== undefined) return changed.model_key;
  const present = await db
    .selectFrom('registered_models')
    .select('model_key')
    .where('workspace_id', '=', workspaceId)
    .where('name', '=', name)
    .executeTakeFirst();
  return present?.model_key;
}

export interface ChangeFilter {
  readonly version?: number | undefined;
  readonly kind?: string | undefined;
  readonly key?: string | undefined;
  /** Only changes before this one. */
  readonly before?: number | undefined;
}

export async function listChanges(
  db: Db,
  workspaceId: number,
  modelKey: number,
  { version, kind, key, before, limit }: ChangeFilter & { limit: number },
): Promise<ChangeRow[]> {
  let query = db
    .selectFrom('registry_changes')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('model_key', '=', modelKey);
  if (version !== undefined) query = query.where('version', '=', version);
  if (kind !== undefined) query = query.where('kind', '=', kind);
  if (key !== undefined) query = query.where('key', '=', key);
  if (before !== undefined) query = query.where('change_key', '<', before);
  return query.orderBy('change_key', 'desc').limit(limit).execute();
}

/** The last change of an alias until a time. */
export async function findAliasChange(
  db: Db,
  {
    workspaceId,
    modelKey,
    alias,
    timestamp,
  }: { workspaceId: number; modelKey: number; alias: string; timestamp: number },
): Promise<ChangeRow | undefined> {
  return db
    .selectFrom('registry_changes')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('model_key', '=', modelKey)
    .where('kind', '=', 'ALIAS')
    .where('key', '=', alias)
    .where('timestamp', '<=', timestamp)
    .orderBy('change_key', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** The change by which each version that was in a stage at a time came there, by version. */
export async function listStageChanges(
  db: Db,
  {
    workspaceId,
    modelKey,
    stage,
    timestamp,
  }: { workspaceId: number; modelKey: number; stage: string; timestamp: number },
): Promise<ChangeRow[]> {
  const last = db
    .selectFrom('registry_changes')
    .select(({ fn }) => fn.max('change_key').as('change_key'))
    .where('workspace_id', '=', workspaceId)
    .where('model_key', '=', modelKey)
    .where('kind', 'in', ['VERSION_CREATED', 'STAGE', 'VERSION_DELETED'])
    .where('timestamp', '<=', timestamp)
    .groupBy('version');
  return db
    .selectFrom('registry_changes')
    .selectAll()
    .where('change_key', 'in', last)
    .where(sql`coalesce(new_value, '')`, '=', stage)
    .orderBy('version')
    .execute();
}
