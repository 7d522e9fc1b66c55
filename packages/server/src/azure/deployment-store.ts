import type { Db } from '../database/engine.ts';

/** The SQL of template deployments: what Azure's Python client makes a workspace by, and asks about afterwards. */
export async function putDeployment(db: Db, id: string, body: string): Promise<void> {
  await db
    .insertInto('deployments')
    .values({ deployment_key: id.toLowerCase(), body })
    .onConflict((conflict) => conflict.column('deployment_key').doUpdateSet({ body }))
    .execute();
}

export async function findDeployment(db: Db, id: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('deployments')
    .select('body')
    .where('deployment_key', '=', id.toLowerCase())
    .executeTakeFirst();
  return row?.body;
}
