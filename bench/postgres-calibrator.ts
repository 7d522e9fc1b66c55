/**
 * Cp: what PostgreSQL takes at all through its driver. One client inserts 1000 rows a transaction into an append
 * table without an index, each acknowledged when it is on the disk, before it sends the next: the counterpart of Ca.
 */
import type { Client } from 'pg';
import { withClient } from './postgres-server.ts';
import type { PostgresServer } from './postgres-server.ts';
import { median } from './statistics.ts';

const ROWS_PER_TRANSACTION = 1000;
const SAMPLES = 3;
const SAMPLE_MS = 1500;
const WARM_UP_TRANSACTIONS = 20;
const DATABASE = 'calibrate';

const createTable =
  'create table point (series integer not null, step bigint not null, timestamp bigint not null, value double precision)';
const insert = {
  name: 'append',
  text: 'insert into point select * from unnest($1::integer[], $2::bigint[], $3::bigint[], $4::double precision[])',
};

export async function postgresRowsPerSecond(postgres: PostgresServer): Promise<number> {
  const url = await postgres.openDatabase(DATABASE);
  try {
    return await withClient(url, async (client) => {
      const rates: number[] = [];
      for (let i = 0; i < SAMPLES; i += 1) rates.push(await sample(client));
      return median(rates);
    });
  } finally {
    await postgres.dropDatabase(DATABASE);
  }
}

async function sample(client: Client): Promise<number> {
  await client.query('drop table if exists point');
  await client.query(createTable);
  let row = 0;
  async function appendRows(): Promise<void> {
    await client.query({ ...insert, values: columnsFrom(row) });
    row += ROWS_PER_TRANSACTION;
  }
  for (let i = 0; i < WARM_UP_TRANSACTIONS; i += 1) await appendRows();
  const start = performance.now();
  const before = row;
  while (performance.now() - start < SAMPLE_MS) await appendRows();
  return ((row - before) * 1000) / (performance.now() - start);
}

/** As array literals: the driver would quote each element of an array that it is given. */
function columnsFrom(first: number): string[] {
  const column = (value: (row: number) => number): string =>
    `{${Array.from({ length: ROWS_PER_TRANSACTION }, (_, i) => value(first + i)).join(',')}}`;
  return [
    column((row) => row % 1000),
    column((row) => row),
    column((row) => 1_700_000_000_000 + row),
    column((row) => row / 3),
  ];
}
