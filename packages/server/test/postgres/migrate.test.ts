import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/database/engine.ts';
import { migrations } from '../../src/database/migrations.ts';
import { openPostgres } from '../../src/database/postgres/open-postgres.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ fsync: 'off' });
});
afterAll(() => server[Symbol.asyncDispose]());

const open = (url: string): Promise<Engine> => openPostgres({ url, size: 2, preparedStatements: 'on' });

async function run(url: string, ...statements: string[]): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    let rows: unknown[] = [];
    for (const statement of statements) ({ rows } = await client.query<Record<string, unknown>>(statement));
    return rows;
  } finally {
    await client.end();
  }
}

/** What a database is made of. */
const objects = `select c.relname as name, c.relkind as kind, a.attname as column, format_type(a.atttypid, a.atttypmod) as type
  from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
  where c.relnamespace = 'public'::regnamespace order by 1, 2, 3`;

describe('an empty database', () => {
  test('that eight processes open at once gets its schema once, and all of them work', async () => {
    const url = await server.createDatabase();
    const engines = await Promise.all(Array.from({ length: 8 }, () => open(url)));
    for (const engine of engines) {
      expect(await engine.db.selectFrom('runs').selectAll().execute()).toEqual([]);
    }
    await Promise.all(engines.map((engine) => engine.close()));
    const versions = await run(url, 'select version::int, name from schema_versions order by 1');
    expect(versions).toEqual(migrations.map(({ version, name }) => ({ version, name })));
  });

  test('that was opened before is opened again without a change', async () => {
    const url = await server.createDatabase();
    await (await open(url)).close();
    const before = await run(url, objects);
    expect(before.length).toBeGreaterThan(50);
    await (await open(url)).close();
    expect(await run(url, objects)).toEqual(before);
  });

  test('orders texts by code point, whatever the collation of the database', async () => {
    const url = await server.createDatabase();
    const engine = await open(url);
    const collations = await run(
      url,
      `select distinct coalesce(collation_name, 'the database''s') as name from information_schema.columns
      where table_schema = 'public' and data_type = 'text' and table_name <> 'schema_versions'`,
    );
    expect(collations).toEqual([{ name: 'C' }]);
    await engine.close();
  });
});

describe('a database that is not ours is refused and left as it is', () => {
  test.each([
    [
      "of MLflow's own server",
      [
        'create table alembic_version (version_num varchar(32) not null)',
        'create table experiments (experiment_id int)',
      ],
      "was made by MLflow's own server",
    ],
    ['of another program', ['create table customers (id int)'], 'holds tables of another program (customers …)'],
    [
      'of a newer Lazuli',
      [
        'create table schema_versions (version bigint primary key, name text not null, applied_time bigint not null)',
        `insert into schema_versions values (1, 'tracking core', 0), (1000, 'what comes later', 0)`,
      ],
      'has schema version 1000, and this Lazuli knows versions up to',
    ],
  ])('%s', async (_, statements, words) => {
    const url = await server.createDatabase();
    await run(url, ...statements);
    const before = await run(url, objects);
    const { hostname, password } = new URL(url);
    const refusal = await open(url).catch((error: unknown) => error as Error);
    expect((refusal as Error).message).toContain(words);
    expect((refusal as Error).message).toContain(hostname);
    expect((refusal as Error).message).not.toContain(password);
    expect(await run(url, objects)).toEqual(before);
  });
});

test('a server that is not there is told of by its address, without the password', async () => {
  const refusal = await open('postgres://ann:hush@127.0.0.1:1/db').catch((error: unknown) => error as Error);
  expect((refusal as Error).message).toMatch(/^The PostgreSQL database 127\.0\.0\.1:1\/db cannot be opened: .+\.$/);
  expect((refusal as Error).message).not.toContain('hush');
});
