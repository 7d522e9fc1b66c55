import { exactInt64 } from '@lazuli/contract';
import { types, type CustomTypesConfig } from 'pg';
import type { ColumnValue } from '../engine.ts';
import type { StatementResult } from '../kysely-over.ts';
import { createConnections, type Connection } from './connections.ts';
import { asConnectionFailure, ConnectionLost, endsConnection } from './failure.ts';

/**
 * Statements and transactions on PostgreSQL, each within a limit of time. Nothing here outlives a transaction (no session
 * settings, no advisory locks, no LISTEN), so a pooler in transaction mode may stand between.
 */
export interface PostgresPool {
  /** One statement in a transaction of its own. */
  query(statement: Statement): Promise<StatementResult>;
  /** Everything of `work` on one connection, in one transaction that is rolled back where it throws. */
  transaction<T>(kind: TransactionKind, work: (connection: PostgresConnection) => Promise<T>): Promise<T>;
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

/** What is over in milliseconds unless something is wrong: a flush, a `begin`, a `commit`. Nobody waits long behind it. */
const quickMs = 10_000;

export type TransactionKind = keyof typeof kinds;

/**
 * Everything has its index, led by the workspace. Estimates make PostgreSQL read a whole table again for each row all the same: what
 * many subselects of a filter cost hides what a table costs (two plans within one per cent are as good), and what they leave is
 * taken for one row. Compiling a statement that is over in milliseconds takes longer than the statement.
 */
const byIndex = 'set local enable_seqscan = off; set local jit = off';

/** How each kind begins, and how long each of its statements may take. */
const kinds = {
  reads: { begin: `begin isolation level repeatable read read only; ${byIndex}`, statementMs: 30_000 },
  writes: { begin: 'begin isolation level read committed', statementMs: 30_000 },
  group: { begin: 'begin isolation level read committed', statementMs: quickMs },
  /** Builds indexes, and waits for another process that does. */
  migration: { begin: 'begin isolation level read committed', statementMs: 60 * 60_000 },
} as const;

/** The server gives up a statement before we do: nobody would read its answer, and others wait for its locks. */
const serverGivesUpEarlierMs = 2_000;
/** A server that lost sight of us holds our locks no longer than this. */
const abandonedAfter = '5s';

export function createPostgresPool({ url, size, preparedStatements }: PostgresPoolOptions): PostgresPool {
  const connections = createConnections(
    {
      connectionString: withLibpqTls(url),
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      application_name: 'lazuli',
      types: { getTypeParser },
      // A statement may leave before the one ahead of it is answered.
      pipeline: true,
    },
    size,
  );

  async function run(connection: Connection, { name, text, values }: Statement, limitMs: number) {
    const named = name === undefined || preparedStatements === 'off' ? {} : { name };
    const tooLong = { limitMs, isReached: false };
    const timer = setTimeout(() => {
      tooLong.isReached = true;
      connection.reset();
    }, limitMs);
    try {
      const { command, rows, rowCount } = await connection.client.query<Record<string, ColumnValue>>({
        ...named,
        text,
        values: [...values],
      });
      return { command, rows, changes: rowCount ?? 0 };
    } catch (error) {
      if (tooLong.isReached) throw new ConnectionLost(`the database did not answer within ${limitMs / 1000} s`);
      throw asConnectionFailure(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async function withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await connections.take();
    let state: 'usable' | 'failed' = 'usable';
    try {
      return await work(connection);
    } catch (error) {
      if (endsConnection(error)) state = 'failed';
      throw error;
    } finally {
      connection.giveBack(state);
    }
  }

  async function transact<T>(
    connection: Connection,
    kind: TransactionKind,
    work: (connection: PostgresConnection) => Promise<T>,
  ): Promise<T> {
    const { begin, statementMs } = kinds[kind];
    const text = `${begin}; set local idle_in_transaction_session_timeout = '${abandonedAfter}'; set local statement_timeout = ${statementMs - serverGivesUpEarlierMs}`;
    const begun = run(connection, { text, values: [] }, quickMs);
    // A read need not wait for its answer. A write must: without a transaction around it, it would stay whatever follows.
    if (kind === 'reads') begun.catch(() => undefined);
    else await begun;
    const result = await work({ query: (statement) => run(connection, statement, statementMs) });
    await begun;
    const { command } = await run(connection, { text: 'commit', values: [] }, quickMs);
    // *PostgreSQL answers ROLLBACK to the commit of a transaction in which a statement has failed.*
    if (command !== 'COMMIT') throw new TypeError(`A transaction ended with ${command}.`);
    return result;
  }

  return {
    query: (statement) => withConnection((connection) => run(connection, statement, quickMs)),
    transaction: (kind, work) =>
      withConnection(async (connection) => {
        try {
          return await transact(connection, kind, work);
        } catch (error) {
          if (!endsConnection(error)) {
            await run(connection, { text: 'rollback', values: [] }, quickMs).catch(() => connection.reset());
          }
          throw error;
        }
      }),
    close: () => connections.close(),
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
