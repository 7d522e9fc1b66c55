import { randomBytes } from 'node:crypto';
import { invalidParameter, MlflowError, type Int64 } from '@lazuli/contract';
import { runArtifactUri } from '../artifact-store/artifact-location.ts';
import type { WorkspaceRef } from '../access/caller.ts';
import { createCommitQueue, type CommitQueue, type Outcome } from '../database/commit-queue.ts';
import type { ColumnValue, Engine, GroupTransaction, SetSelect, SetUpdate, SetWrite } from '../database/engine.ts';
import { noSuchExperiment } from '../experiments/experiment-store.ts';
import { requireActive } from '../experiments/require-active.ts';
import type { MetricStore } from '../metric-store/metric-store.ts';
import type { SeriesPoints } from '../metric-store/series-points.ts';
import { pythonText } from './python-text.ts';
import type { ExperimentHandle, RunHandle, RunHandles } from './run-handles.ts';
import { noSuchRun, requireActiveRun, type NewRun } from './run-store.ts';

/**
 * The logging verbs and create-run, which share commits. Shape and limits are checked before a request gets here; what
 * depends on state (the run is active, a param is unchanged, the experiment takes runs) is decided inside the flush, in the
 * order of arrival, against the rows that the flush itself sees and what it has accepted so far. A flush has four steps:
 * load what the members need, decide each of them, write what was accepted in sets, and, after the commit, keep what was
 * learnt. A member is accepted whole or refused whole before anything is written.
 */
export interface Batch {
  readonly kind: 'batch' | 'param';
  readonly workspace: WorkspaceRef;
  readonly runId: string;
  readonly metrics: MetricColumns;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
}

/** Points as parallel columns. */
export interface MetricColumns {
  readonly keys: readonly string[];
  readonly values: readonly number[];
  readonly timestamps: readonly Int64[];
  readonly steps: readonly Int64[];
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface Creation {
  readonly kind: 'create';
  readonly workspace: WorkspaceRef;
  readonly experimentId: number;
  readonly runName: string;
  readonly userId: string;
  readonly startTime: Int64;
  readonly tags: readonly KeyValue[];
}

type Member = Batch | Creation;
export type RunLog = CommitQueue<Member, NewRun | undefined>;

export const runNameTag = 'mlflow.runName';

const findRun: SetSelect = {
  table: 'runs',
  by: { workspace_id: 'int64', run_id: 'text' },
  columns: ['run_key', 'experiment_id', 'lifecycle_stage'],
};
const findExperiment: SetSelect = {
  table: 'experiments',
  by: { workspace_id: 'int64', experiment_id: 'int64' },
  columns: ['experiment_id', 'lifecycle_stage', 'artifact_location'],
};
const findParam: SetSelect = {
  table: 'run_params',
  by: { workspace_id: 'int64', run_key: 'int64', key: 'text' },
  columns: ['value'],
};
const findMetricKey: SetSelect = {
  table: 'metric_keys',
  by: { workspace_id: 'int64', experiment_id: 'int64', key: 'text' },
  columns: ['metric_key'],
};
const insertRuns: SetWrite = {
  table: 'runs',
  columns: {
    run_key: 'int64',
    workspace_id: 'int64',
    run_id: 'text',
    experiment_id: 'int64',
    run_name: 'text',
    user_id: 'text',
    status: 'text',
    start_time: 'int64',
    lifecycle_stage: 'text',
    artifact_uri: 'text',
  },
};
const textColumns = { workspace_id: 'int64', run_key: 'int64', key: 'text', value: 'text' } as const;
const textKey = ['workspace_id', 'run_key', 'key'];
const insertParams: SetWrite = { table: 'run_params', columns: textColumns, conflict: { key: textKey } };
const upsertTags: SetWrite = {
  table: 'run_tags',
  columns: textColumns,
  conflict: { key: textKey, replace: ['value'] },
};
const insertMetricKeys: SetWrite = {
  table: 'metric_keys',
  columns: { metric_key: 'int64', workspace_id: 'int64', experiment_id: 'int64', key: 'text' },
};
const renameRuns: SetUpdate = {
  table: 'runs',
  by: { workspace_id: 'int64', run_key: 'int64' },
  set: { run_name: 'text' },
};

export function createRunLog(engine: Engine, handles: RunHandles, metricStore: MetricStore): RunLog {
  return createCommitQueue<Member, NewRun | undefined>(engine, async (tx, members) => {
    const batches = members.filter((member) => member.kind !== 'create');
    const creations = members.filter((member) => member.kind === 'create');
    const runs = await loadRuns(tx, batches);
    const loggedParams = await loadParams(tx, batches, runs);
    const experiments = await loadExperiments(tx, creations);

    const acceptedBatches: { batch: Batch; run: RunHandle }[] = [];
    const acceptedRuns: { creation: Creation; run: Omit<NewRun, 'runKey'> }[] = [];
    const outcomes = members.map((member): Outcome<NewRun | undefined> | (() => NewRun) => {
      try {
        if (member.kind === 'create') {
          const run = decideCreation(member, experiments);
          const place = acceptedRuns.push({ creation: member, run }) - 1;
          return () => newRuns[place] as NewRun;
        }
        const run = decideBatch(member, runs, loggedParams);
        acceptedBatches.push({ batch: member, run });
        return { value: undefined };
      } catch (refused) {
        return { refused };
      }
    });

    const newRuns = await writeRuns(tx, acceptedRuns);
    await writeTexts(tx, acceptedBatches, newRuns);
    await writePoints(tx, acceptedBatches);
    return outcomes.map((outcome) => (typeof outcome === 'function' ? { value: outcome() } : outcome));
  });

  async function loadRuns(tx: GroupTransaction, batches: readonly Batch[]): Promise<Map<string, RunHandle>> {
    const runs = new Map<string, RunHandle>();
    const unknown = new Map<string, Batch>();
    for (const batch of batches) {
      const name = runName(batch);
      if (runs.has(name) || unknown.has(name)) continue;
      const handle = handles.find(batch.workspace.workspaceId, batch.runId);
      if (handle === undefined) unknown.set(name, batch);
      else runs.set(name, handle);
    }
    if (unknown.size === 0) return runs;
    const wanted = [...unknown];
    const rows = await tx.select(
      findRun,
      wanted.map(([, { workspace, runId }]) => [workspace.workspaceId, runId]),
    );
    wanted.forEach(([name, { workspace, runId }], index) => {
      const row = rows[index];
      if (row === undefined) return;
      const handle: RunHandle = {
        runKey: Number(row['run_key']),
        experimentId: Number(row['experiment_id']),
        lifecycleStage: String(row['lifecycle_stage']),
      };
      runs.set(name, handle);
      tx.onCommit(() => handles.keep(workspace.workspaceId, runId, handle));
    });
    return runs;
  }

  async function loadExperiments(
    tx: GroupTransaction,
    creations: readonly Creation[],
  ): Promise<Map<string, ExperimentHandle>> {
    const experiments = new Map<string, ExperimentHandle>();
    const unknown = new Map<string, readonly [workspaceId: number, experimentId: number]>();
    for (const { workspace, experimentId } of creations) {
      const handle = handles.findExperiment(workspace.workspaceId, experimentId);
      if (handle !== undefined) experiments.set(experimentName(workspace.workspaceId, experimentId), handle);
      else unknown.set(experimentName(workspace.workspaceId, experimentId), [workspace.workspaceId, experimentId]);
    }
    if (unknown.size === 0) return experiments;
    const wanted = [...unknown];
    const rows = await tx.select(
      findExperiment,
      wanted.map(([, key]) => key),
    );
    wanted.forEach(([name, [workspaceId]], index) => {
      const row = rows[index];
      if (row === undefined) return;
      const handle = row as unknown as ExperimentHandle;
      experiments.set(name, handle);
      tx.onCommit(() => handles.keepExperiment(workspaceId, handle));
    });
    return experiments;
  }

  async function writePoints(
    tx: GroupTransaction,
    accepted: readonly { batch: Batch; run: RunHandle }[],
  ): Promise<void> {
    const logging = accepted.filter(({ batch }) => batch.metrics.keys.length > 0);
    if (logging.length === 0) return;
    const keyOf = await internMetricKeys(tx, logging);
    const series = logging.map(({ batch, run }): SeriesPoints => ({
      workspaceId: batch.workspace.workspaceId,
      runKey: run.runKey,
      metricKeys: batch.metrics.keys.map((key) => keyOf(batch.workspace.workspaceId, run.experimentId, key)),
      timestamps: batch.metrics.timestamps,
      steps: batch.metrics.steps,
      values: batch.metrics.values,
    }));
    await metricStore.append(tx, series);
  }

  async function internMetricKeys(tx: GroupTransaction, logging: readonly { batch: Batch; run: RunHandle }[]) {
    const fresh = new Map<string, readonly [number, number, string]>();
    for (const { batch, run } of logging) {
      const { workspaceId } = batch.workspace;
      const known = handles.metricKeys(workspaceId, run.experimentId);
      for (const key of batch.metrics.keys) {
        if (!known.has(key))
          fresh.set(keyName(workspaceId, run.experimentId, key), [workspaceId, run.experimentId, key]);
      }
    }
    const interned = new Map<string, number>();
    if (fresh.size > 0) {
      const wanted = [...fresh];
      const rows = await tx.select(
        findMetricKey,
        wanted.map(([, key]) => key),
      );
      const missing = wanted.filter((_, index) => rows[index] === undefined);
      const keys = await tx.allocate('metric_keys', missing.length);
      await tx.write(
        insertMetricKeys,
        missing.map(([, key], index) => [keys[index] ?? null, ...key]),
      );
      missing.forEach(([name], index) => interned.set(name, keys[index] as number));
      wanted.forEach(([name, key], index) => {
        const row = rows[index];
        if (row !== undefined) interned.set(name, Number(row['metric_key']));
        const metricKey = interned.get(name) as number;
        tx.onCommit(() => handles.keepMetricKey(...key, metricKey));
      });
    }
    return (workspaceId: number, experimentId: number, key: string): number =>
      handles.metricKeys(workspaceId, experimentId).get(key) ??
      (interned.get(keyName(workspaceId, experimentId, key)) as number);
  }
}

function runName({ workspace, runId }: Batch): string {
  return `${workspace.workspaceId}/${runId}`;
}

function experimentName(workspaceId: number, experimentId: number): string {
  return `${workspaceId}/${experimentId}`;
}

function keyName(workspaceId: number, experimentId: number, key: string): string {
  return `${workspaceId}/${experimentId}/${key}`;
}

function paramName(runKey: number, key: string): string {
  return `${runKey}/${key}`;
}

async function loadParams(
  tx: GroupTransaction,
  batches: readonly Batch[],
  runs: ReadonlyMap<string, RunHandle>,
): Promise<Map<string, string>> {
  const wanted = new Map<string, ColumnValue[]>();
  for (const batch of batches) {
    const run = runs.get(runName(batch));
    if (run === undefined) continue;
    for (const { key } of batch.params) {
      wanted.set(paramName(run.runKey, key), [batch.workspace.workspaceId, run.runKey, key]);
    }
  }
  const logged = new Map<string, string>();
  if (wanted.size === 0) return logged;
  const rows = await tx.select(findParam, [...wanted.values()]);
  [...wanted.keys()].forEach((name, index) => {
    const row = rows[index];
    if (row !== undefined) logged.set(name, String(row['value']));
  });
  return logged;
}

function decideCreation(
  creation: Creation,
  experiments: ReadonlyMap<string, ExperimentHandle>,
): Omit<NewRun, 'runKey'> {
  const experiment = experiments.get(experimentName(creation.workspace.workspaceId, creation.experimentId));
  if (experiment === undefined) throw noSuchExperiment(creation.experimentId);
  requireActive(experiment);
  const runId = randomBytes(16).toString('hex');
  return { runId, artifactUri: runArtifactUri(experiment.artifact_location, runId) };
}

/** Accepts or refuses a batch; what it accepts counts for the batches behind it. */
function decideBatch(batch: Batch, runs: ReadonlyMap<string, RunHandle>, loggedParams: Map<string, string>): RunHandle {
  const run = runs.get(runName(batch));
  if (run === undefined) throw noSuchRun(batch.runId);
  requireActiveRun(batch.runId, run.lifecycleStage);
  const changed = batch.params.flatMap(({ key, value }) => {
    const logged = loggedParams.get(paramName(run.runKey, key));
    return logged === undefined || logged === value ? [] : [{ key, logged, value }];
  });
  if (changed.length > 0) throw changedParams(batch, changed);
  for (const { key, value } of batch.params) loggedParams.set(paramName(run.runKey, key), value);
  return run;
}

function changedParams(batch: Batch, changed: readonly { key: string; logged: string; value: string }[]): MlflowError {
  const [first] = changed;
  if (batch.kind === 'param' && first !== undefined) {
    return invalidParameter(
      `Changing param values is not allowed. Param with key='${first.key}' was already logged with value='${first.logged}' for run ID='${batch.runId}'. Attempted logging new value '${first.value}'.`,
    );
  }
  const listed = changed.map(
    ({ key, logged, value }) =>
      `{'key': ${pythonText(key)}, 'old_value': ${pythonText(logged)}, 'new_value': ${pythonText(value)}}`,
  );
  return invalidParameter(
    `Changing param values is not allowed. Params were already logged='[${listed.join(', ')}]' for run ID='${batch.runId}'.`,
  );
}

async function writeRuns(
  tx: GroupTransaction,
  accepted: readonly { creation: Creation; run: Omit<NewRun, 'runKey'> }[],
): Promise<(NewRun & { creation: Creation })[]> {
  if (accepted.length === 0) return [];
  const keys = await tx.allocate('runs', accepted.length);
  const runs = accepted.map(({ creation, run }, index) => ({ ...run, creation, runKey: keys[index] as number }));
  await tx.write(
    insertRuns,
    runs.map(({ creation, runKey, runId, artifactUri }) => [
      runKey,
      creation.workspace.workspaceId,
      runId,
      creation.experimentId,
      creation.runName,
      creation.userId,
      'RUNNING',
      creation.startTime,
      'active',
      artifactUri,
    ]),
  );
  return runs;
}

async function writeTexts(
  tx: GroupTransaction,
  batches: readonly { batch: Batch; run: RunHandle }[],
  newRuns: readonly (NewRun & { creation: Creation })[],
): Promise<void> {
  // One row a key: the last value of a key wins, and a set statement may touch a row once only.
  const params = new Map<string, ColumnValue[]>();
  const tags = new Map<string, ColumnValue[]>();
  const names = new Map<number, ColumnValue[]>();
  for (const { runKey, creation } of newRuns) {
    for (const { key, value } of creation.tags) {
      tags.set(paramName(runKey, key), [creation.workspace.workspaceId, runKey, key, value]);
    }
  }
  for (const { batch, run } of batches) {
    const { workspaceId } = batch.workspace;
    for (const { key, value } of batch.params) {
      params.set(paramName(run.runKey, key), [workspaceId, run.runKey, key, value]);
    }
    for (const { key, value } of batch.tags) {
      tags.set(paramName(run.runKey, key), [workspaceId, run.runKey, key, value]);
      if (key === runNameTag) names.set(run.runKey, [workspaceId, run.runKey, value]);
    }
  }
  if (params.size > 0) await tx.write(insertParams, [...params.values()]);
  if (tags.size > 0) await tx.write(upsertTags, [...tags.values()]);
  if (names.size > 0) await tx.update(renameRuns, [...names.values()]);
}
