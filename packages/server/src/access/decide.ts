import { MlflowError } from '@lazuli/contract';
import type { Caller, Principal } from './caller.ts';
import { findRole, fullAction, roleAllows } from './roles.ts';

/**
 * Decides whether a caller may call an endpoint. An endpoint names its actions and any one of them suffices; a principal
 * has the union of what its roles allow where it holds them.
 */
export type Actions = readonly [string, ...string[]];
export type DecisionScope = 'workspace' | 'server';

/** Looking at workspaces and at what the server can do is not tied to one workspace: whoever may read any of them may. */
const readWorkspace: Actions = ['read'];

export function decide(caller: Caller, actions: Actions, scope: DecisionScope): void {
  const allowed =
    scope === 'workspace'
      ? mayInWorkspace(caller.principal, actions, caller.workspace.workspaceId)
      : mayOnServer(caller.principal, actions);
  if (!allowed) throw refusal(caller, actions, scope);
}

/** Whether a principal may see that a workspace exists and what it is called. */
export function mayRead(principal: Principal, workspaceId: number): boolean {
  return mayInWorkspace(principal, readWorkspace, workspaceId);
}

function mayInWorkspace({ grants }: Principal, actions: Actions, workspaceId: number): boolean {
  for (const grant of grants) {
    if (grant.workspaceId !== 'all' && grant.workspaceId !== workspaceId) continue;
    if (allowsAny(grant.role, actions)) return true;
  }
  return false;
}

function mayOnServer({ grants }: Principal, actions: Actions): boolean {
  const readsWorkspaces = actions.every((action) => fullAction(action) === fullAction(readWorkspace[0]));
  for (const grant of grants) {
    if (grant.workspaceId !== 'all' && !readsWorkspaces) continue;
    if (allowsAny(grant.role, actions)) return true;
  }
  return false;
}

/** Endpoints are values that live as long as the program, so what a role says to one is worked out once. */
const decisions = new WeakMap<Actions, Map<string, boolean>>();

function allowsAny(roleName: string, actions: Actions): boolean {
  let byRole = decisions.get(actions);
  if (byRole === undefined) decisions.set(actions, (byRole = new Map<string, boolean>()));
  const known = byRole.get(roleName);
  if (known !== undefined) return known;
  const role = findRole(roleName);
  if (role === undefined) return false;
  const allowed = actions.some((action) => roleAllows(role, action));
  byRole.set(roleName, allowed);
  return allowed;
}

function refusal({ principal, workspace }: Caller, actions: Actions, scope: DecisionScope): MlflowError {
  const place = scope === 'server' ? 'on this server as a whole' : `in workspace '${workspace.name}'`;
  return new MlflowError(
    'PERMISSION_DENIED',
    `'${principal.name}' may not do '${actions.map(fullAction).join("' or '")}' ${place}: no role that it holds there allows it.`,
  );
}
