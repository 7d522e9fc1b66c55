import type { Decider } from '../access/decide.ts';
import type { RoleDirectory } from '../access/role-directory.ts';
import {
  findAssignment,
  insertAssignment,
  isAssigned,
  listCustomRoles,
  putCustomRole,
  removeAssignment,
  removeCustomRole,
  type AssignmentRow,
  type CustomRole,
} from '../access/role-store.ts';
import { builtInRoles, type RoleDefinition } from '../access/roles.ts';
import { covers, isScope, placeOfScope, scopeKey, workspaceScope } from '../access/scope.ts';
import { countChange } from '../database/change-watch.ts';
import type { Db, Engine, Transaction } from '../database/engine.ts';
import { findWorkspaceAt } from '../workspaces/workspace-store.ts';
import { ArmError, invalidContent, resourceNotFound } from './arm-error.ts';
import { pageOf } from './arm-page.ts';
import { fieldsOf, route, textOf, textsOf, type ArmCall, type ArmRoute } from './arm-route.ts';
import { forbidden } from './arm-service.ts';
import { isoTime } from './workspace-body.ts';

/** Role definitions, role assignments and permissions, under every scope. */
export interface ArmAuthorizationParts {
  readonly engine: Engine;
  readonly now: () => number;
  readonly roles: RoleDirectory;
  readonly decider: Pick<Decider, 'may' | 'heldOn'>;
}

const authorization = 'Microsoft.Authorization';
const definitions = `/providers/${authorization}/roleDefinitions`;
const assignments = `/providers/${authorization}/roleAssignments`;
const actionOf = (kind: string, verb: string) => `${authorization}/${kind}/${verb}`;
const definitionWrite = actionOf('roleDefinitions', 'write');

export function armAuthorizationRoutes(parts: ArmAuthorizationParts): ArmRoute[] {
  const { roles, decider } = parts;
  const under = (
    method: ArmRoute['method'],
    path: string,
    access: string,
    answer: (call: ArmCall) => ReturnType<ArmRoute['answer']>,
  ): ArmRoute => route(method, path, access, (call) => answer(withScope(call)), 'under scopes');

  return [
    under('GET', definitions, actionOf('roleDefinitions', 'read'), (call) => {
      const named = quoted(call, 'roleName');
      const type = quoted(call, 'type');
      return pageOf(
        call,
        [...builtInRoles, ...roles.current().custom]
          .map((role) => definitionBody(role, call.scope))
          .filter(({ properties }) => isAssignable(properties.assignableScopes, call.scope, 'either way'))
          .filter(({ properties }) => named === undefined || properties.roleName.toLowerCase() === named.toLowerCase())
          .filter(({ properties }) => type === undefined || properties.type.toLowerCase() === type.toLowerCase()),
      );
    }),
    under('GET', `${definitions}/{id}`, actionOf('roleDefinitions', 'read'), (call) => ({
      body: definitionBody(roleBy(roles, call.params['id'] ?? ''), call.scope),
    })),
    under('PUT', `${definitions}/{id}`, definitionWrite, (call) => putDefinition(parts, call)),
    under('DELETE', `${definitions}/{id}`, actionOf('roleDefinitions', 'delete'), (call) =>
      removeDefinition(parts, call),
    ),
    under('GET', assignments, actionOf('roleAssignments', 'read'), (call) => {
      const principal = quoted(call, 'principalId') ?? assignedTo(call);
      const isAtScope = /atScope\(\)/i.test(call.query.get('$filter') ?? '');
      const wanted = scopeKey(call.scope);
      const rows = roles
        .current()
        .assignments.filter(
          ({ scope_key: held, principal_id }) =>
            (covers(held, wanted) || (!isAtScope && covers(wanted, held))) &&
            (principal === undefined || principal_id.toLowerCase() === principal.toLowerCase()),
        );
      return pageOf(call, rows.map(assignmentBody));
    }),
    under('GET', `${assignments}/{id}`, actionOf('roleAssignments', 'read'), async (call) => {
      const row = await findAssignment(parts.engine.db, assignmentId(call));
      if (row === undefined || row.scope_key !== scopeKey(call.scope)) throw noAssignment(call);
      return { body: assignmentBody(row) };
    }),
    under('PUT', `${assignments}/{id}`, actionOf('roleAssignments', 'write'), (call) => putAssignment(parts, call)),
    under('DELETE', `${assignments}/{id}`, actionOf('roleAssignments', 'delete'), (call) =>
      deleteAssignment(parts, call),
    ),
    under('GET', `/providers/${authorization}/permissions`, 'signed-in', (call) =>
      pageOf(call, decider.heldOn(call.principal, { id: call.scope }).map(permissionBody)),
    ),
  ];
}

/** A change of roles: other processes are told, and this one forgets what it remembers with the commit. */
async function changeRoles<T>(
  { engine, roles }: ArmAuthorizationParts,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return engine.transaction(async (tx) => {
    // First of all, because the count is a row that changes of roles wait for each other at: one sees what the other did.
    await countChange(tx);
    const result = await work(tx);
    tx.onCommit(() => roles.forget());
    return result;
  });
}

async function putDefinition(parts: ArmAuthorizationParts, call: ArmCall) {
  const { now, decider } = parts;
  const id = guid('the id of a role definition', call.params['id'] ?? '');
  if (builtInRoles.some((role) => role.id === id)) {
    throw new ArmError(400, 'RoleDefinitionIsBuiltIn', `The role definition '${id}' is built in and stays as it is.`);
  }
  const given = definitionOf(call);
  for (const scope of given.assignableScopes) {
    if (!decider.may(call.principal, definitionWrite, { id: scope })) {
      throw forbidden(call.principal, definitionWrite, scope);
    }
  }
  const role = await changeRoles(parts, async ({ db }) => {
    const custom = await listCustomRoles(db);
    const present = custom.find((role) => role.id === id);
    const namesake = [...builtInRoles, ...custom].find(
      (role) => role.id !== id && role.name.toLowerCase() === given.name.toLowerCase(),
    );
    if (namesake !== undefined) {
      throw new ArmError(
        409,
        'RoleDefinitionWithSameNameExists',
        `A role definition with the name '${given.name}' exists already: ${namesake.id}.`,
      );
    }
    // Whoever changes a role gives or takes it wherever it can be assigned.
    for (const scope of present?.assignableScopes ?? []) {
      if (!decider.may(call.principal, definitionWrite, { id: scope })) {
        throw forbidden(call.principal, definitionWrite, scope);
      }
    }
    const made: CustomRole = { id, ...given, creationTime: present?.creationTime ?? now(), updateTime: now() };
    await putCustomRole(db, made);
    return made;
  });
  return { status: 201, body: definitionBody(role, call.scope) };
}

async function removeDefinition(parts: ArmAuthorizationParts, call: ArmCall) {
  const id = guid('the id of a role definition', call.params['id'] ?? '');
  const write = actionOf('roleDefinitions', 'delete');
  const removed = await changeRoles(parts, async ({ db }) => {
    const role = (await listCustomRoles(db)).find((found) => found.id === id);
    if (role === undefined) return undefined;
    for (const scope of role.assignableScopes) {
      if (!parts.decider.may(call.principal, write, { id: scope })) throw forbidden(call.principal, write, scope);
    }
    if (await isAssigned(db, id)) {
      throw new ArmError(
        400,
        'RoleDefinitionHasAssignments',
        `The role definition '${role.name}' is assigned; delete its assignments first.`,
      );
    }
    await removeCustomRole(db, id);
    return role;
  });
  return removed === undefined ? { status: 204 } : { body: definitionBody(removed, call.scope) };
}

async function putAssignment(parts: ArmAuthorizationParts, call: ArmCall) {
  const id = assignmentId(call);
  const body = fieldsOf(call.body, 'body');
  const properties = fieldsOf(body['properties'] ?? body, 'properties');
  const roleId = (textOf(properties['roleDefinitionId'], 'properties.roleDefinitionId') ?? '').split('/').at(-1) ?? '';
  const principalId = guid('properties.principalId', textOf(properties['principalId'], 'properties.principalId') ?? '');
  const row: AssignmentRow = {
    assignment_id: id,
    scope: call.scope,
    scope_key: scopeKey(call.scope),
    role_id: roleId.toLowerCase(),
    principal_id: principalId,
    principal_type: principalType(textOf(properties['principalType'], 'properties.principalType', 100)),
    description: textOf(properties['description'], 'properties.description') ?? null,
    created_by: call.principal.objectId,
    creation_time: parts.now(),
  };
  const outcome = await changeRoles(parts, async ({ db }) => {
    await requireWorkspace(db, call.scope);
    const custom = (await listCustomRoles(db)).find((role) => role.id === row.role_id);
    if (custom === undefined && !builtInRoles.some((role) => role.id === row.role_id)) {
      throw new ArmError(400, 'RoleDefinitionDoesNotExist', `The role definition '${roleId}' does not exist.`);
    }
    if (custom !== undefined && !isAssignable(custom.assignableScopes, call.scope, 'within')) {
      throw new ArmError(
        400,
        'RoleDefinitionNotAssignableAtScope',
        `The role '${custom.name}' can be assigned on ${custom.assignableScopes.join(', ')} and beneath, not on '${call.scope}'.`,
      );
    }
    if (await insertAssignment(db, row)) return { status: 201, row };
    const present = await findAssignment(db, id);
    if (present === undefined) {
      throw new ArmError(409, 'RoleAssignmentExists', 'The role assignment already exists.');
    }
    const isSame =
      present.scope_key === row.scope_key &&
      present.role_id === row.role_id &&
      present.principal_id === row.principal_id;
    if (isSame) return { status: 200, row: present };
    throw new ArmError(
      409,
      'RoleAssignmentUpdateNotPermitted',
      'Scope, role and principal of a role assignment cannot be changed; delete it and make another.',
    );
  });
  return { status: outcome.status, body: assignmentBody(outcome.row) };
}

/** A role on a workspace that is not there would help nobody, and pass on to whoever makes one of that name. */
async function requireWorkspace(db: Db, scope: string): Promise<void> {
  const place = placeOfScope(scope.split('/').slice(0, 9).join('/'));
  if (place === undefined || (await findWorkspaceAt(db, place)) !== undefined) return;
  throw resourceNotFound(workspaceScope(place));
}

async function deleteAssignment(parts: ArmAuthorizationParts, call: ArmCall) {
  const id = assignmentId(call);
  const removed = await changeRoles(parts, async ({ db }) => {
    const row = await findAssignment(db, id);
    // The right was decided on for the scope of the path: an assignment elsewhere is not meant.
    if (row === undefined || row.scope_key !== scopeKey(call.scope)) return undefined;
    return removeAssignment(db, id);
  });
  return removed === undefined ? { status: 204 } : { body: assignmentBody(removed) };
}

function withScope(call: ArmCall): ArmCall {
  if (isScope(call.scope)) return call;
  throw new ArmError(400, 'InvalidScope', `'${call.scope.slice(0, 500)}' is no scope that a role can be held on.`);
}

function definitionOf(call: ArmCall): Omit<CustomRole, 'id' | 'creationTime' | 'updateTime'> {
  const body = fieldsOf(call.body, 'body');
  const properties = fieldsOf(body['properties'], 'properties');
  const name = textOf(properties['roleName'], 'properties.roleName', 512)?.trim() ?? '';
  if (name === '') throw invalidContent("The role needs a name, in 'properties.roleName'.");
  const permissions = properties['permissions'];
  const [permission, ...others] = Array.isArray(permissions) ? (permissions as unknown[]) : [];
  if (others.length > 0) throw invalidContent("A role has one element in 'properties.permissions'.");
  const fields = fieldsOf(permission, 'properties.permissions');
  const actions = textsOf(fields['actions'], 'permissions.actions');
  if (actions.length === 0) throw invalidContent("The role needs at least one of 'permissions.actions'.");
  if (textsOf(fields['dataActions'], 'permissions.dataActions').length > 0) {
    throw invalidContent("Azure Machine Learning has no 'dataActions'; its rights are 'actions'.");
  }
  const assignableScopes = textsOf(properties['assignableScopes'], 'properties.assignableScopes');
  const wrong = assignableScopes.find((scope) => !isScope(scope));
  if (wrong !== undefined || assignableScopes.length === 0) {
    throw invalidContent(`'${wrong ?? ''}' in 'properties.assignableScopes' is no scope; give one such as '/'.`);
  }
  const notActions = textsOf(fields['notActions'], 'permissions.notActions');
  const long = [...actions, ...notActions].find((action) => action === '' || action.length > 500);
  if (long !== undefined) throw invalidContent('An action has 1 to 500 characters.');
  return {
    name,
    description: textOf(properties['description'], 'properties.description') ?? '',
    actions,
    notActions,
    assignableScopes,
  };
}

function roleBy(roles: RoleDirectory, id: string): RoleDefinition {
  const role = roles.current().role(id);
  if (role === undefined) {
    throw new ArmError(404, 'RoleDefinitionDoesNotExist', `The role definition '${id}' does not exist.`);
  }
  return role;
}

/** Whether a role can be assigned within a scope, or also on something beneath it. */
function isAssignable(assignable: readonly string[], scope: string, direction: 'within' | 'either way'): boolean {
  const wanted = scopeKey(scope);
  return assignable
    .map(scopeKey)
    .some((key) => covers(key, wanted) || (direction === 'either way' && covers(wanted, key)));
}

function definitionBody(role: RoleDefinition | CustomRole, scope: string) {
  const isCustom = 'assignableScopes' in role;
  return {
    id: `${subscriptionIn(scope)}${definitions}/${role.id}`,
    name: role.id,
    type: `${authorization}/roleDefinitions`,
    properties: {
      roleName: role.name,
      type: isCustom ? 'CustomRole' : 'BuiltInRole',
      description: role.description,
      assignableScopes: isCustom ? role.assignableScopes : ['/'],
      permissions: [permissionBody(role)],
      ...(isCustom ? { createdOn: isoTime(role.creationTime), updatedOn: isoTime(role.updateTime) } : {}),
    },
  };
}

function permissionBody({ actions, notActions }: Pick<RoleDefinition, 'actions' | 'notActions'>) {
  return { actions, notActions, dataActions: [], notDataActions: [] };
}

function assignmentBody(row: AssignmentRow) {
  const scope = row.scope_key === '' ? '' : row.scope;
  return {
    id: `${scope}${assignments}/${row.assignment_id}`,
    name: row.assignment_id,
    type: `${authorization}/roleAssignments`,
    properties: {
      roleDefinitionId: `${subscriptionIn(row.scope)}${definitions}/${row.role_id}`,
      principalId: row.principal_id,
      principalType: row.principal_type,
      scope: row.scope,
      ...(row.description === null ? {} : { description: row.description }),
      createdOn: isoTime(row.creation_time),
      updatedOn: isoTime(row.creation_time),
      createdBy: row.created_by,
      updatedBy: row.created_by,
    },
  };
}

function subscriptionIn(scope: string): string {
  return /^\/subscriptions\/[^/]+/i.exec(scope)?.[0] ?? '';
}

function assignmentId({ params: { id = '' } }: ArmCall): string {
  return guid('the id of a role assignment', id);
}

function noAssignment({ params: { id = '' } }: ArmCall): ArmError {
  return new ArmError(404, 'RoleAssignmentNotFound', `The role assignment '${id}' is not found.`);
}

function guid(what: string, text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
  throw new ArmError(400, 'InvalidPrincipalId', `'${text.slice(0, 100)}' is no GUID, which ${what} must be.`);
}

const principalTypes = ['User', 'Group', 'ServicePrincipal', 'ForeignGroup', 'Device'] as const;

/** *Azure: `User` where nothing is said.* */
function principalType(given: string | undefined): string {
  if (given === undefined) return 'User';
  const type = principalTypes.find((name) => name.toLowerCase() === given.toLowerCase());
  if (type === undefined) throw invalidContent(`'${given}' is no type of principal: ${principalTypes.join(', ')}.`);
  return type;
}

/** The value of `name eq 'value'` in the filter. */
function quoted({ query }: ArmCall, name: string): string | undefined {
  const [, value] = new RegExp(`\\b${name}\\s+eq\\s+'((?:[^']|'')*)'`, 'i').exec(query.get('$filter') ?? '') ?? [];
  return value?.replaceAll("''", "'");
}

function assignedTo({ query }: ArmCall): string | undefined {
  return /\bassignedTo\('([^']*)'\)/i.exec(query.get('$filter') ?? '')?.[1];
}
