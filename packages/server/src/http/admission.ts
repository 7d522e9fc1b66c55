import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../access/authenticate.ts';
import type { Caller, WorkspaceRef } from '../access/caller.ts';
import { decide, type Actions, type DecisionScope } from '../access/decide.ts';

/**
 * From a request to a permitted caller, before its body is read: which workspace it addresses, who sends it, and whether
 * they may do one of these actions there.
 */
export interface Admission {
  admit(request: FastifyRequest, actions: Actions, scope: DecisionScope): Caller | Promise<Caller>;
}

export interface AddressedWorkspaces {
  readonly default: WorkspaceRef;
  byName(name: string): WorkspaceRef | Promise<WorkspaceRef>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; undefined until the request is admitted. */
    caller: Caller | undefined;
  }
}

export function createAdmission(authenticator: Authenticator, workspaces: AddressedWorkspaces): Admission {
  function permitted(request: FastifyRequest, caller: Caller, actions: Actions, scope: DecisionScope): Caller {
    request.caller = caller;
    decide(caller, actions, scope);
    return caller;
  }

  return {
    admit(request, actions, scope) {
      const principal = authenticator.authenticate(request.headers.authorization);
      const workspace = scope === 'server' ? workspaces.default : addressed(request, workspaces);
      // Nearly always both are known already, and a turn of the microtask queue is saved.
      if (!(principal instanceof Promise) && !(workspace instanceof Promise)) {
        return permitted(request, { principal, workspace }, actions, scope);
      }
      // Who calls comes first: whether a workspace exists is nothing for strangers.
      return Promise.resolve(principal).then(async (known) =>
        permitted(request, { principal: known, workspace: await workspace }, actions, scope),
      );
    },
  };
}

/** *MLflow: the header X-MLFLOW-WORKSPACE names the workspace; blank or absent, it is the default one.* */
function addressed({ headers }: FastifyRequest, workspaces: AddressedWorkspaces): WorkspaceRef | Promise<WorkspaceRef> {
  const header = headers['x-mlflow-workspace'];
  const name = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
  return name === '' ? workspaces.default : workspaces.byName(name);
}
