import type { Db, Transaction } from '../database/engine.ts';
import type { SignInFailureTable } from '../database/schema.ts';

/** The SQL of sign-ins that failed in a row. */
export async function lockFailures({ db, locked }: Transaction, subject: string): Promise<SignInFailureTable> {
  // There has to be a row for others to wait for.
  await db
    .insertInto('sign_in_failures')
    .values({ subject, failures: 0, blocked_until: 0 })
    .onConflict((conflict) => conflict.column('subject').doNothing())
    .execute();
  return locked(db.selectFrom('sign_in_failures').selectAll().where('subject', '=', subject)).executeTakeFirstOrThrow();
}

export async function updateFailures(db: Db, { subject, ...change }: SignInFailureTable): Promise<void> {
  await db.updateTable('sign_in_failures').set(change).where('subject', '=', subject).execute();
}

export async function removeFailures(db: Db, subject: string): Promise<void> {
  await db.deleteFrom('sign_in_failures').where('subject', '=', subject).execute();
}

export async function removeFailuresBefore(db: Db, time: number): Promise<void> {
  await db.deleteFrom('sign_in_failures').where('blocked_until', '<', time).execute();
}
