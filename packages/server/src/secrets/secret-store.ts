import type { Db } from '../database/engine.ts';

/** The SQL of secrets that the server makes for itself. What is kept is sealed; see secret-keep.ts. */
export interface SecretName {
  readonly name: string;
  /** The name of the key that it is sealed under. */
  readonly under: string;
}

export async function findSealed(db: Db, { name, under }: SecretName): Promise<string | undefined> {
  const row = await db
    .selectFrom('secrets')
    .select('sealed')
    .where('name', '=', name)
    .where('sealed_under', '=', under)
    .executeTakeFirst();
  return row?.sealed;
}

/** Keeps the first one that is inserted. */
export async function insertSealed(db: Db, { name, under }: SecretName, sealed: string): Promise<void> {
  await db
    .insertInto('secrets')
    .values({ name, sealed_under: under, sealed })
    .onConflict((conflict) => conflict.columns(['name', 'sealed_under']).doNothing())
    .execute();
}

/** Replaces one that is still what it was; how many it replaced. */
export async function replaceSealed(db: Db, { name, under }: SecretName, was: string, sealed: string): Promise<number> {
  const replaced = await db
    .updateTable('secrets')
    .set({ sealed })
    .where('name', '=', name)
    .where('sealed_under', '=', under)
    .where('sealed', '=', was)
    .returning('name')
    .execute();
  return replaced.length;
}
