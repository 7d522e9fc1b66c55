import { sql } from 'kysely';
import type { Db } from '../database/engine.ts';
import type { ModelCandidate, RunCandidate, Selection } from './candidate-store.ts';

/** What still uses a thing that is to be collected: a sentence for each that has to stay, by its key. */
export type Reasons = ReadonlyMap<number, string>;

interface UsingVersion {
  readonly run_id: string;
  readonly model_id: string | null;
  readonly name: string;
  readonly version: number;
}

/** *MLflow's own command looks at no registered model*, and leaves versions without files behind. */
export async function usesOfRuns(db: Db, workspaceId: number, runs: readonly RunCandidate[]): Promise<Reasons> {
  if (runs.length === 0) return new Map();
  const versions = await selectVersions(db, workspaceId)
    .where(
      'v.run_id',
      'in',
      runs.map(({ run_id }) => run_id),
    )
    .execute();
  const byRun = new Map(versions.map((version) => [version.run_id, version]));
  return reasonsOf(runs, ({ run_key, run_id }) => {
    const version = byRun.get(run_id);
    return version && [run_key, `${shown(version)} was made from it`];
  });
}

export async function usesOfModels(db: Db, workspaceId: number, models: readonly ModelCandidate[]): Promise<Reasons> {
  if (models.length === 0) return new Map();
  const ids = models.map(({ model_id }) => model_id);
  const versions = await selectVersions(db, workspaceId).where('v.model_id', 'in', ids).execute();
  // A version that names a run and no model may well mean a model of that run: its source is `runs:/…/name`.
  const ofRuns = await selectVersions(db, workspaceId)
    .where('v.model_id', 'is', null)
    .where(
      'v.run_id',
      'in',
      models
        .map(({ source_run_id }) => source_run_id)
        .filter((id) => id !== '')
        .concat('-'),
    )
    .execute();
  const runs = await db
    .selectFrom('run_models as u')
    .innerJoin('runs as r', 'r.run_key', 'u.run_key')
    .select(['u.model_id', 'r.run_id'])
    .where('u.workspace_id', '=', workspaceId)
    .where('u.model_id', 'in', ids)
    .where('r.lifecycle_stage', '=', 'active')
    .execute();
  const byModel = new Map(versions.map((version) => [version.model_id, version]));
  const byRun = new Map(ofRuns.map((version) => [version.run_id, version]));
  return reasonsOf(models, ({ model_key, model_id, source_run_id }) => {
    const version = byModel.get(model_id);
    if (version !== undefined) return [model_key, `${shown(version)} was made from it`];
    const ofRun = byRun.get(source_run_id);
    if (ofRun !== undefined) return [model_key, `${shown(ofRun)} was made from its run ${source_run_id}`];
    // The run that made the model lets go of it when the model is deleted.
    const user = runs.find((run) => run.model_id === model_id && run.run_id !== source_run_id);
    return user && [model_key, `the run ${user.run_id} names it as its input or output`];
  });
}

/** What keeps an experiment: the first run or logged model in it that is to stay. `planned`: others are gone by then. */
export async function useOfExperiment(
  db: Db,
  { workspaceId, deletedUntil }: Selection,
  experimentId: number,
  before: 'collected' | 'planned',
): Promise<string | undefined> {
  if (experimentId === 0) return 'clients that name no experiment log to this one';
  const stays = (condition: ReturnType<typeof sql<boolean>>) =>
    before === 'collected' ? sql<boolean>`1 = 1` : condition;
  const run = await db
    .selectFrom('runs as r')
    .select('r.run_id')
    .where('r.workspace_id', '=', workspaceId)
    .where('r.experiment_id', '=', experimentId)
    .where(
      stays(sql`(r.lifecycle_stage <> 'deleted' or r.deleted_time > ${deletedUntil} or exists (
        select 1 from model_versions v where v.workspace_id = r.workspace_id and v.run_id = r.run_id))`),
    )
    .limit(1)
    .executeTakeFirst();
  if (run !== undefined) return `the run ${run.run_id} in it stays`;
  const models = await db
    .selectFrom('logged_models')
    .select(['model_key', 'model_id', 'source_run_id', 'artifact_uri'])
    .where('workspace_id', '=', workspaceId)
    .where('experiment_id', '=', experimentId)
    .orderBy('model_key')
    .limit(1_000)
    .execute();
  const uses = before === 'collected' ? undefined : await usesOfModels(db, workspaceId, models);
  const model = models.find(({ model_key }) => uses === undefined || uses.has(model_key));
  return model && `the logged model ${model.model_id} in it stays`;
}

function selectVersions(db: Db, workspaceId: number) {
  return db
    .selectFrom('model_versions as v')
    .innerJoin('registered_models as m', (join) =>
      join.onRef('m.workspace_id', '=', 'v.workspace_id').onRef('m.model_key', '=', 'v.model_key'),
    )
    .select(['v.run_id', 'v.model_id', 'm.name', 'v.version'])
    .where('v.workspace_id', '=', workspaceId)
    .orderBy('m.name', 'desc')
    .orderBy('v.version', 'desc');
}

function shown({ name, version }: UsingVersion): string {
  return `version ${version} of the registered model '${name}'`;
}

function reasonsOf<Candidate>(
  candidates: readonly Candidate[],
  reasonOf: (candidate: Candidate) => readonly [number, string] | undefined,
): Reasons {
  return new Map(
    candidates.flatMap((candidate) => {
      const reason = reasonOf(candidate);
      return reason === undefined ? [] : [reason];
    }),
  );
}
