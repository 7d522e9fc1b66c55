import { exactInt64 } from '@lazuli/contract';
import { Pool, types, type CustomTypesConfig, type PoolClient } from 'pg';
import type { Row } from '../engine.ts';
import type { StatementResult } from '../kysely-over.ts';
import { endsConnection } from './failure.ts';

/**
 * Connections to PostgreSQL. Nothing here outlives a transaction (no session settings, no advisory locks, no LISTEN), so a
 * pooler in transaction mode may stand between.
 */
export interface PostgresPool {
  /** One statement in a transaction of its own. */
  query(statement: Statement): Promise<StatementResult>;
  /** Everything of `work` on one connection, between `begin` and a commit, or a rollback where it throws. */
  transaction<T>(begin: string, work: (connection: PostgresConnection) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface PostgresConnection {
  query(statement: Statement): Promise<StatementResult>;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Under this name the server keeps its plan; for statements that come again and again. */
  readonly name?: string;
}

export interface PostgresPoolOptions {
  /** A libpq URL: user, password, host, port, database, sslmode, sslrootcert, sslcert, sslkey, application_name. */
  readonly url: string;
  readonly size: number;
  /** `off` for poolers that do not carry prepared statements over. */
  readonly preparedStatements: 'on' | 'off';
}

const connectTimeoutMs = 5_000;
/** Longer than any statement of ours should take, and short enough that nobody waits for a server that is gone. */
const queryTimeoutMs = 30_000;
/** A server that lost sight of us holds our locks no longer than this. */
const abandonedAfter = '15s';

export function createPostgresPool({ url, size, preparedStatements }: PostgresPoolOptions): PostgresPool {
  const pool = new Pool({
    connectionString: withLibpqTls(url),
    max: size,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 60_000,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'lazuli',
    types: { getTypeParser },
    // `begin` travels together with the statement that follows it.
    pipeline: true,
  });
  // A connection that breaks while nobody uses it has left the pool already; the next one to ask gets a new one.
  pool.on('error', () => undefined);

  async function run(client: PoolClient, { name, text, values }: Statement): Promise<StatementResult> {
    const named = name === undefined || preparedStatements === 'off' ? {} : { name };
    const { rows, rowCount } = await client.query<Row>({ ...named, text, values: [...values] });
    return { rows, changes: rowCount ?? 0 };
  }

  async function withConnection<T>(work: (client: PoolClient, abandon: () => void) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    let isBroken = false;
    const abandon = (): void => {
      isBroken = true;
    };
    client.on('error', abandon);
    try {
      return await work(client, abandon);
    } finally {
      client.off('error', abandon);
      client.release(isBroken);
    }
  }

  return {
    query: (statement) =>
      withConnection(async (client, abandon) => {
        try {
          return await run(client, statement);
        } catch (error) {
          if (endsConnection(error)) abandon();
          throw error;
        }
      }),
    transaction: (begin, work) =>
      withConnection(async (client, abandon) => {
        try {
          const begun = client.query(`${begin}; set local idle_in_transaction_session_timeout = '${abandonedAfter}'`);
          // Its failure is the next statement's, too.
          begun.catch(() => undefined);
          const result = await work({ query: (statement) => run(client, statement) });
          await begun;
          await client.query('commit');
          return result;
        } catch (error) {
          await client.query('rollback').catch(abandon);
          throw error;
        }
      }),
    close: () => pool.end(),
  };
}

const int8 = 20;

/** 64-bit integers as a number where a double holds them exactly, and as a bigint otherwise. */
const getTypeParser: CustomTypesConfig['getTypeParser'] = (oid, format) => {
  const type: number = oid;
  return (type === int8 && format !== 'binary' ? parseInt8 : types.getTypeParser(oid, format)) as Parser;
};

type Parser = (text: string) => unknown;

function parseInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : exactInt64(BigInt(text));
}

/** `sslmode` as libpq means it: `require` encrypts, `verify-full` knows the server as well. */
function withLibpqTls(url: string): string {
  const parsed = new URL(url);
  if (parsed.searchParams.has('sslmode')) parsed.searchParams.set('uselibpqcompat', 'true');
  return parsed.href;
}
