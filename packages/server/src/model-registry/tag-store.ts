import { sql } from 'kysely';
import type { Db } from '../database/engine.ts';
import type { Tag } from './registry-rules.ts';

type TagTable = 'registered_model_tags' | 'model_version_tags' | 'logged_model_tags';

/** The tags of one kind of thing, whose key has these columns. */
export interface TagStore<Owner> {
  /** Sets tags, of which no two have one key. */
  upsert(db: Db, owner: Owner, tags: readonly Tag[]): Promise<void>;
  find(db: Db, owner: Owner, key: string): Promise<string | undefined>;
  /** Gives back the value, where the tag was there. */
  remove(db: Db, owner: Owner, key: string): Promise<string | undefined>;
}

function tagStore<Column extends string>(
  table: TagTable,
  columns: readonly Column[],
): TagStore<Readonly<Record<Column, number>>> {
  const tableRef = sql.table(table);
  const primaryKey = sql.join([...columns, 'key'].map((column) => sql.ref(column)));
  const isTag = (owner: Readonly<Record<Column, number>>, key: string) =>
    sql.join([...columns.map((column) => sql`${sql.ref(column)} = ${owner[column]}`), sql`key = ${key}`], sql` and `);
  return {
    async upsert(db, owner, tags) {
      if (tags.length === 0) return;
      const rows = tags.map(
        ({ key, value }) => sql`(${sql.join([...columns.map((column) => owner[column]), key, value])})`,
      );
      await sql`insert into ${tableRef} (${primaryKey}, value) values ${sql.join(rows)}
        on conflict (${primaryKey}) do update set value = excluded.value`.execute(db);
    },
    async find(db, owner, key) {
      return valueOf(await sql<Value>`select value from ${tableRef} where ${isTag(owner, key)}`.execute(db));
    },
    async remove(db, owner, key) {
      return valueOf(await sql<Value>`delete from ${tableRef} where ${isTag(owner, key)} returning value`.execute(db));
    },
  };
}

interface Value {
  readonly value: string;
}

function valueOf({ rows }: { readonly rows: readonly Value[] }): string | undefined {
  return rows[0]?.value;
}

export const modelTags = tagStore('registered_model_tags', ['workspace_id', 'model_key']);
export const versionTags = tagStore('model_version_tags', ['workspace_id', 'model_key', 'version']);
export const loggedModelTags = tagStore('logged_model_tags', ['workspace_id', 'model_key']);
