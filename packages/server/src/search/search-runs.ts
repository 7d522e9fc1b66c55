import { sql } from 'kysely';
import type { Int64 } from '@lazuli/contract';
import type { Db } from '../database/engine.ts';
import { filterCondition, oneOf, type Sql } from './conditions.ts';
import { readExperimentIds } from './experiment-ids.ts';
import { parseFilter, type Comparison, type Filter } from './filter.ts';
import { comparePositions } from './keyset.ts';
import { parseOrder, refuseDuplicates, type OrderClause } from './order.ts';
import { findPage, selectSlice, type Found, type Page, type Slice } from './result-page.ts';
import {
  findMetricKeys,
  metricNames,
  runCondition,
  runsByIndex,
  type RunsByIndex,
  type RunScope,
} from './run-conditions.ts';
import { runOrder } from './run-order.ts';
import { runVocabulary, type RunEntity } from './run-vocabulary.ts';

/**
 * Search of runs: a filter and an order become one of three plans.
 * - *Drive*: an index tells that few runs can match (a param's value, a metric's range, a small experiment). Those are tried and sorted.
 * - *Walk*: the order is that of an index (start_time, or one metric in one experiment). Its runs are tried in turn, and the walk
 *   ends when the page is full.
 *   A few experiments are walked one by one and merged.
 * - *Scan*: all runs of the experiments are tried and sorted.
 */
export interface RunQuery {
  readonly workspaceId: number;
  readonly experimentIds: readonly string[];
  readonly filter?: string | undefined;
  readonly viewType: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';
  readonly maxResults: number;
  readonly orderBy: readonly string[];
  readonly pageToken?: string | undefined;
}

interface Search extends Slice {
  readonly db: Db;
  readonly scope: RunScope;
  readonly viewType: RunQuery['viewType'];
  readonly filter: Filter<RunEntity> | undefined;
  readonly order: readonly OrderClause<RunEntity>[];
}

export async function searchRunKeys(db: Db, query: RunQuery): Promise<Page<number>> {
  const { workspaceId, viewType, maxResults, pageToken } = query;
  const filter = parseFilter(query.filter, runVocabulary);
  const order = parseOrder(query.orderBy, runVocabulary);
  refuseDuplicates(order, query.orderBy);
  const experimentIds = readExperimentIds(query.experimentIds);
  const metricKeys = await findMetricKeys(db, { workspaceId, experimentIds }, metricNames(filter, order));
  const scope: RunScope = { workspaceId, experimentIds, metricKeys };
  const terms = runOrder(order, scope);
  const search = [workspaceId, experimentIds, viewType, query.filter ?? '', query.orderBy];
  return findPage({ maxResults, pageToken, terms, search }, (slice) =>
    experimentIds.length === 0 ? Promise.resolve([]) : findRuns({ db, scope, viewType, filter, order, ...slice }),
  );
}

/** Few enough runs to try and sort them all, when the alternative is to walk an index or to scan everything. */
const fewBesideWalk = 1_000;
const fewBesideScan = 20_000;

/** Up to this many experiments are walked one by one and merged. */
const mergedExperiments = 8;

async function findRuns(search: Search): Promise<Found<number>[]> {
  const { length } = search.scope.experimentIds;
  if (length > 1 && length <= mergedExperiments && isIndexed(search.order)) return mergeExperiments(search);
  const walk = walkOf(search);
  if (walk !== undefined && search.filter === undefined) return walk();
  const sources = conjuncts(search.filter).flatMap((each) => {
    const source = each.kind === 'comparison' ? runsByIndex(each, search.scope) : undefined;
    return source === undefined ? [] : [source];
  });
  // A walk ends with the experiment, so a small one needs no other plan.
  const driver =
    walk === undefined
      ? await fewestRuns(search.db, [runsOfExperiments(search.scope), ...sources], fewBesideScan)
      : await fewestRuns(search.db, sources, fewBesideWalk);
  if (driver !== undefined) {
    return select(search, {
      from: sql`(${driver.rows}) d cross join runs r`,
      where: sql`r.run_key = d.run_key`,
      runKey: sql`d.run_key`,
      knows: 'run',
      ...(driver.settles === undefined ? {} : { settled: driver.settles }),
    });
  }
  return walk === undefined ? select(search, everyRun) : walk();
}

function runsOfExperiments({ workspaceId, experimentIds }: RunScope): RunsByIndex {
  const ofExperiments = oneOf(sql`experiment_id`, experimentIds);
  return { rows: sql`select run_key from runs where workspace_id = ${workspaceId} and ${ofExperiments}` };
}

/** The source with the fewest rows, where that is at most `few`. */
async function fewestRuns(db: Db, sources: readonly RunsByIndex[], few: number): Promise<RunsByIndex | undefined> {
  let best: RunsByIndex | undefined;
  let bound = few;
  for (const source of sources.slice(0, maxSources)) {
    const { rows } = await sql<{ count: Int64 }>`
      select count(*) as count from (select 1 from (${source.rows}) s limit ${bound + 1}) c
    `.execute(db);
    const count = Number(rows[0]?.count ?? 0);
    if (count > bound) continue;
    best = source;
    if (count === 0) break;
    bound = count - 1;
  }
  return best;
}

/** Counting costs as well; past these, one more comparison rarely tells more. */
const maxSources = 12;

/** The conditions that every run found must meet, those first that tell most for their cost. */
function conjuncts(filter: Filter<RunEntity> | undefined): Filter<RunEntity>[] {
  if (filter === undefined) return [];
  if (filter.kind !== 'and') return [filter];
  return filter.operands.flatMap(conjuncts).sort((a, b) => rankOf(a) - rankOf(b));
}

function rankOf(filter: Filter<RunEntity>): number {
  if (filter.kind !== 'comparison') return 4;
  if (filter.entity === 'attribute') return 0;
  if (filter.operator === '=' || filter.operator === 'IN') return 1;
  return filter.entity === 'metric' ? 2 : 3;
}

/** The first runs of each experiment, then the first of those. */
async function mergeExperiments(search: Search): Promise<Found<number>[]> {
  const { db, scope, filter, order, limit } = search;
  const names = metricNames(filter, order);
  const found: Found<number>[] = [];
  for (const experimentId of scope.experimentIds) {
    const within = { workspaceId: scope.workspaceId, experimentIds: [experimentId] };
    const part: RunScope = { ...within, metricKeys: await findMetricKeys(db, within, names) };
    found.push(...(await findRuns({ ...search, scope: part, terms: runOrder(order, part) })));
  }
  return found.sort((a, b) => comparePositions(search.terms, a.position, b.position)).slice(0, limit);
}

/** Whether an order begins as an index of one experiment does. */
function isIndexed([first]: readonly OrderClause<RunEntity>[]): boolean {
  return (
    first === undefined || first.entity === 'metric' || (first.entity === 'attribute' && first.key === 'start_time')
  );
}

/** A walk along the index whose order is wanted, where there is one. */
function walkOf(search: Search): (() => Promise<Found<number>[]>) | undefined {
  const { order, scope } = search;
  if (scope.experimentIds.length !== 1) return undefined;
  const [first] = order;
  if (first === undefined || (first.entity === 'attribute' && first.key === 'start_time')) {
    // runs_by_start: the database sees for itself that its order is the one asked for.
    return () => select(search, everyRun);
  }
  const [metricKey] = first.entity === 'metric' ? (scope.metricKeys.get(first.key) ?? []) : [];
  return metricKey === undefined ? undefined : () => walkByMetric(search, metricKey);
}

/** Along latest_metrics_by_value: runs with a number, then those with NaN, then those without the metric. */
async function walkByMetric(search: Search, metricKey: number): Promise<Found<number>[]> {
  const { scope, terms, start, limit } = search;
  const [first, ...rest] = terms;
  if (first === undefined) throw new TypeError('An order has at least one term.');
  const { join: _join, ...value } = first;
  const found = new Map<number, Found<number>>();
  for (const rank of [0, 1, 2] as const) {
    if (rank < (start?.[0]?.rank ?? 0)) continue;
    if (rank === 2 && !(await lacksMetric(search, metricKey))) break;
    const ofMetric = sql`o0.workspace_id = ${scope.workspaceId} and o0.metric_key = ${metricKey}`;
    const source: Source =
      rank === 2
        ? {
            ...everyRun,
            where: sql`(select 1 from latest_metrics o0 where ${ofMetric} and o0.run_key = r.run_key) is null`,
          }
        : {
            from: sql`latest_metrics o0 cross join runs r`,
            where: sql`${ofMetric} and o0.is_nan = ${rank} and r.run_key = o0.run_key`,
            runKey: sql`o0.run_key`,
            // A metric's key is one experiment's.
            knows: 'experiment',
          };
    const part = { ...search, terms: [{ ...value, rank }, ...rest], limit: limit - found.size };
    // A run whose latest value changes between two statements may be found by both.
    for (const run of await select(part, source)) found.set(run.key, found.get(run.key) ?? run);
    if (found.size >= limit) break;
  }
  return [...found.values()];
}

/** Whether an experiment has a run without the metric: two counts along indexes save a probe of every run. */
async function lacksMetric({ db, scope }: Search, metricKey: number): Promise<boolean> {
  const { rows } = await sql<{ runs: Int64; values: Int64 }>`
    select (select count(*) from runs
        where workspace_id = ${scope.workspaceId} and ${oneOf(sql`experiment_id`, scope.experimentIds)}) as runs,
      (select count(*) from latest_metrics
        where workspace_id = ${scope.workspaceId} and metric_key = ${metricKey}) as "values"
  `.execute(db);
  return rows[0] === undefined || rows[0].runs > rows[0].values;
}

interface Source {
  readonly from: Sql;
  readonly where?: Sql;
  /** Where the statement knows the run's key first. */
  readonly runKey: Sql;
  /** What its rows tell of a run before that is looked up: nothing, which it is, or that it is one of the experiment searched. */
  readonly knows?: 'run' | 'experiment';
  /** A comparison that all rows of the source meet. */
  readonly settled?: Comparison<RunEntity>;
}

const everyRun: Source = { from: sql`runs r`, runKey: sql`r.run_key` };

async function select(search: Search, { from, where, runKey, knows, settled }: Source): Promise<Found<number>[]> {
  const { db, scope, viewType, filter } = search;
  const asked = conjuncts(filter).filter((each) => each !== settled);
  const conditions = [
    ...(where === undefined ? [] : [where]),
    ...within(scope, knows),
    ...(viewType === 'ALL' ? [] : [sql`r.lifecycle_stage = ${viewType === 'ACTIVE_ONLY' ? 'active' : 'deleted'}`]),
    ...asked.map((each) => filterCondition(each, (comparison) => runCondition(comparison, { scope, runKey }))),
  ];
  const selection = { key: sql`r.run_key as run_key`, from, conditions };
  return selectSlice(db, selection, search, (row) => Number(row['run_key']));
}

/**
 * The run `r` is one of the experiments searched. The sign keeps engines off the index of an experiment's runs where a run is
 * known by its key: without statistics PostgreSQL takes that index for as good, and reads all of it for each run.
 */
function within({ workspaceId, experimentIds }: RunScope, knows: Source['knows']): Sql[] {
  if (knows === 'experiment') return [];
  const sign = knows === 'run' ? sql`+` : sql``;
  return [sql`${sign}r.workspace_id = ${workspaceId}`, oneOf(sql`${sign}r.experiment_id`, experimentIds)];
}
