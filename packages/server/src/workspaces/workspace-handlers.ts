import { invalidParameter, MlflowError, type Workspace, type workspaces } from '@lazuli/contract';
import type { Handlers, Principal, WorkspaceRef } from '../access/caller.ts';
import { countChange } from '../database/change-watch.ts';
import type { Db, Engine, Transaction } from '../database/engine.ts';
import {
  checkWorkspaceName,
  createWorkspace,
  defaultWorkspaceName,
  type WorkspaceDirectory,
} from './workspace-directory.ts';
import {
  countContents,
  findWorkspacesByName,
  listWorkspaces,
  lockWorkspace,
  removeWorkspace,
  updateWorkspace,
  workspaceRef,
  type WorkspaceRow,
} from './workspace-store.ts';

/** Owns workspaces: which there are, and what a request's workspace name stands for. */
export interface WorkspaceRoom {
  readonly engine: Engine;
  readonly now: () => number;
  readonly directory: WorkspaceDirectory;
  readonly mayRead: (principal: Principal, workspace: WorkspaceRef) => boolean;
  /** Checks a root for the artifacts of a workspace's experiments. */
  readonly checkArtifactRoot: (root: string) => string;
  /** Gives a new workspace what it starts with. */
  readonly furnish: (db: Db, workspace: WorkspaceRef) => Promise<void>;
  /** Forgets what is cached about a workspace; runs with the commit that removes it. */
  readonly forget: (workspace: WorkspaceRef) => void;
  readonly removeFiles: (workspace: WorkspaceRef) => Promise<void>;
}

export function workspaceHandlers(room: WorkspaceRoom): Handlers<typeof workspaces> {
  const { engine, now, directory, mayRead, checkArtifactRoot, furnish, forget, removeFiles } = room;
  return {
    async listWorkspaces(_input, { principal }) {
      const rows = await listWorkspaces(engine.db);
      return { workspaces: rows.filter((row) => mayRead(principal, workspaceRef(row))).map(workspaceOf) };
    },

    async createWorkspace({ name, description, default_artifact_root: root }) {
      if (name === defaultWorkspaceName) {
        throw invalidParameter(`The 'default' workspace is reserved and cannot be created`);
      }
      checkWorkspaceName(name);
      const checked = root === undefined || root === '' ? undefined : checkArtifactRoot(root);
      const row = await engine.transaction(async (tx) => {
        const { db, onCommit } = tx;
        const created = await createWorkspace(
          db,
          {
            name,
            ...(description === undefined ? {} : { description }),
            ...(checked === undefined ? {} : { default_artifact_root: checked }),
          },
          now(),
        );
        await furnish(db, workspaceRef(created));
        await countChange(tx);
        onCommit(() => directory.forget());
        return created;
      });
      return { workspace: workspaceOf(row) };
    },

    async getWorkspace({ workspace_name }, { principal }) {
      return { workspace: workspaceOf(await getReadable(engine.db, workspace_name, principal)) };
    },

    async updateWorkspace({ workspace_name, description, default_artifact_root: root }, { principal }) {
      if (description === undefined && root === undefined) {
        throw invalidParameter('Workspace update must have at least one key');
      }
      const change = {
        last_update_time: now(),
        ...(description === undefined ? {} : { description }),
        ...(root === undefined ? {} : { default_artifact_root: root === '' ? null : checkArtifactRoot(root) }),
      };
      const row = await engine.transaction(async (tx) => {
        const { db, onCommit } = tx;
        const found = await lockReadable(tx, workspace_name, principal);
        await updateWorkspace(db, found.workspace_id, change);
        await countChange(tx);
        onCommit(() => directory.forget());
        return { ...found, ...change };
      });
      return { workspace: workspaceOf(row) };
    },

    async deleteWorkspace({ workspace_name, mode = 'RESTRICT' }, { principal }) {
      if (workspace_name === defaultWorkspaceName) {
        throw invalidParameter(`The 'default' workspace is reserved and cannot be deleted`);
      }
      if (mode === 'SET_DEFAULT') {
        throw invalidParameter(
          `Deletion mode 'SET_DEFAULT' is not available: experiment ids count within a workspace, so experiments cannot change theirs. Use RESTRICT or CASCADE.`,
        );
      }
      if (mode !== 'RESTRICT' && mode !== 'CASCADE') {
        throw invalidParameter(`Invalid deletion mode '${mode}'. Must be one of: CASCADE, RESTRICT`);
      }
      const removedWorkspace = await engine.transaction(async (tx) => {
        const { db, onCommit } = tx;
        const row = await lockReadable(tx, workspace_name, principal);
        const { experiments, runs, models } = await countContents(db, row.workspace_id);
        // Every workspace has the experiment Default; alone and without runs it does not count.
        if (mode === 'RESTRICT' && (experiments > 1 || runs > 0 || models > 0)) {
          throw new MlflowError(
            'INVALID_STATE',
            `Cannot delete workspace '${workspace_name}': it still contains ${experiments} experiment(s), ${runs} run(s) and ${models} registered model(s). Remove them first, or delete with mode CASCADE.`,
          );
        }
        await removeWorkspace(tx, row);
        await countChange(tx);
        const removed = workspaceRef(row);
        onCommit(() => {
          directory.forget();
          forget(removed);
        });
        return removed;
      });
      await removeFiles(removedWorkspace);
      return {};
    },
  };

  /** What a principal may not read does not exist for it. */
  async function getReadable(db: Db, name: string, principal: Principal): Promise<WorkspaceRow> {
    checkWorkspaceName(name);
    const [row] = (await findWorkspacesByName(db, name)).filter((found) => mayRead(principal, workspaceRef(found)));
    if (row === undefined) throw noSuchWorkspace(name);
    return row;
  }

  async function lockReadable(tx: Transaction, name: string, principal: Principal): Promise<WorkspaceRow> {
    const { workspace_id } = await getReadable(tx.db, name, principal);
    const row = await lockWorkspace(tx, workspace_id);
    if (row === undefined) throw noSuchWorkspace(name);
    return row;
  }
}

function noSuchWorkspace(name: string): MlflowError {
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `Workspace '${name}' not found`);
}

function workspaceOf(row: WorkspaceRow): Workspace {
  return {
    name: row.name,
    ...(row.description === null ? {} : { description: row.description }),
    ...(row.default_artifact_root === null ? {} : { default_artifact_root: row.default_artifact_root }),
  };
}
