import type { ExperimentRuns } from '../experiments/experiment-handlers.ts';
import type { RunHandles } from './run-handles.ts';
import { updateRunsOfExperiment } from './run-store.ts';

/** *MLflow: deleting an experiment deletes its runs; restoring it restores all of them, also those deleted before.* */
export function experimentRuns(handles: RunHandles): ExperimentRuns {
  return {
    markDeleted: (tx, workspaceId, experimentId, deletedTime) =>
      updateRunsOfExperiment(tx, workspaceId, experimentId, { lifecycle_stage: 'deleted', deleted_time: deletedTime }),
    markActive: (tx, workspaceId, experimentId) =>
      updateRunsOfExperiment(tx, workspaceId, experimentId, { lifecycle_stage: 'active', deleted_time: null }),
    forget: (workspaceId, experimentId) => handles.forgetExperiment(workspaceId, experimentId),
  };
}
