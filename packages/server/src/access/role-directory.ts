import type { Engine } from '../database/engine.ts';
import type { Principal } from './caller.ts';
import { listAssignments, listCustomRoles, type AssignmentRow, type CustomRole } from './role-store.ts';
import { builtInRoles, findRole, type RoleDefinition } from './roles.ts';
import { scopeKey } from './scope.ts';

/**
 * Who holds which role on what, in memory: every request asks. What is remembered is dropped when this process changes a
 * role, and when the change watch sees that another one did; the next request then waits until it is read again.
 */
export interface RoleDirectory {
  /** Settles when all that is known of roles has been read since the last change; undefined: it has. */
  load(): Promise<void> | undefined;
  forget(): void;
  current(): RoleState;
}

/** All roles and assignments as they were at one moment. */
export interface RoleState {
  readonly custom: readonly CustomRole[];
  readonly assignments: readonly AssignmentRow[];
  role(id: string): RoleDefinition | undefined;
  /** What somebody holds: by the credential, by the object id, by groups. */
  holdings(principal: Principal): readonly Holding[];
}

/** A role, held on a scope and all beneath it, or on one workspace by its number. */
export interface Holding {
  readonly role: RoleDefinition;
  readonly on: { readonly key: string } | { readonly workspaceId: number };
}

export function createRoleDirectory(engine: Pick<Engine, 'snapshot'>): RoleDirectory {
  let state = roleState([], []);
  let isKnown = false;
  let changes = 0;
  let loading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const before = changes;
    // A snapshot of its own: one that began before a change would still show what was.
    const found = await engine.snapshot(async (db) => roleState(await listCustomRoles(db), await listAssignments(db)));
    if (before !== changes) return load();
    state = found;
    isKnown = true;
    loading = undefined;
  }

  function load(): Promise<void> | undefined {
    if (isKnown) return undefined;
    if (loading === undefined) {
      const reading = read();
      loading = reading;
      reading.catch(() => {
        if (loading === reading) loading = undefined;
      });
    }
    return loading;
  }

  return {
    load,
    forget() {
      changes += 1;
      isKnown = false;
      loading = undefined;
    },
    current: () => state,
  };
}

export function roleState(custom: readonly CustomRole[], assignments: readonly AssignmentRow[]): RoleState {
  const roles = new Map<string, RoleDefinition>([...builtInRoles, ...custom].map((role) => [role.id, role]));
  const byPrincipal = Map.groupBy(assignments, ({ principal_id }) => principal_id.toLowerCase());

  function assigned(objectId: string): Holding[] {
    return (byPrincipal.get(objectId.toLowerCase()) ?? []).flatMap(({ role_id, scope }) => {
      const role = roles.get(role_id);
      return role === undefined ? [] : [{ role, on: { key: scopeKey(scope) } }];
    });
  }

  return {
    custom,
    assignments,
    role: (id) => roles.get(id.toLowerCase()),
    holdings({ objectId, groups, grants }) {
      const granted = grants.flatMap(({ role: name, workspaceId }) => {
        const role = findRole(name);
        return role === undefined ? [] : [{ role, on: workspaceId === 'all' ? { key: '' } : { workspaceId } }];
      });
      return [...granted, ...[objectId, ...groups].flatMap(assigned)];
    },
  };
}
