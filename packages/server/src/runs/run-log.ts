import { randomBytes } from 'node:crypto';
import { invalidParameter, type MlflowError } from '@lazuli/contract';
import { runArtifactUri } from '../artifact-store/artifact-location.ts';
import { createCommitQueue, type CommitObserver, type CommitQueue, type Outcome } from '../database/commit-queue.ts';
import {
  Outdated,
  type ColumnValue,
  type Engine,
  type GroupTransaction,
  type SetIntern,
  type SetRequirement,
  type SetSelect,
} from '../database/engine.ts';
import { noSuchExperiment } from '../experiments/experiment-store.ts';
import { requireActive } from '../experiments/require-active.ts';
import type { MetricStore } from '../metric-store/metric-store.ts';
import type { SeriesPoints } from '../metric-store/series-points.ts';
import type { Batch, Creation } from './log-members.ts';
import { paramName, writeRequests, writeRuns, writeTexts } from './log-writes.ts';
import { loadModels, requireModels, writeModelPoints, type ModelKeys } from './model-links.ts';
import { pythonText } from './python-text.ts';
import type { ExperimentHandle, RunHandle, RunHandles } from './run-handles.ts';
import { noSuchRun, requireActiveRun, type NewRun } from './run-store.ts';

/**
 * The logging verbs and create-run, which share commits. Shape and limits are checked before a request gets here; what
 * depends on state (the run is active, a param is unchanged, the experiment takes runs) is decided inside the flush, in the
 * order of arrival, against the rows that the flush itself sees and what it has accepted so far. A flush has four steps:
 * load what the members need, decide each of them, write what was accepted in sets, and, after the commit, keep what was
 * learnt. A member is accepted whole or refused whole before anything is written.
 *
 * Where several processes write, a first flush goes by its handles alone: it requires what it has decided on, so that its
 * commit fails if a handle was wrong, and leaves undecided what it would refuse.
 */
type Member = Batch | Creation;
export type RunLog = CommitQueue<Member, NewRun | undefined>;

const findRun: SetSelect = {
  table: 'runs',
  by: { workspace_id: 'int64', run_id: 'text' },
  columns: ['run_key', 'experiment_id', 'lifecycle_stage'],
  lockedBy: 'run_key',
};
const activeRuns: SetRequirement = {
  table: 'runs',
  by: { run_key: 'int64' },
  holds: { lifecycle_stage: 'active' },
};
const findExperiment: SetSelect = {
  table: 'experiments',
  by: { workspace_id: 'int64', experiment_id: 'int64' },
  columns: ['experiment_id', 'lifecycle_stage', 'artifact_location'],
  lockedBy: 'experiment_id',
};
const activeExperiments: SetRequirement = {
  table: 'experiments',
  by: { workspace_id: 'int64', experiment_id: 'int64' },
  holds: { lifecycle_stage: 'active' },
};
const findParam: SetSelect = {
  table: 'run_params',
  by: { workspace_id: 'int64', run_key: 'int64', key: 'text' },
  columns: ['value'],
};
const findRequest: SetSelect = {
  table: 'run_requests',
  by: { workspace_id: 'int64', request_id: 'text' },
  columns: ['run_key'],
};
const findRunByKey: SetSelect = { table: 'runs', by: { run_key: 'int64' }, columns: ['run_id', 'artifact_uri'] };
const metricKeys: SetIntern = {
  table: 'metric_keys',
  identity: 'metric_key',
  columns: { workspace_id: 'int64', experiment_id: 'int64', key: 'text' },
};

export function createRunLog(
  engine: Engine,
  handles: RunHandles,
  metricStore: MetricStore,
  observer?: CommitObserver,
): RunLog {
  return createCommitQueue<Member, NewRun | undefined>(engine, flush, observer);

  async function flush(tx: GroupTransaction, members: readonly Member[]): Promise<Outcome<NewRun | undefined>[]> {
    const batches = members.filter((member) => member.kind !== 'create');
    const creations = members.filter((member) => member.kind === 'create');
    // Experiments are locked before runs, as by whoever deletes an experiment with its runs; so are they required below.
    const experiments = await loadExperiments(tx, creations);
    const runs = await loadRuns(tx, batches);
    const loggedParams = await loadParams(tx, batches, runs);
    const models = await loadModels(tx, batches);
    const requested = await loadRequested(tx, creations);

    const acceptedBatches: { batch: Batch; run: RunHandle }[] = [];
    const acceptedRuns: { creation: Creation; run: Omit<NewRun, 'runKey'> }[] = [];
    const outcomes = members.map((member): Outcome<NewRun | undefined> | (() => NewRun) => {
      try {
        if (member.kind === 'create') {
          const before = requested.get(requestName(member));
          if (before !== undefined) return before;
          const run = decideCreation(member, experiments);
          const place = acceptedRuns.push({ creation: member, run }) - 1;
          if (member.requestId !== undefined) {
            requested.set(requestName(member), () => ({ ...(newRuns[place] as NewRun), isRepeated: true }));
          }
          return () => newRuns[place] as NewRun;
        }
        const run = decideBatch(member, runs, { models, loggedParams });
        acceptedBatches.push({ batch: member, run });
        return { value: undefined };
      } catch (refused) {
        return tx.memory === 'guess' ? 'undecided' : { refused };
      }
    });

    tx.require(
      activeExperiments,
      acceptedRuns.map(({ creation }) => [creation.workspace.workspaceId, creation.experimentId]),
    );
    tx.require(
      activeRuns,
      acceptedBatches.map(({ run }) => [run.runKey]),
    );
    const newRuns = await writeRuns(tx, acceptedRuns);
    await writeRequests(tx, newRuns);
    await writeTexts(tx, acceptedBatches, newRuns);
    await writePoints(tx, acceptedBatches, models);
    return outcomes.map((outcome) => (typeof outcome === 'function' ? { value: outcome() } : outcome));
  }

  async function loadRuns(tx: GroupTransaction, batches: readonly Batch[]): Promise<Map<string, RunHandle>> {
    const runs = new Map<string, RunHandle>();
    const unknown = new Map<string, Batch>();
    for (const batch of batches) {
      const name = runName(batch);
      if (runs.has(name) || unknown.has(name)) continue;
      const handle = tx.memory === 'none' ? undefined : handles.find(batch.workspace.workspaceId, batch.runId);
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
      const handle = tx.memory === 'none' ? undefined : handles.findExperiment(workspace.workspaceId, experimentId);
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
    models: ModelKeys,
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
    await writeModelPoints(
      tx,
      logging.map(({ batch, run: { runKey } }, index) => ({
        ...{ batch, runKey },
        metricKeys: series[index]?.metricKeys ?? [],
      })),
      models,
    );
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
      // A key is a row of its own: it may be added only while the run, and so its workspace, cannot be removed.
      if (tx.memory === 'guess') throw new Outdated('Metric keys are added under the locks of a group that asks.');
      const wanted = [...fresh];
      const keys = await tx.intern(
        metricKeys,
        wanted.map(([, key]) => key),
      );
      wanted.forEach(([name, key], index) => {
        const metricKey = keys[index] as number;
        interned.set(name, metricKey);
        tx.onCommit(() => handles.keepMetricKey(...key, metricKey));
      });
    }
    return (workspaceId: number, experimentId: number, key: string): number =>
      handles.metricKeys(workspaceId, experimentId).get(key) ??
      (interned.get(keyName(workspaceId, experimentId, key)) as number);
  }
}

function requestName({ workspace, requestId }: Creation): string {
  return `${workspace.workspaceId}/${requestId ?? ''}`;
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

/** The runs that these requests have made before; the flush adds those that it makes. */
async function loadRequested(tx: GroupTransaction, creations: readonly Creation[]): Promise<Map<string, () => NewRun>> {
  const requested = new Map<string, () => NewRun>();
  const asking = creations.filter(({ requestId }) => requestId !== undefined);
  // A write that may fail because of a request made before checks it by itself.
  if (asking.length === 0 || tx.memory === 'guess') return requested;
  const requests = await tx.select(
    findRequest,
    asking.map(({ workspace, requestId }) => [workspace.workspaceId, requestId ?? null]),
  );
  const known = asking.flatMap((creation, index) => {
    const row = requests[index];
    return row === undefined ? [] : [{ name: requestName(creation), runKey: Number(row['run_key']) }];
  });
  if (known.length === 0) return requested;
  const runs = await tx.select(
    findRunByKey,
    known.map(({ runKey }) => [runKey]),
  );
  known.forEach(({ name, runKey }, index) => {
    const row = runs[index];
    if (row === undefined) return;
    const run = { runKey, runId: String(row['run_id']), artifactUri: String(row['artifact_uri']) };
    requested.set(name, () => ({ ...run, isRepeated: true }));
  });
  return requested;
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
  // A write that may fail because of a param checks it by itself.
  if (wanted.size === 0 || tx.memory === 'guess') return logged;
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
function decideBatch(
  batch: Batch,
  runs: ReadonlyMap<string, RunHandle>,
  { models, loggedParams }: { models: ModelKeys; loggedParams: Map<string, string> },
): RunHandle {
  const run = runs.get(runName(batch));
  if (run === undefined) throw noSuchRun(batch.runId);
  requireActiveRun(batch.runId, run.lifecycleStage);
  if (batch.metrics.links !== undefined) requireModels(batch, models);
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
