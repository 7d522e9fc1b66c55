import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ConnectionLost } from '../../src/database/postgres/failure.ts';
import { openPostgres } from '../../src/database/postgres/open-postgres.ts';
import { createPostgresPool, type PostgresPool } from '../../src/database/postgres/pool.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';

let postgres: PostgresServer;
let proxy: FaultProxy;
let url: string;
beforeAll(async () => {
  postgres = await startPostgres({ max_connections: '20' });
  proxy = await startFaultProxy(postgres.cluster.port);
});
beforeEach(async () => {
  url = await postgres.createDatabase();
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

function poolOn(at: string, size: number): PostgresPool & AsyncDisposable {
  const pool = createPostgresPool({ url: at, size, preparedStatements: 'on' });
  return { ...pool, [Symbol.asyncDispose]: () => pool.close() };
}

const ask = (text: string) => ({ text, values: [] });

test('a transaction whose server has vanished lets go of its locks after 5 s', async () => {
  await using near = poolOn(url, 1);
  await using far = poolOn(proxy.through(url), 1);
  await near.query(ask('create table things (id int primary key, value text)'));
  await near.query(ask(`insert into things values (1, 'before')`));
  const silent = Promise.withResolvers<unknown>();
  const noticed = Promise.withResolvers<unknown>();
  const vanished = far.transaction('group', async (connection) => {
    await connection.query(ask(`update things set value = 'lost' where id = 1`));
    await proxy.impose({ kind: 'silence', of: 'open connections' });
    silent.resolve('silent');
    await noticed.promise;
    await connection.query(ask('select 1'));
  });
  await silent.promise;
  const start = performance.now();
  await near.query(ask(`update things set value = value || ', after' where id = 1`));
  expect(performance.now() - start).toBeGreaterThan(4_000);
  expect(performance.now() - start).toBeLessThan(9_000);
  noticed.resolve('noticed');
  await expect(vanished).rejects.toThrow(ConnectionLost);
  expect((await near.query(ask('select value from things'))).rows).toEqual([{ value: 'before, after' }]);
  await proxy.heal();
});

test('a transaction in which a statement failed is no success, even where nobody looked', async () => {
  await using pool = poolOn(url, 1);
  await pool.query(ask('create table numbers (n int)'));
  const swallowing = pool.transaction('writes', async (connection) => {
    await connection.query(ask('insert into numbers values (1)'));
    await connection.query(ask('select 1 / 0')).catch(() => undefined);
  });
  await expect(swallowing).rejects.toThrow('ROLLBACK');
  expect((await pool.query(ask('select * from numbers'))).rows).toEqual([]);
});

test('a defect of the program is not taken for a failure of the database', async () => {
  const engine = await openPostgres({ url, size: 2, preparedStatements: 'on' });
  const defect = new TypeError('a defect');
  await expect(
    engine.transaction(async () => {
      throw defect;
    }),
  ).rejects.toBe(defect);
  await engine.close();
});

test('connections that are all busy are waited for, 5 s long', async () => {
  await using pool = poolOn(url, 2);
  const busy = [pool.query(ask('select pg_sleep(1)')), pool.query(ask('select pg_sleep(9)'))];
  await expect(pool.query(ask('select 1'))).resolves.toMatchObject({ changes: 1 });
  busy.push(pool.query(ask('select pg_sleep(9)')));
  const start = performance.now();
  await expect(pool.query(ask('select 1'))).rejects.toThrow(ConnectionLost);
  expect(performance.now() - start).toBeGreaterThan(4_500);
  expect(performance.now() - start).toBeLessThan(7_500);
  await Promise.all(busy);
});

test('where the database gives out fewer connections than may be opened, those that there are must do', async () => {
  await using pool = poolOn(url, 40);
  const start = performance.now();
  await Promise.all(Array.from({ length: 80 }, () => pool.query(ask('select pg_sleep(0.05)'))));
  expect(performance.now() - start).toBeLessThan(5_000);
});

test('a database that was never reached is said to be away at once', async () => {
  await proxy.impose({ kind: 'refuse' });
  const start = performance.now();
  await expect(openPostgres({ url: proxy.through(url), size: 2, preparedStatements: 'on' })).rejects.toThrow(
    /cannot be opened: connect ECONNREFUSED/,
  );
  expect(performance.now() - start).toBeLessThan(4_500);
  await proxy.heal();
});

test('a password that is wrong is said at once', async () => {
  const wrong = new URL(url);
  wrong.password = 'wrong';
  await expect(openPostgres({ url: wrong.href, size: 2, preparedStatements: 'on' })).rejects.toThrow(
    /cannot be opened: password authentication failed/,
  );
});
