import type { Selectable } from 'kysely';
import type { Db } from '../database/engine.ts';
import type { SigningKeyTable } from '../database/schema.ts';

/** The SQL of signing keys; a private key is here sealed only. */
export type SigningKeyRow = Selectable<SigningKeyTable>;

export async function listSigningKeys(db: Db): Promise<SigningKeyRow[]> {
  return db.selectFrom('signing_keys').selectAll().orderBy('active_from', 'desc').orderBy('key_id').execute();
}

export async function insertSigningKey(db: Db, key: SigningKeyRow): Promise<void> {
  await db.insertInto('signing_keys').values(key).execute();
}

export async function removeSigningKeysBefore(db: Db, activeFrom: number): Promise<void> {
  await db.deleteFrom('signing_keys').where('active_from', '<', activeFrom).execute();
}
