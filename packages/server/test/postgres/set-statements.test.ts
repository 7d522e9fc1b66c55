import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ColumnValue } from '../../src/database/engine.ts';
import { columnArrays } from '../../src/database/postgres/set-statements.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';

/** Whether PostgreSQL reads arrays as they were meant: what went in comes out. */
let server: PostgresServer;
let client: Client;
beforeAll(async () => {
  server = await startPostgres({ fsync: 'off' });
  client = new Client({ connectionString: server.cluster.maintenance.href });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await server[Symbol.asyncDispose]();
});

async function readBack(type: 'text' | 'int64' | 'double', values: readonly ColumnValue[]): Promise<unknown[]> {
  const [literal] = columnArrays(
    { value: type },
    values.map((value) => [value]),
  );
  const cast = { text: 'text[]', int64: 'bigint[]', double: 'double precision[]' }[type];
  const text = `select v from unnest($1::${cast}) with ordinality as t(v, place) order by place`;
  const { rows } = await client.query<{ v: unknown }>(text, [literal]);
  return rows.map(({ v }) => v);
}

const storable = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '').toWellFormed());
const awkward = fc.constantFrom(
  '',
  'NULL',
  'null',
  '"',
  '\\',
  '\\"',
  '{',
  '}',
  ',',
  '{}',
  '""',
  "'",
  ' ',
  '\n',
  '$1',
  'é日😀',
);

test('texts of any characters', async () => {
  const text = fc.option(fc.oneof(storable, awkward), { nil: null });
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 20 }), async (values) => {
      expect(await readBack('text', values)).toEqual(values);
    }),
    { numRuns: 200 },
  );
});

test('very long texts', async () => {
  const values = ['"\\'.repeat(500_000), 'x'.repeat(5_000_000), null, ''];
  expect(await readBack('text', values)).toEqual(values);
});

test('integers of 64 bits', async () => {
  const integer = fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { nil: null });
  await fc.assert(
    fc.asyncProperty(fc.array(integer, { minLength: 1, maxLength: 20 }), async (values) => {
      expect(await readBack('int64', values)).toEqual(values.map((value) => value?.toString() ?? null));
    }),
  );
});

test('doubles to the last bit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.double(), { minLength: 1, maxLength: 20 }), async (values) => {
      expect(await readBack('double', values)).toEqual(values);
    }),
  );
});
