import type { Insertable } from 'kysely';
import type { Db, Transaction } from '../database/engine.ts';
import type { ApiTokenTable } from '../database/schema.ts';

/** The SQL of API tokens. A token's secret is never here, only its hash. */
export type TokenRow = ApiTokenTable;

export interface ListedToken {
  readonly token_id: string;
  readonly principal: string;
  readonly role: string;
  readonly workspace_id: number | null;
  readonly creation_time: number;
  readonly expiry_time: number | null;
}

/** A workspace with the parts of its address that tell it from others of the same name. */
export interface NamedWorkspace {
  readonly workspace_id: number;
  readonly subscription_id: string;
  readonly resource_group: string;
  readonly name: string;
}

export async function insertToken(db: Db, token: Insertable<ApiTokenTable>): Promise<void> {
  await db.insertInto('api_tokens').values(token).execute();
}

export async function findTokenByHash(db: Db, secretHash: string): Promise<TokenRow | undefined> {
  return db.selectFrom('api_tokens').selectAll().where('secret_hash', '=', secretHash).executeTakeFirst();
}

export async function findTokenById(db: Db, tokenId: string): Promise<TokenRow | undefined> {
  return db.selectFrom('api_tokens').selectAll().where('token_id', '=', tokenId).executeTakeFirst();
}

export async function listTokens(db: Db): Promise<ListedToken[]> {
  return db
    .selectFrom('api_tokens')
    .select(['token_id', 'principal', 'role', 'workspace_id', 'creation_time', 'expiry_time'])
    .orderBy('creation_time')
    .orderBy('token_id')
    .execute();
}

/** How many tokens went: 0 where the id names none. */
export async function removeToken(db: Db, tokenId: string): Promise<number> {
  const removed = await db.deleteFrom('api_tokens').where('token_id', '=', tokenId).returning('token_id').execute();
  return removed.length;
}

export async function listNamedWorkspaces(db: Db): Promise<NamedWorkspace[]> {
  return db
    .selectFrom('workspaces')
    .select(['workspace_id', 'subscription_id', 'resource_group', 'name'])
    .orderBy('workspace_id')
    .execute();
}

/** Keeps a workspace until the commit, if it is still there: whoever removes it waits, and then removes the new token, too. */
export async function lockNamedWorkspace({ db, locked }: Transaction, workspaceId: number): Promise<boolean> {
  const workspace = db.selectFrom('workspaces').select('workspace_id').where('workspace_id', '=', workspaceId);
  return (await locked(workspace).executeTakeFirst()) !== undefined;
}
