import type { Selectable } from 'kysely';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import type { Db, Transaction } from '../database/engine.ts';
import type { RunTable } from '../database/schema.ts';

export type RunRow = Selectable<RunTable>;

/** What a new run gets from the server. */
export interface NewRun {
  readonly runKey: number;
  readonly runId: string;
  readonly artifactUri: string;
  /** The request made it already, the time before. */
  readonly isRepeated?: true;
}

export function noSuchRun(runId: string): MlflowError {
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `Run with id=${runId} not found`);
}

/** *MLflow: a deleted run takes no writes.* */
export function requireActiveRun(runId: string, lifecycleStage: string): void {
  if (lifecycleStage === 'active') return;
  throw invalidParameter(`The run ${runId} must be in the 'active' state. Current state is ${lifecycleStage}.`);
}

function selectRun(db: Db, workspaceId: number, runId: string) {
  return db.selectFrom('runs').selectAll().where('workspace_id', '=', workspaceId).where('run_id', '=', runId);
}

export async function findRun(db: Db, workspaceId: number, runId: string): Promise<RunRow | undefined> {
  return selectRun(db, workspaceId, runId).executeTakeFirst();
}

/** Locks a run if it is there. */
export async function findLockedRun(
  { db, locked }: Transaction,
  workspaceId: number,
  runId: string,
): Promise<RunRow | undefined> {
  return locked(selectRun(db, workspaceId, runId)).executeTakeFirst();
}

/** A run for a transaction that decides on its row: nobody else writes it, or logs to it, until the commit. */
export async function lockRun(tx: Transaction, workspaceId: number, runId: string): Promise<RunRow> {
  const row = await findLockedRun(tx, workspaceId, runId);
  if (row === undefined) throw noSuchRun(runId);
  return row;
}

/** A run that takes writes, locked until the commit. */
export async function lockActiveRun(tx: Transaction, workspaceId: number, runId: string): Promise<RunRow> {
  const row = await lockRun(tx, workspaceId, runId);
  requireActiveRun(runId, row.lifecycle_stage);
  return row;
}

export async function findRunKeys(db: Db, workspaceId: number, runIds: readonly string[]): Promise<number[]> {
  const rows = await db
    .selectFrom('runs')
    .select('run_key')
    .where('workspace_id', '=', workspaceId)
    .where('run_id', 'in', runIds)
    .execute();
  return rows.map((row) => row.run_key);
}

export async function getRun(db: Db, workspaceId: number, runId: string): Promise<RunRow> {
  const row = await findRun(db, workspaceId, runId);
  if (row === undefined) throw noSuchRun(runId);
  return row;
}

export async function updateRun(
  db: Db,
  { run_key }: Pick<RunRow, 'run_key'>,
  change: Partial<Pick<RunRow, 'status' | 'end_time' | 'run_name' | 'lifecycle_stage' | 'deleted_time'>>,
): Promise<void> {
  if (Object.keys(change).length === 0) return;
  await db.updateTable('runs').set(change).where('run_key', '=', run_key).execute();
}

export async function updateRunsOfExperiment(
  { db, locked }: Transaction,
  workspaceId: number,
  experimentId: number,
  change: Pick<RunRow, 'lifecycle_stage' | 'deleted_time'>,
): Promise<void> {
  // In the order in which groups lock runs; an update on its own would take them as it finds them, and could deadlock.
  const ofExperiment = db
    .selectFrom('runs')
    .select('run_key')
    .where('workspace_id', '=', workspaceId)
    .where('experiment_id', '=', experimentId)
    .where('lifecycle_stage', '!=', change.lifecycle_stage)
    .orderBy('run_key');
  await db
    .with('of_experiment', () => locked(ofExperiment))
    .updateTable('runs')
    .set(change)
    .where('run_key', 'in', (select) => select.selectFrom('of_experiment').select('run_key'))
    .execute();
}

export async function upsertRunTag(
  db: Db,
  { workspace_id, run_key }: RunRow,
  key: string,
  value: string,
): Promise<void> {
  await db
    .insertInto('run_tags')
    .values({ workspace_id, run_key, key, value })
    .onConflict((conflict) => conflict.columns(['workspace_id', 'run_key', 'key']).doUpdateSet({ value }))
    .execute();
}

export async function removeRunTag(db: Db, run: RunRow, key: string): Promise<void> {
  const removed = await db
    .deleteFrom('run_tags')
    .where('workspace_id', '=', run.workspace_id)
    .where('run_key', '=', run.run_key)
    .where('key', '=', key)
    .returning('key')
    .executeTakeFirst();
  if (removed === undefined) {
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `No tag with name: ${key} in run with id ${run.run_id}`);
  }
}

export async function findMetricKey(
  db: Db,
  workspaceId: number,
  experimentId: number,
  key: string,
): Promise<number | undefined> {
  const row = await db
    .selectFrom('metric_keys')
    .select('metric_key')
    .where('workspace_id', '=', workspaceId)
    .where('experiment_id', '=', experimentId)
    .where('key', '=', key)
    .executeTakeFirst();
  return row?.metric_key;
}
