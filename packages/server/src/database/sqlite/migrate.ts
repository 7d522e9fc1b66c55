import { migrations, type ColumnTypes, type Migration } from '../migrations.ts';
import { checkOrigin, type FoundSchema } from '../origin.ts';
import type { SqliteConnection } from './connection.ts';

const sqliteTypes: ColumnTypes = {
  int64: 'integer',
  identity: 'integer primary key',
  double: 'real',
  text: 'text',
  blob: 'blob',
  clustered: ' without rowid',
  changing: '',
  changingInIndex: (columns) => `${columns}, `,
  // On a table that is stored by its key, SQLite looks the row up for every entry of an index on an expression.
  indexedText: (column) => column,
};

/** Reads only, so that another program's database stays as it was. */
export function findSchema({ all }: Pick<SqliteConnection, 'all'>): FoundSchema {
  const tables = all(`select name from sqlite_master where type = 'table'`, []).map((row) => String(row['name']));
  return { tables, version: tables.includes('schema_versions') ? schemaVersion(all) : undefined };
}

/** Brings a SQLite database to this program's schema, each step in its own transaction; gives those that it has applied. */
export function migrate({ raw, all }: SqliteConnection): readonly Migration[] {
  const found = findSchema({ all });
  checkOrigin(found);
  if (found.version === undefined) {
    raw.exec(
      'create table schema_versions (version integer primary key, name text not null, applied_time integer not null)',
    );
  }
  const present = found.version ?? 0;
  const missing = migrations.filter(({ version }) => version > present);
  for (const step of missing) {
    raw.exec('begin immediate');
    try {
      for (const statement of step.statements(sqliteTypes)) raw.exec(statement);
      raw.prepare('insert into schema_versions values (?, ?, ?)').run(step.version, step.name, Date.now());
      raw.exec('commit');
    } catch (error) {
      raw.exec('rollback');
      throw error;
    }
  }
  return missing;
}

function schemaVersion(all: SqliteConnection['all']): number {
  const [row] = all('select coalesce(max(version), 0) as version from schema_versions', []);
  return Number(row?.['version']);
}
