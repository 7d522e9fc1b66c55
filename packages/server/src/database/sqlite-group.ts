import type { ColumnValue, GroupTransaction, SetRemove, SetSelect, SetUpdate, SetWrite } from './engine.ts';
import type { WriterTransaction } from './sqlite-writer.ts';

/**
 * Set statements on SQLite: a prepared statement in a loop. Multi-row VALUES and json_each bring nothing over it, because
 * a row's cost lies in the B-tree page that it dirties.
 */
export interface SqliteGroups {
  over(tx: WriterTransaction, onCommit: (action: () => void) => void): GroupTransaction;
}

export function createSqliteGroups(): SqliteGroups {
  const texts = new WeakMap<object, string>();
  const nextIdentity = new Map<string, number>();

  function text<S extends object>(statement: S, compile: (statement: S) => string): string {
    let sql = texts.get(statement);
    if (sql === undefined) {
      sql = compile(statement);
      texts.set(statement, sql);
    }
    return sql;
  }

  return {
    over: (tx, onCommit) => ({
      onCommit,
      select: (statement, keys) => tx.each(text(statement, selectText), keys),
      async write(statement, rows) {
        tx.write({ sql: text(statement, writeText), rows }, blobsOf(statement, rows));
      },
      async update(statement, rows) {
        const keys = Object.keys(statement.by).length;
        const ordered = rows.map((row) => [...row.slice(keys), ...row.slice(0, keys)]);
        tx.write({ sql: text(statement, updateText), rows: ordered });
      },
      async remove(statement, keys) {
        tx.write({ sql: text(statement, removeText), rows: keys });
      },
      async allocate(table, count) {
        // One process owns the database, so its highest key and a counter in memory are enough.
        const first = nextIdentity.get(table) ?? (await highestIdentity(tx, table)) + 1;
        nextIdentity.set(table, first + count);
        return Array.from({ length: count }, (_, index) => first + index);
      },
    }),
  };
}

const identityColumns = { runs: 'run_key', metric_keys: 'metric_key', datasets: 'dataset_key' } as const;

async function highestIdentity(tx: WriterTransaction, table: keyof typeof identityColumns): Promise<number> {
  const { rows } = await tx.query(`select coalesce(max(${identityColumns[table]}), 0) as highest from ${table}`, []);
  return Number(rows[0]?.['highest']);
}

/** The memory of a blob goes to the writer thread instead of being copied: whoever writes one has made it for that. */
function blobsOf({ columns }: SetWrite, rows: readonly (readonly ColumnValue[])[]): ArrayBuffer[] {
  const place = Object.values(columns).indexOf('blob');
  if (place < 0) return [];
  return rows.flatMap((row) => {
    const blob = row[place];
    return blob instanceof Uint8Array ? [blob.buffer as ArrayBuffer] : [];
  });
}

function selectText({ table, by, columns }: SetSelect): string {
  const keys = Object.keys(by).map((column) => `${column} = ?`);
  return `select ${columns.join(', ')} from ${table} where ${keys.join(' and ')}`;
}

function removeText({ table, by }: SetRemove): string {
  const keys = Object.keys(by).map((column) => `${column} = ?`);
  return `delete from ${table} where ${keys.join(' and ')}`;
}

function updateText({ table, by, set }: SetUpdate): string {
  const values = Object.keys(set).map((column) => `${column} = ?`);
  const keys = Object.keys(by).map((column) => `${column} = ?`);
  return `update ${table} set ${values.join(', ')} where ${keys.join(' and ')}`;
}

function writeText({ table, columns, conflict }: SetWrite): string {
  const names = Object.keys(columns);
  const insert = `insert into ${table} (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`;
  if (conflict === undefined) return insert;
  const key = conflict.key.join(', ');
  if (conflict.replace === undefined) return `${insert} on conflict (${key}) do nothing`;
  const set = conflict.replace.map((column) => `${column} = excluded.${column}`).join(', ');
  const update = `${insert} on conflict (${key}) do update set ${set}`;
  if (conflict.newerBy === undefined) return update;
  const added = conflict.newerBy.map((column) => `excluded.${column}`).join(', ');
  const kept = conflict.newerBy.map((column) => `${table}.${column}`).join(', ');
  return `${update} where (${added}) > (${kept})`;
}
