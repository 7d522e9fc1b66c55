import type { Selectable } from 'kysely';
import { invalidParameter, MlflowError, parseInt64 } from '@lazuli/contract';
import type { Db, Transaction } from '../database/engine.ts';
import type { ExperimentTable } from '../database/schema.ts';

export type ExperimentRow = Selectable<ExperimentTable>;

/** The number that an experiment id on the wire stands for. */
export function experimentKey(id: string): number {
  const key = parseInt64(id);
  if (key === undefined && !/^[+-]?\d+$/.test(id)) {
    throw invalidParameter(`Invalid experiment ID '${id}'. Experiment ID must be a valid integer.`);
  }
  if (typeof key !== 'number' || key < 0) throw noSuchExperiment(id);
  return key;
}

export function noSuchExperiment(id: string | number): MlflowError {
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `No Experiment with id=${id} exists`);
}

function selectExperiment(db: Db, workspaceId: number, experimentId: number) {
  return db
    .selectFrom('experiments')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('experiment_id', '=', experimentId);
}

export async function getExperiment(db: Db, workspaceId: number, id: string): Promise<ExperimentRow> {
  const row = await selectExperiment(db, workspaceId, experimentKey(id)).executeTakeFirst();
  if (row === undefined) throw noSuchExperiment(id);
  return row;
}

/** An experiment for a transaction that decides on its row: nobody else writes it, or makes runs in it, until the commit. */
export async function lockExperiment(
  { db, locked }: Transaction,
  workspaceId: number,
  id: string,
): Promise<ExperimentRow> {
  const row = await locked(selectExperiment(db, workspaceId, experimentKey(id))).executeTakeFirst();
  if (row === undefined) throw noSuchExperiment(id);
  return row;
}

export async function findExperimentByName(
  db: Db,
  workspaceId: number,
  name: string,
): Promise<ExperimentRow | undefined> {
  return db
    .selectFrom('experiments')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('name', '=', name)
    .executeTakeFirst();
}

export async function getExperiments(db: Db, workspaceId: number, ids: readonly number[]): Promise<ExperimentRow[]> {
  if (ids.length === 0) return [];
  const rows: ExperimentRow[] = [];
  for (let start = 0; start < ids.length; start += 1000) {
    rows.push(
      ...(await db
        .selectFrom('experiments')
        .selectAll()
        .where('workspace_id', '=', workspaceId)
        .where('experiment_id', 'in', ids.slice(start, start + 1000))
        .execute()),
    );
  }
  const byId = new Map(rows.map((row) => [row.experiment_id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** The next id of a workspace; ids are never given out twice, also when an experiment is gone for good. */
export async function takeExperimentId(db: Db, workspaceId: number): Promise<number> {
  const taken = await db
    .updateTable('workspaces')
    .set((update) => ({ next_experiment_id: update('next_experiment_id', '+', 1) }))
    .where('workspace_id', '=', workspaceId)
    .returning('next_experiment_id')
    .executeTakeFirst();
  // The request was let in before somebody removed its workspace.
  if (taken === undefined) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', 'The workspace does not exist any more.');
  return taken.next_experiment_id - 1;
}

export async function insertExperiment(db: Db, row: ExperimentRow): Promise<void> {
  const inserted = await db
    .insertInto('experiments')
    .values(row)
    .onConflict((conflict) => conflict.columns(['workspace_id', 'name']).doNothing())
    .returning('experiment_id')
    .executeTakeFirst();
  if (inserted === undefined) {
    throw new MlflowError(
      'RESOURCE_ALREADY_EXISTS',
      `Experiment(name=${row.name}) already exists. Deleted experiments keep their names until they are deleted permanently.`,
    );
  }
}

export async function updateExperiment(
  db: Db,
  { workspace_id, experiment_id }: ExperimentRow,
  change: Partial<Pick<ExperimentRow, 'name' | 'lifecycle_stage' | 'last_update_time'>>,
): Promise<void> {
  await db
    .updateTable('experiments')
    .set(change)
    .where('workspace_id', '=', workspace_id)
    .where('experiment_id', '=', experiment_id)
    .execute();
}

export async function listExperimentTags(
  db: Db,
  workspaceId: number,
  experimentIds: readonly number[],
): Promise<Map<number, { key: string; value: string }[]>> {
  const tags = new Map<number, { key: string; value: string }[]>(experimentIds.map((id) => [id, []]));
  for (let start = 0; start < experimentIds.length; start += 1000) {
    const rows = await db
      .selectFrom('experiment_tags')
      .select(['experiment_id', 'key', 'value'])
      .where('workspace_id', '=', workspaceId)
      .where('experiment_id', 'in', experimentIds.slice(start, start + 1000))
      .orderBy('key')
      .execute();
    for (const { experiment_id, key, value } of rows) tags.get(experiment_id)?.push({ key, value });
  }
  return tags;
}

export async function upsertExperimentTags(
  db: Db,
  { workspace_id, experiment_id }: Pick<ExperimentRow, 'workspace_id' | 'experiment_id'>,
  tags: readonly { key: string; value: string }[],
): Promise<void> {
  if (tags.length === 0) return;
  await db
    .insertInto('experiment_tags')
    .values(tags.map(({ key, value }) => ({ workspace_id, experiment_id, key, value })))
    .onConflict((conflict) =>
      conflict
        .columns(['workspace_id', 'experiment_id', 'key'])
        .doUpdateSet((update) => ({ value: update.ref('excluded.value') })),
    )
    .execute();
}

export async function removeExperimentTag(db: Db, experiment: ExperimentRow, key: string): Promise<void> {
  const removed = await db
    .deleteFrom('experiment_tags')
    .where('workspace_id', '=', experiment.workspace_id)
    .where('experiment_id', '=', experiment.experiment_id)
    .where('key', '=', key)
    .returning('key')
    .executeTakeFirst();
  if (removed === undefined) {
    throw new MlflowError(
      'RESOURCE_DOES_NOT_EXIST',
      `No tag with name: ${key} in experiment with id ${experiment.experiment_id}`,
    );
  }
}
