import { invalidParameter, MlflowError, type Workspace, type workspaces } from '@lazuli/contract';
import type { Handlers, Principal, WorkspaceRef } from '../access/caller.ts';
import type { Db, Engine } from '../database/engine.ts';
import { checkWorkspaceName, defaultWorkspaceName, newWorkspace, onlyNamed } from './workspace-directory.ts';
import type { WorkspaceLifecycle } from './workspace-lifecycle.ts';
import { findWorkspacesByName, listWorkspaces, workspaceRef, type WorkspaceRow } from './workspace-store.ts';

/** Owns workspaces: which there are, and what a request's workspace name stands for. */
export interface WorkspaceRoom {
  readonly engine: Engine;
  readonly now: () => number;
  readonly lifecycle: WorkspaceLifecycle;
  readonly mayRead: (principal: Principal, workspace: WorkspaceRef) => boolean;
  /** Checks a root for the artifacts of a workspace's experiments. */
  readonly checkArtifactRoot: (root: string) => string;
}

export function workspaceHandlers(room: WorkspaceRoom): Handlers<typeof workspaces> {
  const { engine, now, lifecycle, mayRead, checkArtifactRoot } = room;
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
      const row = await lifecycle.create({
        ...newWorkspace(name, now()),
        ...(description === undefined ? {} : { description }),
        ...(checked === undefined ? {} : { default_artifact_root: checked }),
      });
      if (row === undefined) throw new MlflowError('RESOURCE_ALREADY_EXISTS', `Workspace '${name}' already exists.`);
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
      const row = await lifecycle.update(
        (db) => getReadable(db, workspace_name, principal),
        () => change,
      );
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
      await lifecycle.remove(
        (db) => getReadable(db, workspace_name, principal),
        mode === 'RESTRICT' ? 'empty' : 'whatever is in it',
      );
      return {};
    },
  };

  /** What a principal may not read does not exist for it. */
  async function getReadable(db: Db, name: string, principal: Principal): Promise<WorkspaceRow> {
    checkWorkspaceName(name);
    const found = await findWorkspacesByName(db, name);
    return onlyNamed(
      name,
      found.filter((row) => mayRead(principal, workspaceRef(row))),
    );
  }
}

function workspaceOf(row: WorkspaceRow): Workspace {
  return {
    name: row.name,
    ...(row.description === null ? {} : { description: row.description }),
    ...(row.default_artifact_root === null ? {} : { default_artifact_root: row.default_artifact_root }),
  };
}
