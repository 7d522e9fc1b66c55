import { existsSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { checkOrigin } from '../origin.ts';
import { openSqliteConnection } from './connection.ts';
import { findSchema } from './migrate.ts';

/** More than a database can have; node:sqlite does not take SQLite's own word for all of them, which is -1. */
const allPages = 2 ** 31 - 1;

/**
 * A copy of a database as it is at one moment, made by SQLite itself, so that a server may write to it meanwhile. The copy
 * appears under its name when it is whole, checked and on the disk: what bears the name is a backup.
 */
export async function backUpSqlite(path: string, target: string): Promise<{ readonly bytes: number }> {
  if (!existsSync(path)) throw new Error(`There is no database at ${path}.`);
  if (existsSync(target)) throw new Error(`${target} is there already; a backup does not replace it.`);
  const unfinished = `${target}.unfinished`;
  await rm(unfinished, { force: true });
  try {
    await copyDatabase(path, unfinished);
    checkCopy(unfinished);
    await rename(unfinished, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  return { bytes: (await stat(target)).size };
}

async function copyDatabase(path: string, target: string): Promise<void> {
  const source = openSqliteConnection(path, 'read');
  try {
    checkOrigin(findSchema(source));
    // All pages in one step. *SQLite: a copy in several steps starts again whenever another connection has written*, so
    // beside a busy server it would never end.
    await backup(source.raw, target, { rate: allPages });
  } finally {
    source.close();
  }
}

function checkCopy(path: string): void {
  using copy = new DatabaseSync(path);
  // One file, without a log beside it; the server that it is restored to turns the log on again.
  copy.exec('pragma journal_mode = delete');
  const problems = copy.prepare('pragma quick_check(1)').get()?.['quick_check'];
  if (problems !== 'ok') throw new Error(`The copy is damaged, and so may be the database: ${String(problems)}.`);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
