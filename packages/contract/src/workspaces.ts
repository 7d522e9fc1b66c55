import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { List, Text } from './scalars.ts';

export const Workspace = Type.Object({
  name: Text(),
  description: Type.Optional(Text()),
  default_artifact_root: Type.Optional(Text()),
});
export type Workspace = Static<typeof Workspace>;

/** Workspaces are made and removed on the server as a whole; the address of the request does not matter. */
const onServer = { scope: 'server' } as const;

export const workspaces = {
  listWorkspaces: endpoint({
    summary: 'List the workspaces that the caller may read.',
    method: 'GET',
    path: '/3.0/mlflow/workspaces',
    actions: ['read'],
    ...onServer,
    input: Type.Object({}),
    output: Type.Object({ workspaces: Type.Optional(List(Workspace)) }),
  }),
  createWorkspace: endpoint({
    summary: 'Create a workspace in the default subscription and resource group.',
    method: 'POST',
    path: '/3.0/mlflow/workspaces',
    actions: ['write'],
    ...onServer,
    input: Type.Object({
      name: Text(),
      description: Type.Optional(Text()),
      default_artifact_root: Type.Optional(Text()),
    }),
    output: Type.Object({ workspace: Workspace }),
    status: 201,
  }),
  getWorkspace: endpoint({
    summary: 'Get a workspace by its name.',
    method: 'GET',
    path: '/3.0/mlflow/workspaces/{workspace_name}',
    actions: ['read'],
    ...onServer,
    input: Type.Object({ workspace_name: Text() }),
    output: Type.Object({ workspace: Workspace }),
  }),
  updateWorkspace: endpoint({
    summary: "Change a workspace's description or default artifact root.",
    method: 'PATCH',
    path: '/3.0/mlflow/workspaces/{workspace_name}',
    actions: ['write'],
    ...onServer,
    input: Type.Object({
      workspace_name: Text(),
      description: Type.Optional(Text()),
      default_artifact_root: Type.Optional(Text()),
    }),
    output: Type.Object({ workspace: Workspace }),
  }),
  deleteWorkspace: endpoint({
    summary: 'Delete a workspace: only an empty one (mode RESTRICT), or with everything in it (CASCADE).',
    method: 'DELETE',
    path: '/3.0/mlflow/workspaces/{workspace_name}',
    actions: ['delete'],
    ...onServer,
    input: Type.Object({ workspace_name: Text(), mode: Type.Optional(Text()) }),
    output: Type.Object({}),
    status: 204,
  }),
};
