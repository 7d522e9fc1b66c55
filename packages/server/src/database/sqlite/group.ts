import type { ColumnValue, GroupTransaction, SetIntern, SetRemove, SetSelect, SetUpdate, SetWrite } from '../engine.ts';
import { conflictClause } from '../conflict-clause.ts';
import type { WriterTransaction } from './writer.ts';

/**
 * Set statements on SQLite: a prepared statement in a loop. Multi-row VALUES and json_each bring nothing over it, because
 * a row's cost lies in the B-tree page that it dirties.
 */
export interface SqliteGroups {
  over(tx: WriterTransaction, onCommit: (action: () => void) => void): GroupTransaction;
}

export function createSqliteGroups(): SqliteGroups {
  const texts = new Map<(statement: never) => string, WeakMap<object, string>>();
  const nextIdentity = new Map<string, number>();

  function text<S extends object>(statement: S, compile: (statement: S) => string): string {
    let compiled = texts.get(compile);
    if (compiled === undefined) texts.set(compile, (compiled = new WeakMap<object, string>()));
    let sql = compiled.get(statement);
    if (sql === undefined) compiled.set(statement, (sql = compile(statement)));
    return sql;
  }

  async function allocate(tx: WriterTransaction, table: Identified, count: number): Promise<number[]> {
    // One process owns the database, so its highest key and a counter in memory are enough.
    const first = nextIdentity.get(table) ?? (await highestIdentity(tx, table)) + 1;
    nextIdentity.set(table, first + count);
    return Array.from({ length: count }, (_, index) => first + index);
  }

  return {
    over: (tx, onCommit) => ({
      onCommit,
      // One process owns the database, and groups take turns.
      memory: 'exact',
      require: () => {},
      select: (statement, keys) => tx.each(text(statement, selectText), keys),
      async intern(statement, keys) {
        const rows = await tx.each(text(statement, findInternedText), keys);
        const missing = keys.filter((_, index) => rows[index] === undefined);
        const fresh = await allocate(tx, statement.table, missing.length);
        if (missing.length > 0) {
          tx.write({
            sql: text(statement, internText),
            rows: missing.map((key, index) => [fresh[index] as number, ...key]),
          });
        }
        let next = 0;
        return rows.map((row) => (row === undefined ? (fresh[next++] as number) : Number(row[statement.identity])));
      },
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
      allocate: (table, count) => allocate(tx, table, count),
    }),
  };
}

const highestIdentities = {
  // The points of a collected run are still there until they are removed.
  runs: `select max(run_key) as highest from (select max(run_key) as run_key from runs union all select max(run_key) from removals)`,
  metric_keys: `select max(metric_key) as highest from metric_keys`,
} as const;
type Identified = keyof typeof highestIdentities;

async function highestIdentity(tx: WriterTransaction, table: Identified): Promise<number> {
  const { rows } = await tx.query(highestIdentities[table], []);
  return Number(rows[0]?.['highest'] ?? 0);
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

function findInternedText({ table, identity, columns }: SetIntern): string {
  return `select ${identity} from ${table} where ${Object.keys(columns)
    .map((column) => `${column} = ?`)
    .join(' and ')}`;
}

function internText({ table, identity, columns }: SetIntern): string {
  const names = [identity, ...Object.keys(columns)];
  return `insert into ${table} (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`;
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

function writeText(statement: SetWrite): string {
  const names = Object.keys(statement.columns);
  const values = names.map(() => '?').join(', ');
  return `insert into ${statement.table} (${names.join(', ')}) values (${values})${conflictClause(statement)}`;
}
