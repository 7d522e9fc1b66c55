import type { WorkspaceRef } from './access/caller.ts';
import type { Db, Transaction } from './database/engine.ts';
import { findLockedModel, findModel } from './logged-models/logged-model-store.ts';
import { findLockedRun, findRun } from './runs/run-store.ts';

/** What the registry has to know of the runs and logged models that its versions come from. */
export const modelOrigins = {
  async findRun(db: Db, { workspaceId }: WorkspaceRef, runId: string) {
    const run = await findRun(db, workspaceId, runId);
    return run === undefined ? undefined : { artifactUri: run.artifact_uri };
  },

  async findLoggedModel(db: Db, { workspaceId }: WorkspaceRef, modelId: string) {
    const model = await findModel(db, workspaceId, modelId);
    return model === undefined
      ? undefined
      : { artifactUri: model.artifact_uri, sourceRunId: model.source_run_id || undefined };
  },

  /** Keeps both from going away before the commit. */
  async hold(
    tx: Transaction,
    { workspaceId }: WorkspaceRef,
    { runId, modelId }: { readonly runId: string; readonly modelId: string | null },
  ) {
    // Runs before models, as by whoever logs a point of both.
    if (runId !== '') await findLockedRun(tx, workspaceId, runId);
    if (modelId !== null) await findLockedModel(tx, workspaceId, modelId);
  },
};
