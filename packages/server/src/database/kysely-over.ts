import {
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type Dialect,
  type QueryResult,
} from 'kysely';
import type { Db, Row } from './engine.ts';
import type { Tables } from './schema.ts';

/** What runs statements: a connection, a pool of them, or a transaction. */
export interface RunsStatements {
  query(sql: string, parameters: readonly unknown[]): StatementResult | Promise<StatementResult>;
}

/** What a statement selects or returns, and how many rows it changed. */
export interface StatementResult {
  readonly rows: Row[];
  readonly changes: number;
}

const dialects = {
  sqlite: {
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
  postgres: {
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
} as const satisfies Record<string, Omit<Dialect, 'createDriver'>>;

/** Kysely as a writer of SQL alone: connections and transactions are the engine's. */
export function kyselyOver(runner: RunsStatements, dialect: keyof typeof dialects): Db {
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
      ...dialects[dialect],
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
