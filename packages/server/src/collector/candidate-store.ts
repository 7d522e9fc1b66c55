import { sql } from 'kysely';
import type { Db } from '../database/engine.ts';

/** What is to be collected: everything that was deleted until a time, or of that only what is named, with what lies in it. */
export interface Selection {
  readonly workspaceId: number;
  readonly deletedUntil: number;
  /** Undefined: all. */
  readonly named: Named | undefined;
}

export interface Named {
  readonly runIds: readonly string[];
  readonly experimentIds: readonly number[];
  readonly modelIds: readonly string[];
}

export interface RunCandidate {
  readonly run_key: number;
  readonly run_id: string;
  readonly artifact_uri: string;
}

export interface ModelCandidate {
  readonly model_key: number;
  readonly model_id: string;
  readonly source_run_id: string;
  readonly artifact_uri: string;
}

export interface ExperimentCandidate {
  readonly experiment_id: number;
}

/** A page of candidates, in the order of their keys. */
export interface CandidatePage {
  readonly after: number;
  readonly limit: number;
}

/** The word stands in the text, because an index of these rows alone is chosen by it. */
const isDeleted = sql<boolean>`lifecycle_stage = 'deleted'`;

export function selectRuns(db: Db, { workspaceId, deletedUntil, named }: Selection, { after, limit }: CandidatePage) {
  let query = db
    .selectFrom('runs')
    .select(['run_key', 'run_id', 'artifact_uri'])
    .where('workspace_id', '=', workspaceId)
    .where(isDeleted)
    .where('deleted_time', '<=', deletedUntil)
    .orderBy('run_key');
  if (named !== undefined) {
    query = query.where((where) =>
      where.or([
        where('run_id', 'in', texts(named.runIds)),
        where('experiment_id', 'in', numbers(named.experimentIds)),
      ]),
    );
  }
  return query.where('run_key', '>', after).limit(limit);
}

/** *Deleting an experiment leaves its logged models as they are*; they end with it. */
export function selectModels(db: Db, selection: Selection, { after, limit }: CandidatePage) {
  const { workspaceId, deletedUntil, named } = selection;
  const inDeleted = deletedExperiments(db, selection);
  let query = db
    .selectFrom('logged_models')
    .select(['model_key', 'model_id', 'source_run_id', 'artifact_uri'])
    .where('workspace_id', '=', workspaceId)
    .where('lifecycle_stage', '!=', 'collected')
    .orderBy('model_key');
  const isOld = sql<boolean>`(${isDeleted} and last_updated_timestamp_ms <= ${deletedUntil})`;
  query =
    named === undefined
      ? query.where((where) => where.or([isOld, where('experiment_id', 'in', inDeleted)]))
      : query.where((where) =>
          where.or([
            where.and([isOld, where('model_id', 'in', texts(named.modelIds))]),
            where('experiment_id', 'in', inDeleted),
          ]),
        );
  return query.where('model_key', '>', after).limit(limit);
}

export function selectExperiments(db: Db, selection: Selection, { after, limit }: CandidatePage) {
  return deletedExperiments(db, selection).orderBy('experiment_id').where('experiment_id', '>', after).limit(limit);
}

function deletedExperiments(db: Db, { workspaceId, deletedUntil, named }: Selection) {
  const query = db
    .selectFrom('experiments')
    .select('experiment_id')
    .where('workspace_id', '=', workspaceId)
    .where('lifecycle_stage', '=', 'deleted')
    .where('last_update_time', '<=', deletedUntil);
  return named === undefined ? query : query.where('experiment_id', 'in', numbers(named.experimentIds));
}

export interface Dated {
  readonly id: string;
  readonly stage: string;
  /** When it was deleted, if it was. */
  readonly time: number | null;
}

/** Runs, experiments and logged models that are named one by one, as far as they are there. */
export async function listNamed(db: Db, workspaceId: number, named: Named): Promise<Record<keyof Named, Dated[]>> {
  const runs = await db
    .selectFrom('runs')
    .select(['run_id as id', 'lifecycle_stage as stage', 'deleted_time as time'])
    .where('workspace_id', '=', workspaceId)
    .where('run_id', 'in', texts(named.runIds))
    .execute();
  const experiments = await db
    .selectFrom('experiments')
    .select(['experiment_id', 'lifecycle_stage as stage', 'last_update_time as time'])
    .where('workspace_id', '=', workspaceId)
    .where('experiment_id', 'in', numbers(named.experimentIds))
    .execute();
  const models = await db
    .selectFrom('logged_models')
    .select(['model_id as id', 'lifecycle_stage as stage', 'last_updated_timestamp_ms as time'])
    .where('workspace_id', '=', workspaceId)
    .where('lifecycle_stage', '!=', 'collected')
    .where('model_id', 'in', texts(named.modelIds))
    .execute();
  return {
    runIds: runs,
    experimentIds: experiments.map(({ experiment_id, ...row }) => ({ ...row, id: String(experiment_id) })),
    modelIds: models,
  };
}

/** SQL has no empty list. No key is negative, and no id is empty. */
function numbers(keys: readonly number[]): readonly number[] {
  return keys.length === 0 ? [-1] : keys;
}

function texts(ids: readonly string[]): readonly string[] {
  return ids.length === 0 ? [''] : ids;
}
