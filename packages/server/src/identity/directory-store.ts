import type { Insertable, Selectable } from 'kysely';
import type { Db, Transaction } from '../database/engine.ts';
import type { DirectoryCredentialTable, DirectoryObjectTable, TenantTable } from '../database/schema.ts';

/** The SQL of the directory: tenants, objects, members of groups, credentials. */
export type TenantRow = Selectable<TenantTable>;
export type ObjectRow = Selectable<DirectoryObjectTable>;
export type CredentialRow = Selectable<DirectoryCredentialTable>;

export async function findDefaultTenant(db: Db): Promise<TenantRow | undefined> {
  return db.selectFrom('tenants').selectAll().where('position', '=', 0).executeTakeFirst();
}

/** Does nothing where another process came first. */
export async function insertTenant(db: Db, tenant: TenantRow): Promise<void> {
  await db
    .insertInto('tenants')
    .values(tenant)
    .onConflict((conflict) => conflict.column('position').doNothing())
    .execute();
}

/** False where its user name, application id or object id is taken. */
export async function insertObject(db: Db, object: Insertable<DirectoryObjectTable>): Promise<boolean> {
  const inserted = await db
    .insertInto('directory_objects')
    .values(object)
    .onConflict((conflict) => conflict.doNothing())
    .returning('object_id')
    .execute();
  return inserted.length > 0;
}

export async function findObject(db: Db, objectId: string): Promise<ObjectRow | undefined> {
  return db.selectFrom('directory_objects').selectAll().where('object_id', '=', objectId).executeTakeFirst();
}

export async function findUser(db: Db, userName: string): Promise<ObjectRow | undefined> {
  return db
    .selectFrom('directory_objects')
    .selectAll()
    .where('user_name', '=', userName.toLowerCase())
    .executeTakeFirst();
}

export async function findApplication(db: Db, appId: string): Promise<ObjectRow | undefined> {
  return db.selectFrom('directory_objects').selectAll().where('app_id', '=', appId.toLowerCase()).executeTakeFirst();
}

/** By object id, application id or user name; where none of them is it, by display name: two at the most. */
export async function findObjectsNamed(db: Db, name: string): Promise<ObjectRow[]> {
  const key = name.toLowerCase();
  const byKey = await db
    .selectFrom('directory_objects')
    .selectAll()
    .where((where) => where.or([where('object_id', '=', key), where('app_id', '=', key), where('user_name', '=', key)]))
    .limit(2)
    .execute();
  if (byKey.length > 0) return byKey;
  return db.selectFrom('directory_objects').selectAll().where('display_name', '=', name).limit(2).execute();
}

export async function listObjects(db: Db, kind: ObjectRow['kind'] | undefined): Promise<ObjectRow[]> {
  const all = db.selectFrom('directory_objects').selectAll();
  const some = kind === undefined ? all : all.where('kind', '=', kind);
  return some.orderBy('kind').orderBy('display_name').orderBy('object_id').execute();
}

export async function updateObject(
  db: Db,
  objectId: string,
  change: Partial<Pick<ObjectRow, 'disabled' | 'password_hash'>>,
): Promise<void> {
  await db.updateTable('directory_objects').set(change).where('object_id', '=', objectId).execute();
}

/** Keeps an object until the commit, if it is still there. */
export async function lockObject({ db, locked }: Transaction, objectId: string): Promise<ObjectRow | undefined> {
  return locked(db.selectFrom('directory_objects').selectAll().where('object_id', '=', objectId)).executeTakeFirst();
}

/** With its credentials, its memberships and what it was granted. */
export async function removeObject(db: Db, objectId: string): Promise<void> {
  await db.deleteFrom('authority_grants').where('object_id', '=', objectId).execute();
  await db.deleteFrom('directory_credentials').where('object_id', '=', objectId).execute();
  await db
    .deleteFrom('directory_members')
    .where((where) => where.or([where('group_id', '=', objectId), where('member_id', '=', objectId)]))
    .execute();
  await db.deleteFrom('directory_objects').where('object_id', '=', objectId).execute();
}

export async function insertMember(db: Db, groupId: string, memberId: string): Promise<void> {
  await db
    .insertInto('directory_members')
    .values({ group_id: groupId, member_id: memberId })
    .onConflict((conflict) => conflict.columns(['group_id', 'member_id']).doNothing())
    .execute();
}

export async function removeMember(db: Db, groupId: string, memberId: string): Promise<void> {
  await db.deleteFrom('directory_members').where('group_id', '=', groupId).where('member_id', '=', memberId).execute();
}

export async function listMembers(db: Db, groupId: string): Promise<ObjectRow[]> {
  return db
    .selectFrom('directory_members')
    .innerJoin('directory_objects', 'directory_objects.object_id', 'directory_members.member_id')
    .selectAll('directory_objects')
    .where('directory_members.group_id', '=', groupId)
    .orderBy('directory_objects.display_name')
    .orderBy('directory_objects.object_id')
    .execute();
}

export async function listGroupsOf(db: Db, memberId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('directory_members')
    .select('group_id')
    .where('member_id', '=', memberId)
    .orderBy('group_id')
    .execute();
  return rows.map(({ group_id }) => group_id);
}

export async function insertCredential(db: Db, credential: Insertable<DirectoryCredentialTable>): Promise<void> {
  await db.insertInto('directory_credentials').values(credential).execute();
}

export async function listCredentials(db: Db, objectId: string): Promise<CredentialRow[]> {
  return db
    .selectFrom('directory_credentials')
    .selectAll()
    .where('object_id', '=', objectId)
    .orderBy('creation_time')
    .orderBy('credential_id')
    .execute();
}

/** How many went: 0 where the id names none. */
export async function removeCredential(db: Db, credentialId: string): Promise<number> {
  const removed = await db
    .deleteFrom('directory_credentials')
    .where('credential_id', '=', credentialId)
    .returning('credential_id')
    .execute();
  return removed.length;
}
