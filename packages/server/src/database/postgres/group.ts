import type {
  ColumnValue,
  GroupTransaction,
  SetIntern,
  SetRemove,
  SetRequirement,
  SetUpdate,
  SetWrite,
} from '../engine.ts';
import type { Statement } from './pool.ts';
import type { StatementResult } from '../kysely-over.ts';
import {
  columnArrays,
  internText,
  removeText,
  requirementText,
  selectText,
  updateText,
  writeText,
} from './set-statements.ts';

/**
 * A group on PostgreSQL: what it writes is collected and leaves as one statement, in which the requirements come first. One
 * journey to the server takes a whole flush, and what it decided on is checked where nobody can change it in between.
 */
export interface PostgresGroups {
  /** A group that runs its questions with `run`. */
  over(run: RunStatement, memory: 'guess' | 'none', onCommit: (action: () => void) => void): CollectedGroup;
}

export interface CollectedGroup {
  readonly tx: GroupTransaction;
  /** Everything that was collected, or undefined where that is nothing. */
  statement(): Statement | undefined;
}

type RunStatement = (statement: Statement) => Promise<StatementResult>;
type Rows = readonly (readonly ColumnValue[])[];

interface Collected {
  readonly requirements: { readonly statement: SetRequirement; readonly keys: Rows }[];
  readonly writes: { readonly statement: SetWrite; readonly rows: Rows }[];
  readonly updates: { readonly statement: SetUpdate; readonly rows: Rows }[];
  readonly removals: { readonly statement: SetRemove; readonly rows: Rows }[];
}

/** Run keys are fetched in blocks; those of a process that ends are never used. */
const identityBlock = 256;

export function createPostgresGroups(): PostgresGroups {
  const names = new Map<string, string>();
  let runKeys: number[] = [];

  function named(text: string): string {
    let name = names.get(text);
    if (name === undefined) names.set(text, (name = `lazuli_${names.size}`));
    return name;
  }

  async function intern(run: RunStatement, statement: SetIntern, keys: Rows): Promise<number[]> {
    const text = internText(statement);
    const columns = Object.keys(statement.columns);
    const found = new Map<string, number>();
    let missing = keys;
    // A text that another process is adding at this moment is waited for, and seen the next time.
    while (missing.length > 0) {
      const { rows } = await run({ name: named(text), text, values: columnArrays(statement.columns, missing) });
      for (const row of rows) {
        found.set(JSON.stringify(columns.map((column) => row[column])), Number(row[statement.identity]));
      }
      missing = keys.filter((key) => !found.has(JSON.stringify(key)));
    }
    return keys.map((key) => found.get(JSON.stringify(key)) as number);
  }

  return {
    over(run, memory, onCommit) {
      const collected: Collected = { requirements: [], writes: [], updates: [], removals: [] };
      return {
        tx: {
          memory,
          onCommit,
          async select(statement, keys) {
            if (keys.length === 0) return [];
            const text = selectText(statement, memory === 'none');
            const { rows } = await run({ name: named(text), text, values: columnArrays(statement.by, keys) });
            const byPlace = new Map(rows.map((row) => [row['place'], row]));
            return keys.map((_, index) => byPlace.get(index + 1));
          },
          require(statement, keys) {
            // What this transaction has selected itself is locked already.
            if (memory === 'none' || keys.length === 0) return;
            const distinct = new Map(keys.map((key) => [key.join('/'), key]));
            collected.requirements.push({ statement, keys: [...distinct.values()] });
          },
          intern: (statement, keys) => intern(run, statement, keys),
          async write(statement, rows) {
            if (rows.length > 0) collected.writes.push({ statement, rows: inKeyOrder(statement, rows) });
          },
          async update(statement, rows) {
            if (rows.length > 0) collected.updates.push({ statement, rows });
          },
          async remove(statement, rows) {
            if (rows.length > 0) collected.removals.push({ statement, rows });
          },
          async allocate(_table, count) {
            if (runKeys.length < count) {
              const wanted = Math.max(count - runKeys.length, identityBlock);
              const text = `select nextval(pg_get_serial_sequence('runs', 'run_key')) as key from generate_series(1, $1)`;
              const { rows } = await run({ name: named(text), text, values: [wanted] });
              runKeys.push(...rows.map((row) => Number(row['key'])));
            }
            const taken = runKeys.slice(0, count);
            runKeys = runKeys.slice(count);
            return taken;
          },
        },
        statement() {
          const built = oneStatement(collected);
          return built === undefined ? undefined : { ...built, name: named(built.text) };
        },
      };
    },
  };
}

/** Everybody writes rows in the order of their keys, so that no two groups wait for each other. */
function inKeyOrder({ columns, conflict }: SetWrite, rows: Rows): Rows {
  if (conflict === undefined) return rows;
  const names = Object.keys(columns);
  const places = conflict.key.map((column) => names.indexOf(column));
  return [...rows].sort((a, b) => {
    for (const place of places) {
      const [x, y] = [a[place] as number | string, b[place] as number | string];
      if (x !== y) return x < y ? -1 : 1;
    }
    return 0;
  });
}

/**
 * One statement for everything. Parts that the final select counts run first, in the order of their counts: the requirements,
 * then the writes that must find equal rows. The others run once it has succeeded.
 */
function oneStatement({ requirements, writes, updates, removals }: Collected): Statement | undefined {
  const parts: string[] = [];
  const counts: string[] = [];
  const values: unknown[] = [];
  const changed = new Set(updates.map(({ statement }) => statement.table));
  const add = (text: string, arrays: readonly unknown[]): string => {
    const name = `p${parts.length}`;
    parts.push(`${name} as (${text})`);
    values.push(...arrays);
    return name;
  };
  const mustCount = (name: string, expected: number): void => {
    values.push(expected);
    counts.push(`(select count(*) from ${name}) = $${values.length}::bigint`);
  };
  for (const { statement, keys } of requirements) {
    // Two groups that share a lock and then both want the row for themselves would wait for each other.
    const lock = changed.has(statement.table) ? 'no key update' : 'share';
    const name = add(requirementText(statement, values.length + 1, lock), columnArrays(statement.by, keys));
    mustCount(name, keys.length);
  }
  for (const { statement, rows } of writes) {
    const name = add(writeText(statement, values.length + 1), columnArrays(statement.columns, rows));
    if (statement.conflict?.equal !== undefined) mustCount(name, rows.length);
  }
  for (const { statement, rows } of updates) {
    add(updateText(statement, values.length + 1), columnArrays({ ...statement.by, ...statement.set }, rows));
  }
  for (const { statement, rows } of removals) {
    add(removeText(statement, values.length + 1), columnArrays(statement.by, rows));
  }
  if (parts.length === 0) return undefined;
  const verdict = counts.length === 0 ? '1' : `case when ${counts.join(' and ')} then 1 else lazuli_outdated() end`;
  return { text: `with ${parts.join(',\n')}\nselect ${verdict}`, values };
}
