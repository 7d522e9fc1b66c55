import type { SQLInputValue } from 'node:sqlite';
import type { ColumnValue, GroupTransaction, Row, SetRemove, SetSelect, SetUpdate, SetWrite } from './engine.ts';
import type { SqliteConnection } from './sqlite-connection.ts';

/**
 * Set statements on SQLite: a prepared statement in a loop. Multi-row VALUES and json_each bring nothing over it, because
 * a row's cost lies in the B-tree page that it dirties.
 */
export function createSqliteGroup(connection: SqliteConnection) {
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

  function runAll(sql: string, rows: readonly (readonly ColumnValue[])[]): void {
    const statement = connection.prepare(sql);
    for (const row of rows) statement.run(...(row as SQLInputValue[]));
  }

  return {
    transaction(onCommit: (action: () => void) => void): GroupTransaction {
      return {
        onCommit,
        select: async (statement, keys) => {
          const sql = text(statement, selectText);
          return keys.map((key): Row | undefined => connection.all(sql, key)[0]);
        },
        write: async (statement, rows) => runAll(text(statement, writeText), rows),
        update: async (statement, rows) => {
          const keys = Object.keys(statement.by).length;
          runAll(
            text(statement, updateText),
            rows.map((row) => [...row.slice(keys), ...row.slice(0, keys)]),
          );
        },
        remove: async (statement, keys) => runAll(text(statement, removeText), keys),
        allocate: async (table, count) => {
          const first = nextIdentity.get(table) ?? highestIdentity(connection, table) + 1;
          nextIdentity.set(table, first + count);
          return Array.from({ length: count }, (_, index) => first + index);
        },
      };
    },
  };
}

const identityColumns = { runs: 'run_key', metric_keys: 'metric_key', datasets: 'dataset_key' } as const;

/** One process owns the database, so its highest key and a counter in memory are enough. */
function highestIdentity(connection: SqliteConnection, table: keyof typeof identityColumns): number {
  const [row] = connection.all(`select coalesce(max(${identityColumns[table]}), 0) as highest from ${table}`, []);
  return Number(row?.['highest']);
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
