import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../database/engine.ts';
import type { RoleAssignmentTable, RoleDefinitionTable } from '../database/schema.ts';
import type { RoleDefinition } from './roles.ts';

/** The SQL of roles: what custom ones allow, and who holds which on what. */
export type AssignmentRow = Selectable<RoleAssignmentTable>;

export interface CustomRole extends RoleDefinition {
  readonly assignableScopes: readonly string[];
  readonly creationTime: number;
  readonly updateTime: number;
}

export async function listCustomRoles(db: Db): Promise<CustomRole[]> {
  const rows = await db.selectFrom('role_definitions').selectAll().orderBy('role_id').execute();
  return rows.map((row) => ({
    id: row.role_id,
    name: row.name,
    description: row.description,
    actions: JSON.parse(row.actions) as string[],
    notActions: JSON.parse(row.not_actions) as string[],
    assignableScopes: JSON.parse(row.assignable_scopes) as string[],
    creationTime: row.creation_time,
    updateTime: row.update_time,
  }));
}

/** Makes a role, or makes the one with this id say this. */
export async function putCustomRole(db: Db, role: CustomRole): Promise<void> {
  const said: Omit<Insertable<RoleDefinitionTable>, 'role_id' | 'creation_time'> = {
    name: role.name,
    description: role.description,
    actions: JSON.stringify(role.actions),
    not_actions: JSON.stringify(role.notActions),
    assignable_scopes: JSON.stringify(role.assignableScopes),
    update_time: role.updateTime,
  };
  await db
    .insertInto('role_definitions')
    .values({ role_id: role.id, creation_time: role.creationTime, ...said })
    .onConflict((conflict) => conflict.column('role_id').doUpdateSet(said))
    .execute();
}

export async function removeCustomRole(db: Db, roleId: string): Promise<void> {
  await db.deleteFrom('role_definitions').where('role_id', '=', roleId).execute();
}

export async function listAssignments(db: Db): Promise<AssignmentRow[]> {
  return db.selectFrom('role_assignments').selectAll().orderBy('creation_time').orderBy('assignment_id').execute();
}

export async function findAssignment(db: Db, assignmentId: string): Promise<AssignmentRow | undefined> {
  return db.selectFrom('role_assignments').selectAll().where('assignment_id', '=', assignmentId).executeTakeFirst();
}

/** Whether it is new: no assignment has its id, and its principal does not hold the role on this scope yet. */
export async function insertAssignment(db: Db, row: Insertable<RoleAssignmentTable>): Promise<boolean> {
  const inserted = await db
    .insertInto('role_assignments')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returning('assignment_id')
    .execute();
  return inserted.length > 0;
}

export async function removeAssignment(db: Db, assignmentId: string): Promise<AssignmentRow | undefined> {
  const [removed] = await db
    .deleteFrom('role_assignments')
    .where('assignment_id', '=', assignmentId)
    .returningAll()
    .execute();
  return removed;
}

/** Whoever makes assignments of a role, and whoever removes the role, does so one after the other. */
export async function isAssigned(db: Db, roleId: string): Promise<boolean> {
  const row = db.selectFrom('role_assignments').select('assignment_id').where('role_id', '=', roleId).limit(1);
  return (await row.executeTakeFirst()) !== undefined;
}
