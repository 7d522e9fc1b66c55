import type { Selectable } from 'kysely';
import type { Db } from '../database/engine.ts';
import type { CollectionTable } from '../database/schema.ts';

/** The record of who has emptied a workspace. */
export type CollectionRow = Selectable<CollectionTable>;
type Counts = Pick<CollectionRow, 'runs' | 'experiments' | 'logged_models'>;

export interface Occasion {
  readonly workspaceId: number;
  readonly principal: string;
  readonly time: number;
  readonly olderThanMs: number;
}

/** Opens the record of a collection that collects its first things. */
export async function insertCollection(
  db: Db,
  { workspaceId, principal, time, olderThanMs }: Occasion,
): Promise<number> {
  const { collection_id } = await db
    .insertInto('collections')
    .values({
      ...{ workspace_id: workspaceId, principal, start_time: time, end_time: time, older_than_ms: olderThanMs },
      ...{ runs: 0, experiments: 0, logged_models: 0 },
    })
    .returning('collection_id')
    .executeTakeFirstOrThrow();
  return collection_id;
}

/** Whether this caller has opened this record. */
export async function isOwnCollection(
  db: Db,
  { workspaceId, principal }: Occasion,
  collectionId: number,
): Promise<boolean> {
  const row = await db
    .selectFrom('collections')
    .select('collection_id')
    .where('workspace_id', '=', workspaceId)
    .where('collection_id', '=', collectionId)
    .where('principal', '=', principal)
    .executeTakeFirst();
  return row !== undefined;
}

export async function addCounts(
  db: Db,
  collectionId: number,
  time: number,
  { runs = 0, experiments = 0, logged_models = 0 }: Partial<Counts>,
): Promise<void> {
  await db
    .updateTable('collections')
    .set((update) => ({
      end_time: time,
      runs: update('runs', '+', runs),
      experiments: update('experiments', '+', experiments),
      logged_models: update('logged_models', '+', logged_models),
    }))
    .where('collection_id', '=', collectionId)
    .execute();
}

/** The newest first, those before one; with the runs and models whose points or files are not removed yet. */
export async function listCollections(
  db: Db,
  workspaceId: number,
  { before, limit }: { before: number | undefined; limit: number },
): Promise<(CollectionRow & { pending: number })[]> {
  let query = db
    .selectFrom('collections as c')
    .selectAll('c')
    .select((select) =>
      select
        .selectFrom('removals as r')
        .select(select.fn.countAll<number>().as('count'))
        .whereRef('r.workspace_id', '=', 'c.workspace_id')
        .whereRef('r.collection_id', '=', 'c.collection_id')
        .as('pending'),
    )
    .where('c.workspace_id', '=', workspaceId);
  if (before !== undefined) query = query.where('c.collection_id', '<', before);
  const rows = await query.orderBy('c.collection_id', 'desc').limit(limit).execute();
  return rows.map(({ pending, ...row }) => ({ ...row, pending: Number(pending) }));
}
