import { sql, type Insertable, type Selectable } from 'kysely';
import type { Db } from '../database/engine.ts';
import type { ResourceGroupTable } from '../database/schema.ts';

/** The SQL of resource groups. A subscription is there when it has one. */
export type GroupRow = Selectable<ResourceGroupTable>;

/** Makes a group where there is none of this name. */
export async function insertGroup(db: Db, row: Insertable<ResourceGroupTable>): Promise<void> {
  await db
    .insertInto('resource_groups')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function listGroups(db: Db): Promise<GroupRow[]> {
  return db.selectFrom('resource_groups').selectAll().orderBy('subscription_id').orderBy('name').execute();
}

export async function findGroup(db: Db, subscriptionId: string, name: string): Promise<GroupRow | undefined> {
  return db
    .selectFrom('resource_groups')
    .selectAll()
    .where(sql`lower(subscription_id)`, '=', subscriptionId.toLowerCase())
    .where(sql`lower(name)`, '=', name.toLowerCase())
    .executeTakeFirst();
}

export async function updateGroup(db: Db, row: GroupRow, change: { location: string; tags: string }): Promise<void> {
  await db
    .updateTable('resource_groups')
    .set(change)
    .where('subscription_id', '=', row.subscription_id)
    .where('name', '=', row.name)
    .execute();
}

export async function removeGroup(db: Db, row: GroupRow): Promise<void> {
  await db
    .deleteFrom('resource_groups')
    .where('subscription_id', '=', row.subscription_id)
    .where('name', '=', row.name)
    .execute();
}
