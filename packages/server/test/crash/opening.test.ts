import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startServer } from '../server-fixture.ts';
import { refusedStart, startProcess } from './server-process.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lazuli-opening-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

function prepareDatabase(sql: string, file = 'lazuli.db'): void {
  using database = new DatabaseSync(join(dataDir, file));
  database.exec(sql);
}

/** The whole of a database: a refused one must not even have another journal mode, which its header tells. */
function bytesOf(file = 'lazuli.db'): string {
  return readFileSync(join(dataDir, file)).toString('base64');
}

/** Why a server does not start on the data directory. */
async function refusal(flags: Record<string, string> = {}): Promise<string> {
  try {
    await using _server = await startServer({ 'data-dir': dataDir, ...flags });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('The server started.');
}

describe('opening a data directory', () => {
  test('is refused to a second process while the first one lives, which is not disturbed', async () => {
    await using server = await startProcess({ dataDir });
    const { code, output } = await refusedStart({ dataDir });
    expect(code).toBe(1);
    // One sentence to the person who started it, without a stack.
    expect(output).toMatch(/^lazuli: Another Lazuli process uses the data directory .*\n$/m);
    expect(output).toContain(dataDir);
    expect(output).not.toMatch(/^\s+at /m);
    await server.client.experiments.createExperiment({ name: 'undisturbed' });
  });

  test('is refused to a second process that names the same database by its URI', async () => {
    await using _server = await startServer({ 'data-dir': dataDir });
    const elsewhere = {
      'data-dir': join(dataDir, 'elsewhere'),
      'backend-store-uri': `sqlite:///${join(dataDir, 'lazuli.db')}`,
    };
    const { code, output } = await refusedStart({
      dataDir: elsewhere['data-dir'],
      flags: ['--backend-store-uri', elsewhere['backend-store-uri']],
    });
    expect({ code, output }).toMatchObject({ code: 1 });
    expect(output).toContain('Another Lazuli process uses');
  });

  test('is free again when its server was closed', async () => {
    {
      await using server = await startServer({ 'data-dir': dataDir });
      await server.client.experiments.createExperiment({ name: 'kept' });
    }
    await using server = await startServer({ 'data-dir': dataDir });
    const { experiment } = await server.client.experiments.getExperimentByName({ experiment_name: 'kept' });
    expect(experiment.experiment_id).toBe('1');
  });

  test('is refused where a newer program has been at the database, and changes nothing', async () => {
    await (await startServer({ 'data-dir': dataDir })).server.close();
    prepareDatabase(`insert into schema_versions values (999, 'a step of the future', 0)`);
    const bytes = bytesOf();
    expect(await refusal()).toMatch(/schema version 999, and this Lazuli knows versions up to \d+/);
    expect(bytesOf()).toBe(bytes);
  });

  test('is refused for a database that MLflow made, and changes nothing', async () => {
    const made = `create table alembic_version (version_num varchar(32) not null);
      insert into alembic_version values ('1b5f0d9ad7c1'); create table experiments (experiment_id integer primary key)`;
    prepareDatabase(made, 'mlflow.db');
    const bytes = bytesOf('mlflow.db');
    expect(await refusal({ 'backend-store-uri': `sqlite:///${join(dataDir, 'mlflow.db')}` })).toContain(
      "This database was made by MLflow's own server",
    );
    expect(bytesOf('mlflow.db')).toBe(bytes);
  });

  test('is refused for a database of another program', async () => {
    prepareDatabase('create table customers (name text)');
    const bytes = bytesOf();
    expect(await refusal()).toContain('tables of another program (customers');
    expect(bytesOf()).toBe(bytes);
  });

  test.each([
    ['a file that is no database', () => writeFileSync(join(dataDir, 'lazuli.db'), 'this is a text\n'.repeat(1_000))],
    ['a folder', () => mkdirSync(join(dataDir, 'lazuli.db'))],
  ])('is refused where the database is %s, with its path', async (_, prepare) => {
    prepare();
    expect(await refusal()).toContain(`The database ${join(dataDir, 'lazuli.db')} cannot be opened: `);
  });
});
