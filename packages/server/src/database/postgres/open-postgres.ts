import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../engine.ts';
import { kyselyOver } from '../kysely-over.ts';
import { ConnectionLost, isLostRace, postgresFailure } from './failure.ts';
import { createPostgresGroups } from './group.ts';
import { migrate } from './migrate.ts';
import { createPostgresPool, type PostgresPoolOptions, type Statement } from './pool.ts';

/** The shared engine: any number of processes on one PostgreSQL, 14 or newer. */
export async function openPostgres(options: PostgresPoolOptions): Promise<Engine> {
  const pool = createPostgresPool(options);
  try {
    await migrate(pool);
  } catch (error) {
    await pool.close();
    throw cannotOpenPostgres(options.url, error);
  }
  const groups = createPostgresGroups();
  const query = (text: string, values: readonly unknown[]) => failing(() => pool.query({ text, values }));

  const snapshot: Engine['snapshot'] = async (work, preparation) => {
    if (preparation !== undefined) throw new TypeError('What every process sees at once needs no preparation.');
    return failing(() =>
      pool.transaction('reads', (connection) =>
        work(kyselyOver({ query: (text, values) => connection.query({ text, values }) }, 'postgres')),
      ),
    );
  };

  return {
    db: kyselyOver({ query }, 'postgres'),
    ownership: 'shared',
    snapshot,
    // Scans happen in PostgreSQL, so the event loop is free without a thread.
    run: (read, args, preparation) => snapshot((db) => read.run(db, args), preparation),
    transaction: (work) =>
      again(async (onCommit) =>
        pool.transaction('writes', (connection) =>
          work({
            db: kyselyOver({ query: (text, values) => connection.query({ text, values }) }, 'postgres'),
            onCommit,
            locked: (select) => select.forNoKeyUpdate(),
          }),
        ),
      ),
    group: (work, { memory = 'trust' } = {}) =>
      again(async (onCommit) => {
        if (memory === 'trust') {
          const run = (statement: Statement) => pool.query(statement);
          const group = groups.over(run, 'guess', onCommit);
          const result = await work(group.tx);
          const statement = group.statement();
          if (statement !== undefined) await run(statement);
          return result;
        }
        return pool.transaction('group', async (connection) => {
          const group = groups.over((statement) => connection.query(statement), 'none', onCommit);
          const result = await work(group.tx);
          const statement = group.statement();
          if (statement !== undefined) await connection.query(statement);
          return result;
        });
      }),
    close: () => pool.close(),
  };
}

const attempts = 6;

/** Does the work again where another transaction came first, and after the commit what is to follow it. */
async function again<T>(work: (onCommit: (action: () => void) => void) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const actions: (() => void)[] = [];
    try {
      const result = await work((action) => actions.push(action));
      for (const action of actions) action();
      return result;
    } catch (error) {
      if (!isLostRace(error) || attempt === attempts) throw postgresFailure(error);
      await sleep(Math.random() * 5 * 2 ** attempt);
    }
  }
}

async function failing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw postgresFailure(error);
  }
}

/** Why the database cannot be opened, with its address but not its password. */
export function cannotOpenPostgres(url: string, error: unknown): Error {
  const { host, pathname } = new URL(url);
  const cause = error instanceof ConnectionLost ? (error.cause ?? error) : error;
  const reason =
    cause instanceof Error && cause.message !== '' ? cause.message : String((cause as { code?: unknown }).code);
  return new Error(`The PostgreSQL database ${host}${pathname} cannot be opened: ${reason.replace(/\.$/, '')}.`, {
    cause: error,
  });
}
