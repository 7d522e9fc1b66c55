import type { Engine, Transaction } from '../database/engine.ts';
import { findApplication, findObject, findUser, listGroupsOf, lockObject, type ObjectRow } from './directory-store.ts';
import { revoked } from './oauth-error.ts';

/** Somebody who can be signed in: a user or a service principal that is not disabled, with the groups that it is in now. */
export interface Identity {
  readonly objectId: string;
  readonly kind: 'User' | 'ServicePrincipal';
  readonly displayName: string;
  readonly userName: string | undefined;
  readonly appId: string | undefined;
  readonly groups: readonly string[];
  /** Of which password, if any, what is read here is so. */
  readonly passwordHash: string | null;
}

export type Snapshots = Pick<Engine, 'snapshot'>;

export async function findIdentity(engine: Snapshots, objectId: string): Promise<Identity | undefined> {
  return engine.snapshot(async (db) => {
    const row = await findObject(db, objectId);
    if (row === undefined || row.disabled !== 0 || row.kind === 'Group') return undefined;
    return {
      objectId,
      kind: row.kind,
      displayName: row.display_name,
      userName: row.user_name ?? undefined,
      appId: row.app_id ?? undefined,
      groups: await listGroupsOf(db, objectId),
      passwordHash: row.password_hash,
    };
  });
}

/**
 * Keeps an identity as it was read until the commit. Whoever gives a user a code or a refresh token and whoever takes all of
 * them back does this first: of the two one comes first, and nothing that was on its way outlives the taking back.
 */
export async function keepIdentity(tx: Transaction, { objectId, passwordHash }: Identity): Promise<void> {
  const row = await lockObject(tx, objectId);
  if (row === undefined || row.disabled !== 0 || row.password_hash !== passwordHash) throw revoked();
}

export async function findUserRow(engine: Snapshots, userName: string): Promise<ObjectRow | undefined> {
  return engine.snapshot((db) => findUser(db, userName));
}

export async function findApplicationRow(engine: Snapshots, appId: string): Promise<ObjectRow | undefined> {
  return engine.snapshot((db) => findApplication(db, appId));
}

/** Whether the directory has an object of this id, even one that may not sign in. */
export async function isInDirectory(engine: Snapshots, objectId: string): Promise<boolean> {
  return (await engine.snapshot((db) => findObject(db, objectId))) !== undefined;
}
