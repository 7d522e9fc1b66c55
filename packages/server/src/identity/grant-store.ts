import { hash } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { Db, Transaction } from '../database/engine.ts';
import type { AuthorityGrantTable } from '../database/schema.ts';

/** The SQL of what the authority gives out and takes back; codes and tokens are here as hashes only. */
export type GrantRow = Selectable<AuthorityGrantTable>;

export function hashGrant(kind: GrantRow['kind'], text: string): string {
  return hash('sha256', `${kind}:${text}`, 'hex');
}

/** False where it is there already: the same assertion once more. */
export async function insertGrant(db: Db, grant: GrantRow): Promise<boolean> {
  const inserted = await db
    .insertInto('authority_grants')
    .values(grant)
    .onConflict((conflict) => conflict.doNothing())
    .returning('grant_hash')
    .execute();
  return inserted.length > 0;
}

export async function findGrant(db: Db, grantHash: string): Promise<GrantRow | undefined> {
  return db.selectFrom('authority_grants').selectAll().where('grant_hash', '=', grantHash).executeTakeFirst();
}

/** A grant that is to be used, locked: of two that bring the same code, one comes first. */
export async function lockGrant({ db, locked }: Transaction, grantHash: string): Promise<GrantRow | undefined> {
  return locked(db.selectFrom('authority_grants').selectAll().where('grant_hash', '=', grantHash)).executeTakeFirst();
}

export async function lockGrantByUserCode(
  { db, locked }: Transaction,
  userCode: string,
): Promise<GrantRow | undefined> {
  return locked(db.selectFrom('authority_grants').selectAll().where('user_code', '=', userCode)).executeTakeFirst();
}

export async function updateGrant(
  db: Db,
  grantHash: string,
  change: Partial<Pick<GrantRow, 'state' | 'object_id' | 'user_code'>>,
): Promise<void> {
  await db.updateTable('authority_grants').set(change).where('grant_hash', '=', grantHash).execute();
}

export async function removeGrantsOf(db: Db, objectId: string): Promise<void> {
  await db.deleteFrom('authority_grants').where('object_id', '=', objectId).execute();
}

/** The refresh tokens that came of one sign-in. */
export async function removeFamily(db: Db, family: string): Promise<void> {
  await db.deleteFrom('authority_grants').where('family', '=', family).where('kind', '=', 'refresh').execute();
}

export async function removeExpiredGrants(db: Db, time: number): Promise<void> {
  await db.deleteFrom('authority_grants').where('expiry_time', '<', time).execute();
}
