import { MlflowError } from '@lazuli/contract';
import type { WorkspaceRef } from '../access/caller.ts';
import { countChange } from '../database/change-watch.ts';
import type { Db, Engine, Transaction } from '../database/engine.ts';
import type { WorkspaceDirectory } from './workspace-directory.ts';
import {
  countContents,
  insertWorkspace,
  listLocations,
  lockWorkspace,
  removeWorkspace,
  updateWorkspace,
  workspaceRef,
  type NewWorkspace,
  type WorkspaceChange,
  type WorkspaceRow,
} from './workspace-store.ts';

/** How workspaces come, change and go, whichever protocol asks for it. */
export interface WorkspaceLifecycle {
  /** With what it starts with; undefined where its place is taken. */
  create(row: NewWorkspace): Promise<WorkspaceRow | undefined>;
  /** `find` and `change` run in one transaction. */
  update(find: FindWorkspace, change: (row: WorkspaceRow) => WorkspaceChange): Promise<WorkspaceRow>;
  /** `empty`: refuses a workspace that something is in. */
  remove(find: FindWorkspace, condition: 'empty' | 'whatever is in it'): Promise<void>;
}

/** Finds a workspace, or throws as its protocol does. */
export type FindWorkspace = (db: Db) => Promise<WorkspaceRow>;

export interface LifecycleParts {
  readonly engine: Engine;
  readonly directory: Pick<WorkspaceDirectory, 'forget'>;
  /** Gives a new workspace what it starts with. */
  readonly furnish: (db: Db, workspace: WorkspaceRef) => Promise<void>;
  /** Forgets what is cached about a workspace; runs with the commit that removes it. */
  readonly forget: (workspace: WorkspaceRef) => void;
  /** The locations are those of its experiments. */
  readonly removeFiles: (workspace: WorkspaceRef, locations: readonly string[]) => Promise<void>;
}

export function createWorkspaceLifecycle(parts: LifecycleParts): WorkspaceLifecycle {
  const { engine, directory, furnish, forget, removeFiles } = parts;

  async function locked(tx: Transaction, find: FindWorkspace): Promise<WorkspaceRow> {
    const { workspace_id } = await find(tx.db);
    // Gone since it was found: finding it again says so.
    return (await lockWorkspace(tx, workspace_id)) ?? find(tx.db);
  }

  return {
    create: (row) =>
      engine.transaction(async (tx) => {
        const created = await insertWorkspace(tx.db, row);
        if (created === undefined) return undefined;
        await furnish(tx.db, workspaceRef(created));
        await countChange(tx);
        tx.onCommit(() => directory.forget());
        return created;
      }),

    update: (find, change) =>
      engine.transaction(async (tx) => {
        const found = await locked(tx, find);
        const changed = change(found);
        await updateWorkspace(tx.db, found.workspace_id, changed);
        await countChange(tx);
        tx.onCommit(() => directory.forget());
        return { ...found, ...changed };
      }),

    async remove(find, condition) {
      const { ref: removed, locations } = await engine.transaction(async (tx) => {
        const row = await locked(tx, find);
        const { experiments, runs, models } = await countContents(tx.db, row.workspace_id);
        // Every workspace has the experiment Default; alone and without runs it does not count.
        if (condition === 'empty' && (experiments > 1 || runs > 0 || models > 0)) {
          throw new MlflowError(
            'INVALID_STATE',
            `Cannot delete workspace '${row.name}': it still contains ${experiments} experiment(s), ${runs} run(s) and ${models} registered model(s).`,
          );
        }
        const locations = await listLocations(tx.db, row.workspace_id);
        await removeWorkspace(tx, row);
        await countChange(tx);
        const ref = workspaceRef(row);
        tx.onCommit(() => {
          directory.forget();
          forget(ref);
        });
        return { ref, locations };
      });
      await removeFiles(removed, locations);
    },
  };
}
