import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, withClient } from './postgres-server.ts';
import { requiredSettings } from './postgres-settings.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazuli-bench-test-'));
  await chmod(folder, 0o711);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('a PostgreSQL of our own is durable, keeps its databases from one start to the next, and ends when it is undone', async () => {
  const first = new AsyncDisposableStack();
  let url: URL;
  try {
    const postgres = await startPostgres(folder, first);
    expect(postgres.description.settings).toMatchObject(requiredSettings);
    url = await postgres.openDatabase('kept');
    const gone = await postgres.openDatabase('gone');
    await withClient(url, (client) => client.query('create table t as select 7 as n'));
    await postgres.dropDatabase('gone');
    await expect(withClient(gone, (client) => client.query('select 1'))).rejects.toThrow('does not exist');
  } finally {
    await first.disposeAsync();
  }
  await expect(withClient(url, (client) => client.query('select 1'))).rejects.toThrow('ECONNREFUSED');

  const second = new AsyncDisposableStack();
  try {
    const again = await (await startPostgres(folder, second)).openDatabase('kept');
    const { rows } = await withClient(again, (client) => client.query('select n from t'));
    expect(rows).toEqual([{ n: 7 }]);
  } finally {
    await second.disposeAsync();
  }
  await expect(startPostgres(folder, second)).rejects.toThrow('the bench is ending');
}, 120_000);
