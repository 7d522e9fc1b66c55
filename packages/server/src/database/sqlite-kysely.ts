import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, type QueryResult } from 'kysely';
import type { Db } from './engine.ts';
import type { Tables } from './schema.ts';
import type { SqliteResult } from './sqlite-connection.ts';

/** What runs statements: a connection here, or a transaction in the writer thread. */
export interface RunsStatements {
  query(sql: string, parameters: readonly unknown[]): SqliteResult | Promise<SqliteResult>;
}

export function kyselyOver(runner: RunsStatements): Db {
  const connection = {
    async executeQuery<R>({
      sql,
      parameters,
    }: {
      sql: string;
      parameters: readonly unknown[];
    }): Promise<QueryResult<R>> {
      const { rows, changes } = await runner.query(sql, parameters);
      return { rows: rows as R[], numAffectedRows: BigInt(changes) };
    },
    // eslint-disable-next-line require-yield -- Kysely asks for a generator
    async *streamQuery(): AsyncGenerator<never> {
      throw new TypeError('Page by key instead of streaming: a stream holds a read transaction open.');
    },
  };
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createDriver: () => ({
        init: async () => {},
        acquireConnection: () => Promise.resolve(connection),
        releaseConnection: async () => {},
        // Transactions are the engine's: it orders them and runs what follows a commit.
        beginTransaction: refuseTransaction,
        commitTransaction: refuseTransaction,
        rollbackTransaction: refuseTransaction,
        destroy: async () => {},
      }),
    },
  });
}

async function refuseTransaction(): Promise<never> {
  throw new TypeError('Use Engine.transaction instead of Kysely transactions.');
}
