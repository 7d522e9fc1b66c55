import { contract, MlflowError, transfers, type Endpoint } from '@lazuli/contract';
import type { Caller, Principal, WorkspaceRef } from './caller.ts';
import type { Holding, RoleDirectory, RoleState } from './role-directory.ts';
import { fullAction, roleAllows, type RoleDefinition } from './roles.ts';
import { covers, scopeKey, workspaceScope } from './scope.ts';

/**
 * Decides whether a caller may call an endpoint. An endpoint names its actions and any one of them suffices; a principal
 * has the union of what its roles allow where it holds them.
 */
export type Actions = readonly [string, ...string[]];
export type DecisionScope = 'workspace' | 'server';

export interface Decider {
  /** Throws where none of the actions is allowed. */
  readonly decide: (caller: Caller, actions: Actions, scope: DecisionScope) => void;
  /** Whether a principal may read what a workspace is called and how it is set up. */
  readonly mayRead: (principal: Principal, workspace: WorkspaceRef) => boolean;
  /** Whether a principal may do anything at all in a workspace: to all others it does not exist. */
  readonly maySee: (principal: Principal, workspace: WorkspaceRef) => boolean;
  /** Whether a principal may do an action on a resource: its id, and the number of the workspace that it lies in. */
  readonly may: (principal: Principal, action: string, target: Target) => boolean;
  /** What a principal holds on a resource, by itself or by what the resource lies in. */
  readonly heldOn: (principal: Principal, target: Target) => readonly RoleDefinition[];
}

export interface Target {
  readonly id: string;
  readonly workspaceId?: number | undefined;
}

const readWorkspace: Actions = ['read'];

/** Looking at workspaces and at what the server can do is not tied to one workspace: whoever may read any of them may. */
const anywhere = 'anywhere';
const wholeServer = 'server';

/** What there is to do in a workspace: seeing it is the right to any of it. */
const workspaceActions = [
  ...new Set([
    ...readWorkspace,
    ...[...Object.values(contract).flatMap((group) => Object.values<Endpoint>(group)), ...Object.values(transfers)]
      .filter((endpoint) => !('scope' in endpoint) || endpoint.scope !== 'server')
      .flatMap(({ actions }) => actions),
  ]),
] as unknown as Actions;

/** What was decided for a principal, for as long as nobody's roles change. */
interface Decisions {
  readonly state: RoleState;
  readonly holdings: readonly Holding[];
  readonly known: Map<Actions, Map<number | string, boolean>>;
}

export function createDecider(roles: Pick<RoleDirectory, 'current'>): Decider {
  // Who calls often is one object for a while (see `Authenticator`), so a decision is one look-up most of the time.
  const decisions = new WeakMap<Principal, Decisions>();

  function decisionsOf(principal: Principal): Decisions {
    const state = roles.current();
    const known = decisions.get(principal);
    if (known?.state === state) return known;
    const fresh: Decisions = { state, holdings: state.holdings(principal), known: new Map() };
    decisions.set(principal, fresh);
    return fresh;
  }

  function isAllowed(principal: Principal, actions: Actions, place: WorkspaceRef | string): boolean {
    const { known, holdings } = decisionsOf(principal);
    let byPlace = known.get(actions);
    if (byPlace === undefined) known.set(actions, (byPlace = new Map<number | string, boolean>()));
    const key = typeof place === 'string' ? place : place.workspaceId;
    let allowed = byPlace.get(key);
    if (allowed === undefined) {
      const here = place === anywhere ? holdings : holdings.filter((holding) => holdsOn(holding, targetOf(place)));
      allowed = here.some(({ role }) => actions.some((action) => roleAllows(role, action)));
      byPlace.set(key, allowed);
    }
    return allowed;
  }

  return {
    decide(caller, actions, scope) {
      const { principal, workspace } = caller;
      if (!isAllowed(principal, actions, scope === 'workspace' ? workspace : onServer(actions))) {
        throw refusal(caller, actions, scope);
      }
    },
    mayRead: (principal, workspace) => isAllowed(principal, readWorkspace, workspace),
    maySee: (principal, workspace) => isAllowed(principal, workspaceActions, workspace),
    may: (principal, action, target) => {
      const wanted = { ...target, key: scopeKey(target.id) };
      return decisionsOf(principal).holdings.some(
        (holding) => holdsOn(holding, wanted) && roleAllows(holding.role, action),
      );
    },
    heldOn: (principal, target) => {
      const wanted = { ...target, key: scopeKey(target.id) };
      return decisionsOf(principal)
        .holdings.filter((holding) => holdsOn(holding, wanted))
        .map(({ role }) => role);
    },
  };
}

interface Wanted {
  readonly key: string;
  readonly workspaceId?: number | undefined;
}

function holdsOn({ on }: Holding, wanted: Wanted): boolean {
  return 'key' in on ? covers(on.key, wanted.key) : on.workspaceId === wanted.workspaceId;
}

function targetOf(place: WorkspaceRef | string): Wanted {
  if (typeof place === 'string') return { key: '' };
  return { key: scopeKey(workspaceScope(place)), workspaceId: place.workspaceId };
}

function onServer(actions: Actions): string {
  return actions.every((action) => fullAction(action) === fullAction(readWorkspace[0])) ? anywhere : wholeServer;
}

function refusal({ principal, workspace }: Caller, actions: Actions, scope: DecisionScope): MlflowError {
  const place = scope === 'server' ? 'on this server as a whole' : `in workspace '${workspace.name}'`;
  return new MlflowError(
    'PERMISSION_DENIED',
    `'${principal.name}' may not do '${actions.map(fullAction).join("' or '")}' ${place}: no role that it holds there allows it.`,
  );
}
