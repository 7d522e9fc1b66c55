import { sql } from 'kysely';
import type { ColumnValue, Engine, SetWrite } from '../../src/database/engine.ts';
import type { Page } from '../../src/search/result-page.ts';
import { searchRunKeys, type RunQuery } from '../../src/search/search-runs.ts';
import { openTestEngine } from '../engine-fixture.ts';

/**
 * For the tests of searches: runs as plain objects, their rows in a database, and what MLflow's documents say about them,
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

export interface ModelDatabase extends AsyncDisposable {
  /** As the server does it. */
  readonly search: (query: RunQuery) => Promise<Page<number>>;
  /** The run that a key names. */
  readonly runs: ReadonlyMap<number, ModelRun>;
  insert(runs: readonly ModelRun[]): Promise<void>;
  /** Empties the tables of runs. */
  clear(): Promise<void>;
}

export const workspaceId = 7;

/** A database with two workspaces; the other one holds a copy of every run, which no search may find. */
export async function createModelDatabase(
  experimentIds: readonly number[],
  given?: Engine & AsyncDisposable,
): Promise<ModelDatabase> {
  const engine = given ?? (await openTestEngine());
  const workspaces = [workspaceId, workspaceId + 1];
  await engine.group(async (tx) => {
    await tx.write(
      workspaceRows,
      workspaces.map((workspace) => [workspace, `guid-${workspace}`, 's', 'g', `w${workspace}`, 'r', 100, 0]),
    );
  });
  await engine.group(async (tx) => {
    const rows = workspaces.flatMap((workspace) =>
      experimentIds.map((id) => [workspace, id, `experiment ${id}`, '', 'active', 0, 0]),
    );
    await tx.write(experimentRows, rows);
  });
  const runs = new Map<number, ModelRun>();
  const keys = new Map<string, number>();
  let nextRunKey = 1;

  /** The number of something that rows refer to, and whether it is new. */
  function keyOf(...identity: (string | number)[]): { key: number; isNew: boolean } {
    const text = JSON.stringify(identity);
    const known = keys.get(text);
    if (known !== undefined) return { key: known, isNew: false };
    keys.set(text, keys.size + 1);
    return { key: keys.size, isNew: true };
  }

  function addRows(rows: ModelRows, workspace: number, run: ModelRun): number {
    const { runId, experimentId, runName, status, startTime, endTime, isDeleted } = run;
    const runKey = nextRunKey++;
    const stage = isDeleted ? 'deleted' : 'active';
    rows.runs.push([runKey, workspace, runId, experimentId, runName, 'me', status, startTime, endTime, stage, '']);
    for (const [name, value] of run.metrics) {
      const { key, isNew } = keyOf('metric', workspace, experimentId, name);
      if (isNew) rows.metricKeys.push([key, workspace, experimentId, name]);
      const isNaN = Number.isNaN(value);
      rows.latestMetrics.push([workspace, runKey, key, 0, 0, isNaN ? 0 : value, isNaN ? 1 : 0]);
    }
    for (const [key, value] of run.params) rows.params.push([workspace, runKey, key, value]);
    for (const [key, value] of run.tags) rows.tags.push([workspace, runKey, key, value]);
    for (const { name, digest, context } of run.datasets) {
      const { key, isNew } = keyOf('dataset', workspace, experimentId, name, digest);
      if (isNew) rows.datasets.push([key, workspace, experimentId, name, digest, '', '']);
      rows.inputs.push([workspace, runKey, key]);
      if (context !== undefined) rows.inputTags.push([workspace, runKey, key, 'mlflow.data.context', context]);
    }
    return runKey;
  }

  return {
    search: (query) => engine.snapshot((db) => searchRunKeys(db, query)),
    runs,
    async insert(added) {
      for (let start = 0; start < added.length; start += groupSize) {
        const rows = {
          ...{ runs: [], metricKeys: [], latestMetrics: [], params: [] },
          ...{ tags: [], datasets: [], inputs: [], inputTags: [] },
        };
        for (const run of added.slice(start, start + groupSize)) {
          addRows(rows, workspaceId + 1, run);
          runs.set(addRows(rows, workspaceId, run), run);
        }
        await engine.group(async (tx) => {
          for (const [name, statement] of Object.entries(runRows))
            await tx.write(statement, rows[name as keyof ModelRows]);
        });
      }
    },
    async clear() {
      runs.clear();
      keys.clear();
      await engine.transaction(async ({ db }) => {
        for (const { table } of Object.values(runRows)) await sql`delete from ${sql.table(table)}`.execute(db);
      });
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

/** A group has a time limit. */
const groupSize = 2_000;

const workspaceRows: SetWrite = {
  table: 'workspaces',
  columns: {
    ...{ workspace_id: 'int64', guid: 'text', subscription_id: 'text', resource_group: 'text', name: 'text' },
    ...{ region: 'text', next_experiment_id: 'int64', creation_time: 'int64' },
  },
};

const experimentRows: SetWrite = {
  table: 'experiments',
  columns: {
    ...{ workspace_id: 'int64', experiment_id: 'int64', name: 'text', artifact_location: 'text' },
    ...{ lifecycle_stage: 'text', creation_time: 'int64', last_update_time: 'int64' },
  },
};

const textColumns = { workspace_id: 'int64', run_key: 'int64', key: 'text', value: 'text' } as const;

/** What runs are made of, as sets of rows. */
const runRows = {
  runs: {
    table: 'runs',
    columns: {
      ...{ run_key: 'int64', workspace_id: 'int64', run_id: 'text', experiment_id: 'int64', run_name: 'text' },
      ...{ user_id: 'text', status: 'text', start_time: 'int64', end_time: 'int64', lifecycle_stage: 'text' },
      artifact_uri: 'text',
    },
  },
  metricKeys: {
    table: 'metric_keys',
    columns: { metric_key: 'int64', workspace_id: 'int64', experiment_id: 'int64', key: 'text' },
  },
  latestMetrics: {
    table: 'latest_metrics',
    columns: {
      ...{ workspace_id: 'int64', run_key: 'int64', metric_key: 'int64', timestamp: 'int64', step: 'int64' },
      ...{ value: 'double', is_nan: 'int64' },
    },
  },
  params: { table: 'run_params', columns: textColumns },
  tags: { table: 'run_tags', columns: textColumns },
  datasets: {
    table: 'datasets',
    columns: {
      ...{ dataset_key: 'int64', workspace_id: 'int64', experiment_id: 'int64', name: 'text', digest: 'text' },
      ...{ source_type: 'text', source: 'text' },
    },
  },
  inputs: { table: 'run_inputs', columns: { workspace_id: 'int64', run_key: 'int64', dataset_key: 'int64' } },
  inputTags: {
    table: 'run_input_tags',
    columns: { workspace_id: 'int64', run_key: 'int64', dataset_key: 'int64', key: 'text', value: 'text' },
  },
} as const satisfies Record<string, SetWrite>;

type ModelRows = Record<keyof typeof runRows, ColumnValue[][]>;

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
