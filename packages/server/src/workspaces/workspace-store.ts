import { sql, type Insertable, type Selectable } from 'kysely';
import type { WorkspaceRef } from '../access/caller.ts';
import { scopeKey, workspaceScope, type WorkspacePlace } from '../access/scope.ts';
import type { Db, Transaction } from '../database/engine.ts';
import type { Tables, WorkspaceTable } from '../database/schema.ts';
import { insertGroup } from './group-store.ts';

export type WorkspaceRow = Selectable<WorkspaceTable>;
export type NewWorkspace = Insertable<WorkspaceTable>;
export type WorkspaceChange = Partial<Omit<WorkspaceRow, 'workspace_id'>>;

export function workspaceRef(row: WorkspaceRow): WorkspaceRef {
  return {
    workspaceId: row.workspace_id,
    guid: row.guid,
    name: row.name,
    subscriptionId: row.subscription_id,
    resourceGroup: row.resource_group,
    region: row.region,
    defaultArtifactRoot: row.default_artifact_root,
    privateLink: row.private_link === 1,
  };
}

/** Workspaces with this name, whatever their subscription and group, the oldest first. */
export async function findWorkspacesByName(db: Db, name: string): Promise<WorkspaceRow[]> {
  return db.selectFrom('workspaces').selectAll().where('name', '=', name).orderBy('workspace_id').execute();
}

export async function findWorkspaceByGuid(db: Db, guid: string): Promise<WorkspaceRow | undefined> {
  return db.selectFrom('workspaces').selectAll().where('guid', '=', guid).executeTakeFirst();
}

/** A workspace that cannot be gone: the default one. */
export async function getWorkspace(db: Db, workspaceId: number): Promise<WorkspaceRow> {
  return db.selectFrom('workspaces').selectAll().where('workspace_id', '=', workspaceId).executeTakeFirstOrThrow();
}

export async function listWorkspaces(db: Db): Promise<WorkspaceRow[]> {
  return db.selectFrom('workspaces').selectAll().orderBy('name').orderBy('workspace_id').execute();
}

export async function listPrivateRegions(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('workspaces').select('region').where('private_link', '=', 1).distinct().execute();
  return rows.map(({ region }) => region.toLowerCase());
}

/** The new row, or undefined where the subscription and group have a workspace of this name. The group comes with it. */
export async function insertWorkspace(db: Db, row: NewWorkspace): Promise<WorkspaceRow | undefined> {
  await insertGroup(db, {
    subscription_id: row.subscription_id,
    name: row.resource_group,
    location: row.region,
    tags: '{}',
  });
  return db
    .insertInto('workspaces')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
}

/** Where its experiments keep their artifacts. */
export async function listLocations(db: Db, workspaceId: number): Promise<string[]> {
  const rows = await db
    .selectFrom('experiments')
    .select('artifact_location')
    .distinct()
    .where('workspace_id', '=', workspaceId)
    .execute();
  return rows.map(({ artifact_location }) => artifact_location);
}

export async function updateWorkspace(db: Db, workspaceId: number, change: WorkspaceChange): Promise<void> {
  await db.updateTable('workspaces').set(change).where('workspace_id', '=', workspaceId).execute();
}

/** A workspace by its place, which is compared without regard to case. *Azure: so are all names in ids.* */
export async function findWorkspaceAt(db: Db, place: WorkspacePlace): Promise<WorkspaceRow | undefined> {
  return db
    .selectFrom('workspaces')
    .selectAll()
    .where(sql`lower(subscription_id)`, '=', place.subscriptionId.toLowerCase())
    .where(sql`lower(resource_group)`, '=', place.resourceGroup.toLowerCase())
    .where(sql`lower(name)`, '=', place.name.toLowerCase())
    .executeTakeFirst();
}

export async function countContents(
  db: Db,
  workspaceId: number,
): Promise<{ experiments: number; runs: number; models: number }> {
  const count = async (table: 'experiments' | 'runs' | 'registered_models'): Promise<number> => {
    const { total } = await db
      .selectFrom(table as 'experiments')
      .select((select) => select.fn.countAll().as('total'))
      .where('workspace_id', '=', workspaceId)
      .executeTakeFirstOrThrow();
    return Number(total);
  };
  return {
    experiments: await count('experiments'),
    runs: await count('runs'),
    models: await count('registered_models'),
  };
}

/** Every table with rows of a workspace, those that refer to others first. */
const ownedTables = [
  'removals',
  'collections',
  'logged_model_metrics',
  'logged_model_tags',
  'logged_model_params',
  'logged_models',
  'registry_changes',
  'model_aliases',
  'model_version_tags',
  'model_versions',
  'registered_model_tags',
  'registered_models',
  'jobs',
  'run_requests',
  'api_tokens',
  'run_models',
  'run_input_tags',
  'run_inputs',
  'datasets',
  'latest_metrics',
  'metric_points',
  'metric_keys',
  'run_tags',
  'run_params',
  'runs',
  'experiment_tags',
  'experiments',
  'workspaces',
] as const satisfies readonly (keyof Tables)[];

/** A workspace by its number, locked: nobody else changes it, or makes experiments in it, until the commit. */
export async function lockWorkspace(
  { db, locked }: Transaction,
  workspaceId: number,
): Promise<WorkspaceRow | undefined> {
  return locked(db.selectFrom('workspaces').selectAll().where('workspace_id', '=', workspaceId)).executeTakeFirst();
}

/** Removes a workspace, which is locked, with everything in it. */
export async function removeWorkspace({ db, locked }: Transaction, row: WorkspaceRow): Promise<void> {
  const workspaceId = row.workspace_id;
  // Whoever logs requires its run, and whoever makes a run its experiment: with those locked nothing is added any more.
  await locked(
    db
      .selectFrom('experiments')
      .select('experiment_id')
      .where('workspace_id', '=', workspaceId)
      .orderBy('experiment_id'),
  ).execute();
  await locked(
    db.selectFrom('runs').select('run_key').where('workspace_id', '=', workspaceId).orderBy('run_key'),
  ).execute();
  await locked(
    db.selectFrom('logged_models').select('model_key').where('workspace_id', '=', workspaceId).orderBy('model_key'),
  ).execute();
  // Likewise whoever makes a version requires its model.
  await locked(
    db.selectFrom('registered_models').select('model_key').where('workspace_id', '=', workspaceId).orderBy('model_key'),
  ).execute();
  const scope = scopeKey(workspaceScope(workspaceRef(row)));
  await db
    .deleteFrom('role_assignments')
    .where(sql`substr(scope_key || '/', 1, ${scope.length + 1})`, '=', `${scope}/`)
    .execute();
  for (const table of ownedTables) {
    await db
      .deleteFrom(table as 'workspaces')
      .where('workspace_id', '=', workspaceId)
      .execute();
  }
}
