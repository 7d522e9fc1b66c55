import type { WorkspaceRef } from '../access/caller.ts';
import type { Db } from '../database/engine.ts';
import type { ExperimentRoom } from './experiment-handlers.ts';
import { insertExperiment, takeExperimentId } from './experiment-store.ts';

/** *MLflow: experiment 0, named Default, is there from the start.* Deleted, it stays deleted: it is made once, with its workspace. */
export async function insertDefaultExperiment(
  db: Db,
  workspace: WorkspaceRef,
  { now, locationFor }: Pick<ExperimentRoom, 'now' | 'locationFor'>,
): Promise<void> {
  const experimentId = await takeExperimentId(db, workspace.workspaceId);
  const time = now();
  await insertExperiment(db, {
    workspace_id: workspace.workspaceId,
    experiment_id: experimentId,
    name: 'Default',
    artifact_location: locationFor(undefined, workspace, experimentId),
    lifecycle_stage: 'active',
    creation_time: time,
    last_update_time: time,
  });
}
