import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** What SQLite itself finds wrong with a data directory's database: `ok` where that is nothing. */
export function integrityOf(dataDir: string): unknown {
  using database = new DatabaseSync(join(dataDir, 'lazuli.db'), { readOnly: true });
  return database.prepare('pragma integrity_check').get()?.['integrity_check'];
}

/** How many commits of points have not yet come to their place. */
export function unsettledCommits(dataDir: string): number {
  using database = new DatabaseSync(join(dataDir, 'lazuli.db'), { readOnly: true });
  return Number(database.prepare('select count(*) as commits from metric_log').get()?.['commits']);
}
