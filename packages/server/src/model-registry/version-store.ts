import type { Selectable } from 'kysely';
import type { ModelVersion } from '@lazuli/contract';
import type { Db } from '../database/engine.ts';
import type { ModelVersionTable } from '../database/schema.ts';
import { noSuchVersion, readVersion, type Stage, type Tag } from './registry-rules.ts';

export type VersionRow = Selectable<ModelVersionTable>;
/** What addresses a model inside. */
export type ModelKey = Pick<VersionRow, 'workspace_id' | 'model_key'>;
export type VersionKey = Pick<VersionRow, 'workspace_id' | 'model_key' | 'version'>;

function selectVersions(db: Db, { workspace_id, model_key }: ModelKey) {
  return db
    .selectFrom('model_versions')
    .selectAll()
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key);
}

export async function findVersion(db: Db, model: ModelKey, version: number): Promise<VersionRow | undefined> {
  return selectVersions(db, model).where('version', '=', version).executeTakeFirst();
}

/** A version by the number that the caller wrote. */
export async function getVersion(db: Db, model: ModelKey & { name: string }, given: string): Promise<VersionRow> {
  const version = readVersion(given);
  const row = version === undefined ? undefined : await findVersion(db, model, version);
  if (row === undefined) throw noSuchVersion(model.name, given.trim());
  return row;
}

/** The version with the highest number. */
export async function findNewestVersion(db: Db, model: ModelKey): Promise<VersionRow | undefined> {
  return selectVersions(db, model).orderBy('version', 'desc').limit(1).executeTakeFirst();
}

export async function listVersionsInStage(db: Db, model: ModelKey, stage: Stage): Promise<VersionRow[]> {
  return selectVersions(db, model).where('current_stage', '=', stage).orderBy('version').execute();
}

export async function insertVersion(db: Db, row: VersionRow): Promise<void> {
  await db.insertInto('model_versions').values(row).execute();
}

export async function updateVersion(
  db: Db,
  { workspace_id, model_key, version }: VersionKey,
  change: Partial<Pick<VersionRow, 'description' | 'current_stage' | 'last_updated_timestamp'>>,
): Promise<void> {
  await db
    .updateTable('model_versions')
    .set(change)
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .where('version', '=', version)
    .execute();
}

/** *MLflow: a rename counts as an update of every version.* */
export async function touchVersions(db: Db, { workspace_id, model_key }: ModelKey, time: number): Promise<void> {
  await db
    .updateTable('model_versions')
    .set({ last_updated_timestamp: time })
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .execute();
}

/** Removes a version with its tags and the aliases that name it. */
export async function removeVersion(db: Db, { workspace_id, model_key, version }: VersionKey): Promise<void> {
  for (const table of ['model_aliases', 'model_version_tags', 'model_versions'] as const) {
    await db
      .deleteFrom(table as 'model_versions')
      .where('workspace_id', '=', workspace_id)
      .where('model_key', '=', model_key)
      .where('version', '=', version)
      .execute();
  }
}

export async function listAliasesOf(db: Db, { workspace_id, model_key, version }: VersionKey): Promise<string[]> {
  const rows = await db
    .selectFrom('model_aliases')
    .select('alias')
    .where('workspace_id', '=', workspace_id)
    .where('model_key', '=', model_key)
    .where('version', '=', version)
    .orderBy('alias')
    .execute();
  return rows.map(({ alias }) => alias);
}

/** The versions that logged models have become, by the models' ids. */
export async function listRegistrations(
  db: Db,
  workspaceId: number,
  modelIds: readonly string[],
): Promise<Map<string, { name: string; version: string }[]>> {
  const rows = await db
    .selectFrom('model_versions as v')
    .innerJoin('registered_models as m', (join) =>
      join.onRef('m.workspace_id', '=', 'v.workspace_id').onRef('m.model_key', '=', 'v.model_key'),
    )
    .select(['v.model_id', 'm.name', 'v.version'])
    .where('v.workspace_id', '=', workspaceId)
    .where('v.model_id', 'in', modelIds)
    .orderBy('m.name')
    .orderBy('v.version')
    .execute();
  const registrations = new Map<string, { name: string; version: string }[]>();
  for (const { model_id, name, version } of rows) {
    const registration = { name, version: String(version) };
    const list = registrations.get(model_id ?? '');
    if (list === undefined) registrations.set(model_id ?? '', [registration]);
    else list.push(registration);
  }
  return registrations;
}

/**
 * The latest version of each stage of some models, by model. *MLflow: stages come in the order in which the model's
 * versions have them first.*
 */
export async function latestVersionsOf(
  db: Db,
  workspaceId: number,
  modelKeys: readonly number[],
): Promise<VersionRow[]> {
  if (modelKeys.length === 0) return [];
  const ends = await db
    .selectFrom('model_versions')
    .select(({ fn }) => ['model_key', fn.max('version').as('last'), fn.min('version').as('first')])
    .where('workspace_id', '=', workspaceId)
    .where('model_key', 'in', modelKeys)
    .where('status', '=', 'READY')
    .groupBy(['model_key', 'current_stage'])
    .execute();
  ends.sort((a, b) => a.model_key - b.model_key || a.first - b.first);
  return versionsByKeys(
    db,
    workspaceId,
    ends.map(({ model_key, last }) => ({ model_key, version: last })),
  );
}

const pairsAtOnce = 500;

export interface Hydration {
  /** The name of each model, by its key. */
  readonly names: ReadonlyMap<number, string>;
  /** *MLflow shows the aliases of a version that is asked for by itself, and nowhere else.* */
  readonly aliases?: readonly string[];
}

/** Versions as answers show them, in the order of the rows, with their tags. */
export async function hydrateVersions(
  db: Db,
  rows: readonly VersionRow[],
  { names, aliases }: Hydration,
): Promise<ModelVersion[]> {
  const tags = await tagsOf(db, rows);
  return rows.map((row) => ({
    name: names.get(row.model_key) ?? '',
    version: String(row.version),
    creation_timestamp: row.creation_timestamp,
    last_updated_timestamp: row.last_updated_timestamp,
    user_id: row.user_id,
    current_stage: row.current_stage,
    ...(row.description === null ? {} : { description: row.description }),
    source: row.source,
    run_id: row.run_id,
    status: row.status as ModelVersion['status'],
    ...(row.status_message === null ? {} : { status_message: row.status_message }),
    tags: tags.get(keyOf(row)) ?? [],
    run_link: row.run_link,
    ...(aliases === undefined ? {} : { aliases: [...aliases] }),
    ...(row.model_id === null ? {} : { model_id: row.model_id }),
  }));
}

async function tagsOf(db: Db, rows: readonly VersionRow[]): Promise<Map<string, Tag[]>> {
  const tags = new Map<string, Tag[]>();
  const [first] = rows;
  if (first === undefined) return tags;
  for (let start = 0; start < rows.length; start += pairsAtOnce) {
    const part = rows.slice(start, start + pairsAtOnce);
    const found = await db
      .selectFrom('model_version_tags')
      .select(['model_key', 'version', 'key', 'value'])
      .where('workspace_id', '=', first.workspace_id)
      .where((where) =>
        where.eb(
          where.refTuple('model_key', 'version'),
          'in',
          part.map((row) => where.tuple(row.model_key, row.version)),
        ),
      )
      .orderBy('key')
      .execute();
    for (const { key, value, ...of } of found) {
      const list = tags.get(keyOf(of));
      if (list === undefined) tags.set(keyOf(of), [{ key, value }]);
      else list.push({ key, value });
    }
  }
  return tags;
}

function keyOf({ model_key, version }: Pick<VersionRow, 'model_key' | 'version'>): string {
  return `${model_key}/${version}`;
}

export async function versionsByKeys(
  db: Db,
  workspaceId: number,
  keys: readonly Pick<VersionRow, 'model_key' | 'version'>[],
): Promise<VersionRow[]> {
  const byKey = new Map<string, VersionRow>();
  for (let start = 0; start < keys.length; start += pairsAtOnce) {
    const rows = await selectPairs(db, workspaceId, keys.slice(start, start + pairsAtOnce)).execute();
    for (const row of rows) byKey.set(keyOf(row), row);
  }
  return keys.flatMap((key) => byKey.get(keyOf(key)) ?? []);
}

function selectPairs(db: Db, workspaceId: number, keys: readonly Pick<VersionRow, 'model_key' | 'version'>[]) {
  return db
    .selectFrom('model_versions')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where((where) =>
      where.eb(
        where.refTuple('model_key', 'version'),
        'in',
        keys.map(({ model_key, version }) => where.tuple(model_key, version)),
      ),
    );
}
