import { sql, type Selectable } from 'kysely';
import { ownFolder } from '../artifact-store/artifact-location.ts';
import type { Db } from '../database/engine.ts';
import type { RemovalTable } from '../database/schema.ts';
import type { ModelCandidate, RunCandidate } from './candidate-store.ts';

export type Removal = Selectable<RemovalTable>;

export interface Cause {
  readonly workspaceId: number;
  readonly collectionId: number;
}

/** What a run has besides points. */
const runTables = ['run_params', 'run_tags', 'run_inputs', 'run_input_tags', 'run_models', 'run_requests'] as const;

/** Ends runs, which are locked: nobody finds them any more. Their points and files are left to removals. */
export async function endRuns(db: Db, { workspaceId, collectionId }: Cause, runs: readonly RunCandidate[]) {
  const keys = runs.map(({ run_key }) => run_key);
  for (const table of [...runTables, 'runs'] as const) {
    await db
      .deleteFrom(table as 'runs')
      .where('workspace_id', '=', workspaceId)
      .where('run_key', 'in', keys)
      .execute();
  }
  await insertRemovals(
    db,
    runs.map(({ run_key, run_id, artifact_uri }) => ({
      ...{ workspace_id: workspaceId, collection_id: collectionId, failure_time: null },
      ...{ run_key, model_key: null, location: ownFolder(artifact_uri, run_id) },
    })),
  );
}

/**
 * Ends logged models, which are locked. Their rows stay, unseen, until everything else of them is gone: SQLite would
 * give the key of the newest one to another model.
 */
export async function endModels(db: Db, { workspaceId, collectionId }: Cause, models: readonly ModelCandidate[]) {
  await db
    .updateTable('logged_models')
    .set({ lifecycle_stage: 'collected' })
    .where(
      'model_key',
      'in',
      models.map(({ model_key }) => model_key),
    )
    .execute();
  await insertRemovals(
    db,
    models.map(({ model_key, model_id, artifact_uri }) => ({
      ...{ workspace_id: workspaceId, collection_id: collectionId, failure_time: null },
      ...{ run_key: null, model_key, location: ownFolder(artifact_uri, model_id) },
    })),
  );
}

/** Removes an experiment, which is locked, and in which nothing is left. */
export async function endExperiment(db: Db, workspaceId: number, experimentId: number): Promise<void> {
  for (const table of ['experiment_tags', 'metric_keys', 'datasets', 'experiments'] as const) {
    await db
      .deleteFrom(table as 'experiments')
      .where('workspace_id', '=', workspaceId)
      .where('experiment_id', '=', experimentId)
      .execute();
  }
}

async function insertRemovals(db: Db, removals: readonly Omit<Removal, 'removal_key'>[]): Promise<void> {
  await db.insertInto('removals').values(removals).execute();
}

/** The removals of a workspace that have not failed since a time, the oldest first. */
export async function listRemovals(db: Db, workspaceId: number, failedBefore: number): Promise<Removal[]> {
  return db
    .selectFrom('removals')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where((where) => where.or([where('failure_time', 'is', null), where('failure_time', '<', failedBefore)]))
    .orderBy('removal_key')
    .limit(100)
    .execute();
}

export async function noteFailure(db: Db, { removal_key }: Removal, time: number): Promise<void> {
  await db.updateTable('removals').set({ failure_time: time }).where('removal_key', '=', removal_key).execute();
}

/** The end of a removal, after its points and files. */
export async function finishRemoval(db: Db, { workspace_id, removal_key, model_key }: Removal): Promise<void> {
  if (model_key !== null) {
    for (const table of ['logged_model_params', 'logged_model_tags', 'logged_models'] as const) {
      await db
        .deleteFrom(table as 'logged_models')
        .where('workspace_id', '=', workspace_id)
        .where('model_key', '=', model_key)
        .execute();
    }
  }
  await db.deleteFrom('removals').where('removal_key', '=', removal_key).execute();
}

interface Slices {
  readonly table: 'metric_points' | 'latest_metrics' | 'logged_model_metrics';
  readonly by: 'run_key' | 'model_key';
  /** The order in which they are cut. */
  readonly order: readonly string[];
}

const pointsOfRun: readonly Slices[] = [
  { table: 'metric_points', by: 'run_key', order: ['metric_key', 'timestamp', 'step'] },
  { table: 'latest_metrics', by: 'run_key', order: ['metric_key'] },
  { table: 'logged_model_metrics', by: 'run_key', order: ['model_key', 'metric_key', 'timestamp', 'step'] },
];
const pointsOfModel: readonly Slices[] = [
  { table: 'logged_model_metrics', by: 'model_key', order: ['metric_key', 'timestamp', 'step'] },
];

/** Removes about `limit` points of what was collected; says whether there may be more. */
export async function removeSomePoints(db: Db, removal: Removal, limit: number): Promise<'more' | 'none'> {
  for (const slices of removal.run_key === null ? pointsOfModel : pointsOfRun) {
    if (await removeSlice(db, slices, removal, limit)) return 'more';
  }
  return 'none';
}

/** Whether there was something. */
async function removeSlice(db: Db, { table, by, order }: Slices, removal: Removal, limit: number): Promise<boolean> {
  const columns = sql.join(order.map((column) => sql.ref(column)));
  const owned = sql`${sql.table(table)} where workspace_id = ${removal.workspace_id} and ${sql.ref(by)} = ${removal[by]}`;
  const { rows } = await sql<Record<string, unknown>>`
    select ${columns} from ${owned} order by ${columns} limit 1 offset ${limit}`.execute(db);
  const [end] = rows;
  const upTo = end === undefined ? sql`` : sql`and (${columns}) <= (${sql.join(order.map((column) => end[column]))})`;
  const { numAffectedRows = 0n } = await sql`delete from ${owned} ${upTo}`.execute(db);
  return numAffectedRows > 0n;
}
