import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withClient } from '../../../bench/postgres-server.ts';
import { migrations } from '../../server/src/database/migrations.ts';
import { startPostgres, type PostgresServer } from '../../server/test/postgres/postgres-server.ts';
import { aFolder, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

const steps = migrations.map(({ version, name }) => ({ version, name }));
const newest = migrations.at(-1)?.version;
const hint = 'A server brings it up to date when it starts; so does `lazuli db upgrade`.\n';

/** What a command printed, as data. */
function dataOf({ stdout }: { readonly stdout: string }): unknown {
  return JSON.parse(stdout);
}

function sqlite(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

describe('lazuli db on SQLite', () => {
  test('tells what is missing and with status 1 that it is, makes the database, and says that it is up to date', async () => {
    using folder = aFolder();
    const cwd = folder.path;
    const path = join(cwd, 'data', 'lazuli.db');
    const db = (...args: string[]) => run(['db', ...args, '--data-dir', 'data'], { cwd });
    const sqliteStatus = { engine: 'SQLite', database: path, newest_version: newest };

    const absent = await db('status');
    expect(absent).toMatchObject({ status: 1, stderr: hint });
    expect(dataOf(absent)).toEqual({ ...sqliteStatus, is_present: false, version: null, missing: steps });
    expect((await db('status', '--query', 'missing[0].name', '-o', 'tsv')).stdout).toBe(`${steps[0]?.name}\n`);
    expect(existsSync(join(cwd, 'data'))).toBe(false);

    const upgraded = await db('upgrade');
    expect(upgraded).toMatchObject({ status: 0, stderr: `${path} is up to date.\n` });
    expect(dataOf(upgraded)).toEqual(steps);
    expect(await db('upgrade')).toEqual({ status: 0, stdout: '[]\n', stderr: `${path} was up to date already.\n` });

    const before = readdirSync(join(cwd, 'data'));
    const bytes = readFileSync(path);
    const current = await db('status');
    expect(current).toMatchObject({ status: 0, stderr: '' });
    expect(dataOf(current)).toEqual({ ...sqliteStatus, is_present: true, version: newest, missing: [] });
    expect((await db('status', '-o', 'table')).stdout).toMatch(/^Engine +Database +Schema +Newest +Missing\n/);
    expect(readdirSync(join(cwd, 'data'))).toEqual(before);
    expect(readFileSync(path).equals(bytes)).toBe(true);

    sqlite(path, `delete from schema_versions where version = ${newest}`);
    const behind = await db('status');
    expect([behind.status, dataOf(behind)]).toMatchObject([1, { newest_version: newest, missing: steps.slice(-1) }]);
  });

  test('looks at a database beside its server, and does not change it there', async () => {
    using folder = aFolder();
    await using _server = await serving(['--data-dir', 'data'], { cwd: folder.path });
    const db = (command: string) => run(['db', command, '--data-dir', 'data'], { cwd: folder.path });
    expect(await db('status')).toMatchObject({ status: 0, stderr: '' });
    expect(await db('upgrade')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('Another Lazuli process uses the data directory') as string,
    });
  });

  test.each([
    ["MLflow's own", 'create table alembic_version (version_num text)', "was made by MLflow's own server"],
    ["another program's", 'create table songs (name text)', 'holds tables of another program (songs …)'],
    [
      "a newer Lazuli's",
      `create table schema_versions (version, name, applied_time); insert into schema_versions values (99, 'x', 0)`,
      `has schema version 99, and this Lazuli knows versions up to ${newest}`,
    ],
  ])('says of %s database what it is, and leaves it and its folder as they are', async (_whose, sql, sentence) => {
    using folder = aFolder();
    const path = join(folder.path, 'a b%.db');
    sqlite(path, `pragma journal_mode = wal; ${sql}`);
    const bytes = readFileSync(path);
    for (const command of ['status', 'upgrade']) {
      const args = ['db', command, '--backend-store-uri', `sqlite:///${path}`];
      const { status, stdout, stderr } = await run(args, { cwd: folder.path });
      expect(status).toBe(1);
      expect(stderr).toContain(sentence);
      expect(stdout).not.toContain('is up to date');
      if (command === 'upgrade') expect(stdout).toBe('');
    }
    expect(readdirSync(folder.path)).toEqual(['a b%.db']);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  test('says in one sentence what is wrong', async () => {
    using folder = aFolder();
    const cwd = folder.path;
    mkdirSync(join(cwd, 'data'));
    writeFileSync(join(cwd, 'data', 'lazuli.db'), 'no database, but a text that is long enough to be read as one');
    const [noDatabase, setting, unreachable, help] = await Promise.all([
      run(['db', 'status', '--data-dir', 'data'], { cwd }),
      run(['db', 'status', '--database-url', 'mysql://ann:secret@h/db'], { cwd }),
      run(['db', 'status', '--database-url', 'postgres://ann:secret@127.0.0.1:9/db'], { cwd }),
      run(['db', 'status', '--help'], { cwd }),
    ]);
    expect(noDatabase).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('lazuli.db cannot be opened: file is not a database.\n') as string,
    });
    expect(setting).toMatchObject({ status: 2, stdout: '' });
    expect(unreachable).toEqual({
      status: 1,
      stdout: '',
      stderr: 'lazuli: The PostgreSQL database 127.0.0.1:9/db cannot be opened: connect ECONNREFUSED 127.0.0.1:9.\n',
    });
    expect(help.stdout).toContain('ends with status 0 when the database is up to date, with 1 when it');
  });
});

describe('lazuli db on PostgreSQL', () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres({ fsync: 'off', full_page_writes: 'off' });
  });
  afterAll(() => postgres[Symbol.asyncDispose]());

  test('tells what is missing and applies it once, also when several do so at once', async () => {
    using folder = aFolder();
    const url = await postgres.createDatabase();
    const shown = url.replace(/:[^:@]+@/, ':***@');
    // Settings that concern a server that listens are no reason to refuse.
    const env = { LAZULI_DATABASE_URL: url, LAZULI_WORKERS: '4', LAZULI_HOST: '0.0.0.0' };
    const db = (command: string) => run(['db', command], { cwd: folder.path, env });

    const empty = await db('status');
    expect(empty).toMatchObject({ status: 1, stderr: hint });
    expect(dataOf(empty)).toEqual({
      engine: expect.stringMatching(/^PostgreSQL \d+\.\d+/) as string,
      database: shown,
      is_present: true,
      version: null,
      newest_version: newest,
      missing: steps,
    });
    const tables = () =>
      withClient(new URL(url), async (client) => {
        const { rows } = await client.query<{ tablename: string }>(
          `select tablename from pg_tables where schemaname = 'public'`,
        );
        return rows.map(({ tablename }) => tablename);
      });
    expect(await tables()).toEqual([]);

    const upgrades = await Promise.all([db('upgrade'), db('upgrade'), db('upgrade')]);
    expect(upgrades.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(upgrades.map(({ stderr }) => stderr).sort()).toEqual([
      `${shown} is up to date.\n`,
      `${shown} was up to date already.\n`,
      `${shown} was up to date already.\n`,
    ]);
    expect(upgrades.flatMap((upgrade) => dataOf(upgrade))).toEqual(steps);
    const current = await db('status');
    expect([current.status, dataOf(current)]).toMatchObject([0, { version: newest, missing: [] }]);
  });

  test("says of MLflow's database what it is, and leaves it alone", async () => {
    using folder = aFolder();
    const url = await postgres.createDatabase();
    await withClient(new URL(url), (client) => client.query('create table alembic_version (version_num text)'));
    for (const command of ['status', 'upgrade']) {
      const { status, stderr } = await run(['db', command, '--database-url', url], { cwd: folder.path });
      expect(status).toBe(1);
      expect(stderr).toContain("was made by MLflow's own server");
    }
    const { rows } = await withClient(new URL(url), (client) =>
      client.query(`select tablename from pg_tables where schemaname = 'public'`),
    );
    expect(rows).toEqual([{ tablename: 'alembic_version' }]);
  });
});
