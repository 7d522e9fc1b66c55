import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { inject } from 'vitest';
import { databaseOnSharedPostgres } from './postgres/test-databases.ts';

/** A way into the database of a server that runs, beside it: to see what it holds, or to break it. */
export interface DirectDatabase extends AsyncDisposable {
  execute(sql: string): Promise<void>;
  /** Every row of every table, as sorted text. A log that is put in order in the background is left out. */
  contents(): Promise<string>;
}

export async function openDirectly(dataDir: string): Promise<DirectDatabase> {
  return inject('engine') === 'postgres'
    ? besidePostgres(await databaseOnSharedPostgres(dataDir))
    : besideSqlite(dataDir);
}

function besideSqlite(dataDir: string): DirectDatabase {
  const database = new DatabaseSync(join(dataDir, 'lazuli.db'), { timeout: 5_000 });
  const statements = database
    .prepare(`select name from sqlite_master where type = 'table' and name <> 'metric_log' order by name`)
    .all()
    .map(({ name }) => {
      const statement = database.prepare(`select * from ${String(name)}`);
      statement.setReadBigInts(true);
      return { name: String(name), statement };
    });
  return {
    execute: async (sql) => database.exec(sql),
    async contents() {
      const lines = statements.flatMap(({ name, statement }) =>
        statement.all().map((row) => `${name} ${Object.values(row).join('|')}`),
      );
      return lines.sort().join('\n');
    },
    [Symbol.asyncDispose]: async () => database.close(),
  };
}

async function besidePostgres(url: string): Promise<DirectDatabase> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    `select table_name as name from information_schema.tables
    where table_schema = current_schema() and table_name <> 'metric_log'`,
  );
  // One statement, so one state of the database.
  const everything = tables
    .map(({ name }) => `select '${name} ' || t::text as line from ${name} t`)
    .join(' union all ');
  return {
    execute: async (sql) => {
      await client.query(sql);
    },
    async contents() {
      const { rows } = await client.query<{ line: string }>(everything);
      return rows
        .map(({ line }) => line)
        .sort()
        .join('\n');
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
