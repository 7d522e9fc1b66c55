import type { WorkspaceRef } from '../access/caller.ts';
import type { Db, Engine, Transaction } from '../database/engine.ts';
import type { Origins } from './model-source.ts';

/**
 * Owns registered models, their versions, tags and aliases, and the trail of who changed them. Every change locks the
 * model's row first, so that numbers, aliases and the trail are decided one change after another, also by several processes.
 */
export interface ModelRegistry {
  readonly engine: Engine;
  readonly now: () => number;
  readonly findRun: (db: Db, workspace: WorkspaceRef, runId: string) => ReturnType<Origins['findRun']>;
  readonly findLoggedModel: (
    db: Db,
    workspace: WorkspaceRef,
    modelId: string,
  ) => ReturnType<Origins['findLoggedModel']>;
  /** Keeps a run and a logged model, as far as they are there, from being collected until the commit. */
  readonly hold: (
    tx: Transaction,
    workspace: WorkspaceRef,
    origin: { readonly runId: string; readonly modelId: string | null },
  ) => Promise<void>;
}
