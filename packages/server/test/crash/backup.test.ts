import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@lazuli/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backUpSqlite } from '../../src/database/sqlite/backup.ts';
import { acknowledgedSoFar, auditBackup } from './backup-audit.ts';
import { integrityOf } from './integrity.ts';
import { emptyBooks, work } from './logged-work.ts';
import { serverCommand, startProcess } from './server-process.ts';

const workers = 8;
/** How often; the nightly run sets 5. */
const rounds = Number(process.env['LAZULI_BACKUP_ROUNDS'] ?? 1);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazuli-backup-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test.each(Array.from({ length: rounds }, (_, index) => index + 1))(
  'a backup taken while clients log has all that was acknowledged before it, and nothing in part [%i]',
  async () => {
    const dataDir = join(folder, 'data');
    const copy = join(folder, 'lazuli.db');
    await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
    const { experiment_id } = await server.client.experiments.createExperiment({ name: 'backed up' });
    const books = emptyBooks(experiment_id);
    const stop = new AbortController();
    const client = createClient({
      url: server.url,
      retries: { maxRetries: 0 },
      fetch: (input, init) => (stop.signal.aborted ? Promise.reject(new Error('enough')) : fetch(input, init)),
    });
    const enough = Promise.withResolvers<undefined>();
    const working = Array.from({ length: workers }, (_, index) =>
      work(client, books, `${index}`, () => {
        if (books.acknowledgements === 500) enough.resolve(undefined);
      }),
    );
    await enough.promise;
    const before = acknowledgedSoFar(books);
    const counted = books.acknowledgements;
    const { stderr } = await lazuli('db', 'backup', copy, '--data-dir', dataDir);
    expect(stderr).toContain('is backed up to');
    expect(books.acknowledgements).toBeGreaterThan(counted);
    stop.abort();
    await Promise.all(working);

    const restored = join(folder, 'restored');
    await mkdir(restored);
    await copyFile(copy, join(restored, 'lazuli.db'));
    expect(integrityOf(restored)).toBe('ok');
    await using fresh = await startProcess({ dataDir: restored, flags: ['--log-level', 'error'] });
    await auditBackup(fresh.client, before, books);
  },
  60_000,
);

test('a backup is one whole file, and takes no place that is taken', async () => {
  const dataDir = join(folder, 'data');
  {
    await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
    await server.client.experiments.createExperiment({ name: 'kept' });
  }
  const copies = join(folder, 'copies');
  await mkdir(copies);
  await backUpSqlite(join(dataDir, 'lazuli.db'), join(copies, 'a.db'));
  expect(await readdir(copies)).toEqual(['a.db']);
  await expect(backUpSqlite(join(dataDir, 'lazuli.db'), join(copies, 'a.db'))).rejects.toThrow('is there already');
  await expect(backUpSqlite(join(dataDir, 'nothing.db'), join(copies, 'b.db'))).rejects.toThrow('There is no database');
  await writeFile(join(dataDir, 'noise.db'), randomBytes(8192));
  await expect(backUpSqlite(join(dataDir, 'noise.db'), join(copies, 'b.db'))).rejects.toThrow('not a database');
  expect(await readdir(copies)).toEqual(['a.db']);
});

function lazuli(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const [program = '', ...rest] = serverCommand();
  return promisify(execFile)(program, [...rest, ...args]);
}
