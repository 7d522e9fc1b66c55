import type { IncomingHttpHeaders } from 'node:http';
import type { Authenticator } from '../access/authenticate.ts';
import type { Caller, MaySee, Principal, WorkspaceRef } from '../access/caller.ts';
import type { Actions, Decider, DecisionScope } from '../access/decide.ts';
import { requireOwnHost } from '../azure/own-host.ts';
import type { Address } from './addressing.ts';

/**
 * From a request to a permitted caller, before its body is read: which workspace it addresses, who sends it, and whether
 * they may do one of these actions there.
 */
export interface Admission {
  admit(request: AdmittedRequest, actions: Actions, scope: DecisionScope): Caller | Promise<Caller>;
  /** Who calls, for protocols that decide on resources of their own. */
  identify(request: AdmittedRequest): Promise<Caller>;
}

export interface AdmittedRequest {
  readonly headers: IncomingHttpHeaders;
  /** The workspace that an address of Azure's form named. */
  readonly address: Address | undefined;
  /** Who calls, noted as soon as it is known, for the log; undefined until then. */
  caller: Caller | undefined;
}

export interface AddressedWorkspaces {
  default(): WorkspaceRef | Promise<WorkspaceRef>;
  byName(name: string, maySee: MaySee): WorkspaceRef | Promise<WorkspaceRef>;
  at(address: Address, maySee: MaySee): WorkspaceRef | Promise<WorkspaceRef>;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | undefined;
    readonly address: Address | undefined;
  }
}

export interface AdmissionParts {
  readonly authenticator: Authenticator;
  readonly workspaces: AddressedWorkspaces;
  readonly decider: Pick<Decider, 'decide' | 'maySee'>;
  /** Makes sure that what is remembered of callers, their roles and workspaces is up to date; undefined: it is. */
  readonly catchUp: () => Promise<void> | undefined;
}

export function createAdmission({ authenticator, workspaces, decider, catchUp }: AdmissionParts): Admission {
  function permitted(request: AdmittedRequest, caller: Caller, actions: Actions, scope: DecisionScope): Caller {
    request.caller = caller;
    decider.decide(caller, actions, scope);
    return caller;
  }

  /** Nearly always the workspace is known already, and a turn of the microtask queue is saved. */
  function inWorkspace(
    request: AdmittedRequest,
    principal: Principal,
    actions: Actions,
    scope: DecisionScope,
  ): Caller | Promise<Caller> {
    const workspace = scope === 'server' ? workspaces.default() : addressed(request, principal);
    return workspace instanceof Promise
      ? workspace.then((found) => permitted(request, { principal, workspace: found }, actions, scope))
      : permitted(request, { principal, workspace }, actions, scope);
  }

  /** *MLflow: the header X-MLFLOW-WORKSPACE names the workspace; blank or absent, it is the default one.* */
  function addressed(
    { headers, address }: AdmittedRequest,
    principal: Principal,
  ): WorkspaceRef | Promise<WorkspaceRef> {
    const maySee: MaySee = (workspace) => decider.maySee(principal, workspace);
    if (address !== undefined) {
      const found = workspaces.at(address, maySee);
      const checked = (workspace: WorkspaceRef): WorkspaceRef => {
        requireOwnHost(headers.host, workspace);
        return workspace;
      };
      return found instanceof Promise ? found.then(checked) : checked(found);
    }
    const header = headers['x-mlflow-workspace'];
    const name = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
    if (name === '') return workspaces.default();
    return workspaces.byName(name, maySee);
  }

  function admitKnown(request: AdmittedRequest, actions: Actions, scope: DecisionScope): Caller | Promise<Caller> {
    const principal = authenticator.authenticate(request.headers.authorization);
    // Who calls comes first: whether a workspace exists is nothing for strangers.
    if (principal instanceof Promise) return principal.then((known) => inWorkspace(request, known, actions, scope));
    return inWorkspace(request, principal, actions, scope);
  }

  return {
    admit(request, actions, scope) {
      const behind = catchUp();
      return behind === undefined
        ? admitKnown(request, actions, scope)
        : behind.then(() => admitKnown(request, actions, scope));
    },
    async identify(request) {
      await catchUp();
      const principal = await authenticator.authenticate(request.headers.authorization);
      request.caller = { principal, workspace: await workspaces.default() };
      return request.caller;
    },
  };
}
