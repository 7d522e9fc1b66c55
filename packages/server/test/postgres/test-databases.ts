import { Client } from 'pg';
import { inject } from 'vitest';
import { openPostgres } from '../../src/database/postgres/open-postgres.ts';
import { urlOf } from './postgres-server.ts';

/** Databases by what they belong to: whoever opens the same data directory again finds its database again. */
const urls = new Map<string, string>();
const template = 'migrated';
let count = 0;

/** The database that belongs to a data directory, on the server that all tests share. */
export async function databaseOnSharedPostgres(dataDir: string): Promise<string> {
  const known = urls.get(dataDir);
  if (known !== undefined) return known;
  const url = await newDatabase();
  urls.set(dataDir, url);
  return url;
}

/** A database with the schema and without rows: a copy, because building the schema takes longer than most tests. */
export async function newDatabase(): Promise<string> {
  const port = inject('postgresPort');
  const client = new Client({ connectionString: urlOf(port, 'postgres') });
  await client.connect();
  try {
    await makeTemplate(client, port);
    const name = `test_${process.pid}_${++count}`;
    await client.query(`create database ${name} template ${template}`);
    return urlOf(port, name);
  } finally {
    await client.end();
  }
}

/** Test files run at the same time: the first one to come makes the template, the others wait for it. */
async function makeTemplate(client: Client, port: number): Promise<void> {
  await client.query('select pg_advisory_lock(1)');
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [template]);
    if (rowCount !== 0) return;
    await client.query(`create database ${template}`);
    const engine = await openPostgres({ url: urlOf(port, template), size: 2, preparedStatements: 'on' });
    await engine.close();
  } finally {
    await client.query('select pg_advisory_unlock(1)');
  }
}
