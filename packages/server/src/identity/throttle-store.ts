import type { Db, Transaction } from '../database/engine.ts';
import type { SignInFailureTable } from '../database/schema.ts';

/** The SQL of sign-ins that failed in a row. */
export async function lockFailures(
  { db, locked }: Transaction,
  subject: string,
): Promise<SignInFailureTable | undefined> {
  return locked(db.selectFrom('sign_in_failures').selectAll().where('subject', '=', subject)).executeTakeFirst();
}

export async function putFailures(db: Db, row: SignInFailureTable): Promise<void> {
  const { failures, blocked_until } = row;
  await db
    .insertInto('sign_in_failures')
    .values(row)
    .onConflict((conflict) => conflict.column('subject').doUpdateSet({ failures, blocked_until }))
    .execute();
}

export async function removeFailures(db: Db, subject: string): Promise<void> {
  await db.deleteFrom('sign_in_failures').where('subject', '=', subject).execute();
}

export async function removeFailuresBefore(db: Db, time: number): Promise<void> {
  await db.deleteFrom('sign_in_failures').where('blocked_until', '<', time).execute();
}
