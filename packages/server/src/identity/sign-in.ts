import { hash } from 'node:crypto';
import type { AuthorityParts } from './authority.ts';
import { findIdentity, findUserRow, type Identity } from './identities.ts';
import { OAuthError, revoked } from './oauth-error.ts';
import { isPassword } from './password.ts';
import { lockFailures, updateFailures, removeFailures, removeFailuresBefore } from './throttle-store.ts';

/**
 * A user name with a password. Every try counts as failed until it turns out right, so that many at once do not slip
 * through. After five, each one more blocks the name for twice as long, up to a quarter of an hour. Names that nobody has
 * are blocked alike, and all that is wrong is answered alike and in the same time: an answer tells nobody who is there.
 */
const triesBeforeBlock = 5;
const longestBlockMs = 15 * 60_000;
const forgottenMs = 24 * 3_600_000;

export async function signIn(authority: AuthorityParts, userName: string, password: string): Promise<Identity> {
  // Names are kept short and of one form, whatever was typed.
  const subject = hash('sha256', userName.trim().toLowerCase(), 'hex');
  await countTry(authority, subject);
  const row = await findUserRow(authority.engine, userName.trim());
  const isRight = await isPassword(password, row?.password_hash);
  if (row === undefined || !isRight)
    throw new OAuthError('bad_password', 'Error validating credentials due to invalid username or password.');
  await authority.engine.transaction(({ db }) => removeFailures(db, subject));
  const identity = await findIdentity(authority.engine, row.object_id);
  if (identity === undefined) throw new OAuthError('disabled_user', 'The user account is disabled.');
  if (identity.passwordHash !== row.password_hash) throw revoked();
  return identity;
}

async function countTry({ engine, now }: AuthorityParts, subject: string): Promise<void> {
  const time = now();
  const isBlocked = await engine.transaction(async (tx) => {
    await removeFailuresBefore(tx.db, time - forgottenMs);
    const present = await lockFailures(tx, subject);
    if (present.blocked_until > time) return true;
    const failures = present.failures + 1;
    const beyond = failures - triesBeforeBlock;
    const blockMs = beyond < 0 ? 0 : Math.min(longestBlockMs, 1_000 * 2 ** beyond);
    await updateFailures(tx.db, { subject, failures, blocked_until: time + blockMs });
    return false;
  });
  if (isBlocked) {
    throw new OAuthError(
      'locked',
      'The account is locked for a while: there were too many sign-ins with a wrong user name or password.',
    );
  }
}
