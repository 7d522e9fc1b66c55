import { databaseStatus, type DatabaseStatus, type SchemaStep } from '../database-status.ts';
import { findSchema, migrate } from './migrate.ts';
import { cannotOpenPostgres } from './open-postgres.ts';
import { createPostgresPool, type PostgresPool, type PostgresPoolOptions } from './pool.ts';

export function readPostgresStatus(options: PostgresPoolOptions): Promise<DatabaseStatus> {
  return withPool(options, (pool) =>
    pool.transaction('reads', async (connection) => {
      const { rows } = await connection.query({
        text: `select current_setting('server_version') as version`,
        values: [],
      });
      return databaseStatus(`PostgreSQL ${String(rows[0]?.['version'])}`, await findSchema(connection));
    }),
  );
}

/** Brings a database to this program's schema, taking turns with servers that start; tells which steps that took. */
export function upgradePostgres(options: PostgresPoolOptions): Promise<readonly SchemaStep[]> {
  return withPool(options, migrate);
}

async function withPool<T>(options: PostgresPoolOptions, work: (pool: PostgresPool) => Promise<T>): Promise<T> {
  const pool = createPostgresPool(options);
  try {
    return await work(pool);
  } catch (error) {
    throw cannotOpenPostgres(options.url, error);
  } finally {
    await pool.close();
  }
}
