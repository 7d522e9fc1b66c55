import type { ExperimentRuns } from '../experiments/experiment-handlers.ts';
import type { RunHandles } from './run-handles.ts';
import { updateRunsOfExperiment } from './run-store.ts';

/** *MLflow: deleting an experiment deletes its runs; restoring it restores all of them, also those deleted before.* */
export function experimentRuns(handles: RunHandles): ExperimentRuns {
  return {
    markDeleted: (db, workspaceId, experimentId, deletedTime) =>
      updateRunsOfExperiment(db, workspaceId, experimentId, { lifecycle_stage: 'deleted', deleted_time: deletedTime }),
    markActive: (db, workspaceId, experimentId) =>
      updateRunsOfExperiment(db, workspaceId, experimentId, { lifecycle_stage: 'active', deleted_time: null }),
    forget: (workspaceId, experimentId) => handles.forgetExperiment(workspaceId, experimentId),
  };
}
