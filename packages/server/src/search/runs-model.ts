import { sql } from 'kysely';
import { migrate } from '../database/sqlite/migrate.ts';
import type { Db } from '../database/engine.ts';
import { openSqliteConnection, type SqliteConnection } from '../database/sqlite/connection.ts';
import { kyselyOver } from '../database/kysely-over.ts';

/**
 * For the tests of this room: runs as plain objects, their rows in a database, and what MLflow's documents say about them,
 * worked out one run at a time without SQL.
 */
export interface ModelRun {
  readonly runId: string;
  readonly experimentId: number;
  readonly runName: string;
  readonly status: string;
  readonly startTime: number | bigint;
  readonly endTime: number | bigint | null;
  readonly isDeleted: boolean;
  readonly metrics: ReadonlyMap<string, number>;
  readonly params: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
  readonly datasets: readonly {
    readonly name: string;
    readonly digest: string;
    readonly context: string | undefined;
  }[];
}

export interface ModelDatabase extends SqliteConnection {
  readonly db: Db;
  readonly insert: (run: ModelRun) => number;
  /** The run that a key names. */
  readonly runs: Map<number, ModelRun>;
}

export const workspaceId = 7;

/** A database in memory with two workspaces; the other one holds a copy of every run, which no search may find. */
export function createModelDatabase(experimentIds: readonly number[]): ModelDatabase {
  const connection = openSqliteConnection(':memory:', 'write');
  migrate(connection);
  const execute = (statement: string, ...values: (string | number | bigint | null)[]) =>
    connection.prepare(statement).run(...values);
  for (const workspace of [workspaceId, workspaceId + 1]) {
    execute(
      `insert into workspaces (workspace_id, guid, subscription_id, resource_group, name, region, next_experiment_id, creation_time)
      values (?, ?, 's', 'g', ?, 'r', 100, 0)`,
      workspace,
      `guid-${workspace}`,
      `w${workspace}`,
    );
    for (const id of experimentIds) {
      execute(`insert into experiments values (?, ?, ?, '', 'active', 0, 0)`, workspace, id, `experiment ${id}`);
    }
  }
  const runs = new Map<number, ModelRun>();
  let nextKey = 1;

  function insertInto(workspace: number, run: ModelRun): number {
    const runKey = nextKey++;
    execute(
      `insert into runs values (?, ?, ?, ?, ?, 'someone', ?, ?, ?, ?, null, '')`,
      ...[runKey, workspace, run.runId, run.experimentId, run.runName, run.status, run.startTime, run.endTime],
      run.isDeleted ? 'deleted' : 'active',
    );
    for (const [key, value] of run.metrics) {
      execute(
        `insert or ignore into metric_keys (workspace_id, experiment_id, key) values (?, ?, ?)`,
        ...[workspace, run.experimentId, key],
      );
      execute(
        `insert into latest_metrics select workspace_id, ?, metric_key, 0, 0, ?, ? from metric_keys
        where workspace_id = ? and experiment_id = ? and key = ?`,
        ...[runKey, Number.isNaN(value) ? 0 : value, Number.isNaN(value) ? 1 : 0, workspace, run.experimentId, key],
      );
    }
    for (const [key, value] of run.params)
      execute(`insert into run_params values (?, ?, ?, ?)`, workspace, runKey, key, value);
    for (const [key, value] of run.tags)
      execute(`insert into run_tags values (?, ?, ?, ?)`, workspace, runKey, key, value);
    for (const { name, digest, context } of run.datasets) {
      execute(
        `insert or ignore into datasets (workspace_id, experiment_id, name, digest, source_type, source) values (?, ?, ?, ?, '', '')`,
        ...[workspace, run.experimentId, name, digest],
      );
      execute(
        `insert into run_inputs select workspace_id, ?, dataset_key from datasets
        where workspace_id = ? and experiment_id = ? and name = ? and digest = ?`,
        ...[runKey, workspace, run.experimentId, name, digest],
      );
      if (context === undefined) continue;
      execute(
        `insert into run_input_tags select workspace_id, ?, dataset_key, 'mlflow.data.context', ? from datasets
        where workspace_id = ? and experiment_id = ? and name = ? and digest = ?`,
        ...[runKey, context, workspace, run.experimentId, name, digest],
      );
    }
    return runKey;
  }

  return {
    ...connection,
    db: kyselyOver(connection, 'sqlite'),
    runs,
    insert(run) {
      insertInto(workspaceId + 1, run);
      const runKey = insertInto(workspaceId, run);
      runs.set(runKey, run);
      return runKey;
    },
  };
}

/** Empties the tables of runs. */
export async function clearRuns(database: ModelDatabase): Promise<void> {
  database.runs.clear();
  const tables = [
    'runs',
    'run_params',
    'run_tags',
    'metric_keys',
    'latest_metrics',
    'datasets',
    'run_inputs',
    'run_input_tags',
  ];
  for (const table of tables) await sql`delete from ${sql.table(table)}`.execute(database.db);
}

/** A filter as text, and what it says as a function. */
export interface ModelFilter {
  readonly text: string;
  readonly matches: (run: ModelRun) => boolean;
}

export interface ModelOrder {
  readonly text: string;
  readonly key: string;
  readonly isDescending: boolean;
  /** What the run is ordered by: undefined where it has nothing. */
  readonly valueOf: (run: ModelRun) => string | number | bigint | undefined;
}

/** *MLflow: numbers, then NaN, then nothing, whichever direction; then start_time DESC, then run_id.* */
export function compareRuns(order: readonly ModelOrder[]): (a: ModelRun, b: ModelRun) => number {
  const byStart = { text: '', key: 'start_time', isDescending: true, valueOf: (run: ModelRun) => run.startTime };
  const byId = { text: '', key: 'run_id', isDescending: false, valueOf: (run: ModelRun) => run.runId };
  const named = new Set(order.map(({ key }) => key));
  const all = [...order, ...(named.has('start_time') ? [] : [byStart]), ...(named.has('run_id') ? [] : [byId])];
  return (a, b) => {
    for (const { isDescending, valueOf } of all) {
      const [x, y] = [valueOf(a), valueOf(b)];
      const byRank = rankOf(x) - rankOf(y);
      if (byRank !== 0) return byRank;
      if (x === undefined || y === undefined || rankOf(x) !== 0) continue;
      const byValue = typeof x === 'string' && typeof y === 'string' ? compareText(x, y) : x < y ? -1 : x > y ? 1 : 0;
      if (byValue !== 0) return isDescending ? -byValue : byValue;
    }
    return 0;
  };
}

function rankOf(value: string | number | bigint | undefined): number {
  return value === undefined ? 2 : Number.isNaN(value) ? 1 : 0;
}

/** By code point, which is not the order of JavaScript's own comparison. */
function compareText(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => Array.from(text, (character) => character.codePointAt(0) ?? 0));
  for (let index = 0; index < Math.max(x?.length ?? 0, y?.length ?? 0); index += 1) {
    const difference = (x?.[index] ?? -1) - (y?.[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `%` is any text, `_` any one character, everything else itself. */
export function isLike(text: string, pattern: string): boolean {
  const [characters, wanted] = [Array.from(text), Array.from(pattern)];
  let reached = new Set([0]);
  for (const each of wanted) {
    const next = new Set<number>();
    for (const at of reached) {
      if (each === '%') for (let end = at; end <= characters.length; end += 1) next.add(end);
      else if (at < characters.length && (each === '_' || each === characters[at])) next.add(at + 1);
    }
    reached = next;
  }
  return reached.has(characters.length);
}
