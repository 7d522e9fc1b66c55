import type { Client } from 'pg';
import { inject } from 'vitest';
import { withClient } from '../../../../bench/postgres-server.ts';
import { openPostgres } from '../../src/database/postgres/open-postgres.ts';

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
  return withClient(new URL(inject('sharedPostgres')), async (client) => {
    await makeTemplate(client);
    const name = `test_${process.pid}_${++count}`;
    await client.query(`create database ${name} template ${template}`);
    return pooledUrlOf(name);
  });
}

/** Test files run at the same time: the first one to come makes the template, the others wait for it. */
async function makeTemplate(client: Client): Promise<void> {
  await client.query('select pg_advisory_lock(1)');
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [template]);
    if (rowCount !== 0) return;
    await client.query(`create database ${template}`);
    const engine = await openPostgres({ url: urlOf(template), size: 2, preparedStatements: 'on' });
    await engine.close();
  } finally {
    await client.query('select pg_advisory_unlock(1)');
  }
}

function urlOf(database: string): string {
  const url = new URL(inject('sharedPostgres'));
  url.pathname = `/${database}`;
  return url.href;
}

/** How a server under test reaches it. */
function pooledUrlOf(database: string): string {
  const url = new URL(urlOf(database));
  url.host = inject('sharedPooler') ?? url.host;
  return url.href;
}
