/**
 * What a logging request must know about its run, kept in memory so that logging a point needs no SELECT. Whoever changes a
 * run's or an experiment's lifecycle forgets its handle on commit, before the next group decides anything.
 */
export interface RunHandle {
  readonly runKey: number;
  readonly experimentId: number;
  readonly lifecycleStage: string;
}

/** What a new run must know about its experiment. */
export interface ExperimentHandle {
  readonly experiment_id: number;
  readonly lifecycle_stage: string;
  readonly artifact_location: string;
}

export interface RunHandles {
  find(workspaceId: number, runId: string): RunHandle | undefined;
  keep(workspaceId: number, runId: string, handle: RunHandle): void;
  forget(workspaceId: number, runId: string): void;
  findExperiment(workspaceId: number, experimentId: number): ExperimentHandle | undefined;
  keepExperiment(workspaceId: number, handle: ExperimentHandle): void;
  /** Forgets an experiment and its runs. */
  forgetExperiment(workspaceId: number, experimentId: number): void;
  forgetWorkspace(workspaceId: number): void;
  /** The interned metric keys of an experiment, as far as they are known. */
  metricKeys(workspaceId: number, experimentId: number): ReadonlyMap<string, number>;
  keepMetricKey(workspaceId: number, experimentId: number, key: string, metricKey: number): void;
}

const handleLimit = 50_000;
const experimentLimit = 10_000;
const metricKeyLimit = 200_000;

export function createRunHandles(): RunHandles {
  const handles = new Map<string, RunHandle>();
  const experiments = new Map<string, ExperimentHandle>();
  const metricKeys = new Map<string, Map<string, number>>();
  let metricKeyCount = 0;

  return {
    find: (workspaceId, runId) => handles.get(`${workspaceId}/${runId}`),
    keep(workspaceId, runId, handle) {
      // The oldest goes first; a run that is still logging comes back with its next request.
      if (handles.size >= handleLimit) {
        const oldest = handles.keys().next();
        if (!oldest.done) handles.delete(oldest.value);
      }
      handles.set(`${workspaceId}/${runId}`, handle);
    },
    forget(workspaceId, runId) {
      handles.delete(`${workspaceId}/${runId}`);
    },
    findExperiment: (workspaceId, experimentId) => experiments.get(`${workspaceId}/${experimentId}`),
    keepExperiment(workspaceId, handle) {
      if (experiments.size >= experimentLimit) experiments.clear();
      experiments.set(`${workspaceId}/${handle.experiment_id}`, handle);
    },
    forgetExperiment(workspaceId, experimentId) {
      experiments.delete(`${workspaceId}/${experimentId}`);
      const prefix = `${workspaceId}/`;
      for (const [name, handle] of handles) {
        if (handle.experimentId === experimentId && name.startsWith(prefix)) handles.delete(name);
      }
    },
    forgetWorkspace(workspaceId) {
      const prefix = `${workspaceId}/`;
      for (const name of handles.keys()) if (name.startsWith(prefix)) handles.delete(name);
      for (const name of experiments.keys()) if (name.startsWith(prefix)) experiments.delete(name);
      for (const [name, keys] of metricKeys) {
        if (!name.startsWith(prefix)) continue;
        metricKeyCount -= keys.size;
        metricKeys.delete(name);
      }
    },
    metricKeys: (workspaceId, experimentId) => metricKeys.get(`${workspaceId}/${experimentId}`) ?? none,
    keepMetricKey(workspaceId, experimentId, key, metricKey) {
      if (metricKeyCount >= metricKeyLimit) {
        metricKeys.clear();
        metricKeyCount = 0;
      }
      const name = `${workspaceId}/${experimentId}`;
      let keys = metricKeys.get(name);
      if (keys === undefined) metricKeys.set(name, (keys = new Map<string, number>()));
      keys.set(key, metricKey);
      metricKeyCount++;
    },
  };
}

const none: ReadonlyMap<string, number> = new Map();
