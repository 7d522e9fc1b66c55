import { migrations, type ColumnTypes } from './migrations.ts';
import type { SqliteConnection } from './sqlite-connection.ts';

const sqliteTypes: ColumnTypes = {
  int64: 'integer',
  identity: 'integer primary key',
  double: 'real',
  text: 'text',
  blob: 'blob',
  clustered: ' without rowid',
  // On a table that is stored by its key, SQLite looks the row up for every entry of an index on an expression.
  indexedText: (column) => column,
};

/** Refuses a database of another program or of a newer one of ours. Reads only, so that such a database stays as it was. */
export function checkOrigin({ all }: Pick<SqliteConnection, 'all'>): void {
  const tables = tablesOf(all);
  if (tables.includes('schema_versions')) {
    const present = schemaVersion(all);
    if (present <= newest) return;
    throw new Error(
      `This database has schema version ${present}, and this Lazuli knows versions up to ${newest}: start the newer Lazuli that made it.`,
    );
  }
  if (tables.includes('alembic_version')) {
    throw new Error(
      `This database was made by MLflow's own server; Lazuli does not open it. Name another file with --backend-store-uri, or leave it out for Lazuli's own.`,
    );
  }
  if (tables.length > 0) {
    throw new Error(
      `This database holds tables of another program (${tables.slice(0, 3).join(', ')} …); Lazuli does not open it.`,
    );
  }
}

/** Brings a SQLite database to this program's schema, each step in its own transaction. */
export function migrate({ raw, all }: SqliteConnection): void {
  checkOrigin({ all });
  if (tablesOf(all).length === 0) {
    raw.exec(
      'create table schema_versions (version integer primary key, name text not null, applied_time integer not null)',
    );
  }
  const present = schemaVersion(all);
  for (const step of migrations.filter(({ version }) => version > present)) {
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
}

const newest = migrations.at(-1)?.version ?? 0;

function tablesOf(all: SqliteConnection['all']): string[] {
  return all(`select name from sqlite_master where type = 'table'`, []).map((row) => String(row['name']));
}

function schemaVersion(all: SqliteConnection['all']): number {
  const [row] = all('select coalesce(max(version), 0) as version from schema_versions', []);
  return Number(row?.['version']);
}
