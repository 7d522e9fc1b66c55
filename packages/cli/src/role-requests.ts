import { randomUUID } from 'node:crypto';
import { CommandError } from './output.ts';
import { listAll, type Resources } from './resource-manager.ts';

/** What the commands ask of `Microsoft.Authorization`. */
export interface Definition {
  readonly id: string;
  readonly name: string;
  readonly properties: {
    readonly roleName: string;
    readonly type: string;
    readonly description: string;
    readonly assignableScopes: readonly string[];
    readonly permissions: readonly { readonly actions: readonly string[]; readonly notActions: readonly string[] }[];
  };
}

export interface Assignment {
  readonly id: string;
  readonly name: string;
  readonly properties: {
    readonly roleDefinitionId: string;
    readonly principalId: string;
    readonly principalType: string;
    readonly scope: string;
  };
}

export interface NewAssignment {
  readonly roleId: string;
  readonly assignee: string;
  readonly assigneeType: string;
  readonly scope: string;
}

export const definitions = '/providers/Microsoft.Authorization/roleDefinitions';

export function assignmentsOn(scope: string): string {
  if (!scope.startsWith('/')) {
    throw new CommandError(2, `${JSON.stringify(scope)} is no scope: it must be / or begin with /subscriptions/`);
  }
  return `${scope.replace(/\/+$/, '')}/providers/Microsoft.Authorization/roleAssignments`;
}

export async function rolesNamed(resources: Resources, name: string): Promise<Definition[]> {
  const filter = encodeURIComponent(`roleName eq '${name.replaceAll("'", "''")}'`);
  return listAll<Definition>(resources, `${definitions}?$filter=${filter}`);
}

/** The id of a role that is given by its name or its id. */
export async function roleId(resources: Resources, role: string): Promise<string> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(role)) return role;
  const [found] = await rolesNamed(resources, role);
  if (found === undefined) throw new CommandError(3, `There is no role ${JSON.stringify(role)}.`);
  return found.name;
}

export async function assignRole({ send }: Resources, given: NewAssignment): Promise<Assignment> {
  const properties = {
    roleDefinitionId: given.roleId,
    principalId: given.assignee,
    principalType: given.assigneeType,
  };
  return (await send('PUT', `${assignmentsOn(given.scope)}/${randomUUID()}`, { properties })) as Assignment;
}
