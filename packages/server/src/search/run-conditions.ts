import { sql } from 'kysely';
import type { Db } from '../database/engine.ts';
import { indexedValueLength } from '../database/migrations.ts';
import {
  always,
  integerCondition,
  metricCondition,
  never,
  oneOf,
  rowCondition,
  textCondition,
  type Sql,
} from './conditions.ts';
import { comparisonsOf, type Comparison, type Filter } from './filter.ts';
import type { OrderClause } from './order.ts';
import type { RunEntity } from './run-vocabulary.ts';

/** Where a search looks. */
export interface RunScope {
  readonly workspaceId: number;
  readonly experimentIds: readonly number[];
  /** The interned keys of each metric that the query names, in the experiments searched; undefined where they are too many to list. */
  readonly metricKeys: ReadonlyMap<string, readonly number[] | undefined>;
}

/** A metric has one interned key in each experiment; over more than these many experiments each run's is looked up instead. */
const listedMetricKeys = 16;

export async function findMetricKeys(
  db: Db,
  { workspaceId, experimentIds }: { workspaceId: number; experimentIds: readonly number[] },
  names: ReadonlySet<string>,
): Promise<RunScope['metricKeys']> {
  const found = new Map<string, number[] | undefined>([...names].map((name) => [name, []]));
  if (names.size === 0) return found;
  if (experimentIds.length > listedMetricKeys) return new Map([...names].map((name) => [name, undefined]));
  const { rows } = await sql<{ metric_key: number; key: string }>`
    select metric_key, key from metric_keys
    where workspace_id = ${workspaceId} and ${oneOf(sql`experiment_id`, experimentIds)} and key in (${sql.join([...names])})
  `.execute(db);
  for (const { metric_key, key } of rows) found.get(key)?.push(metric_key);
  return found;
}

export function metricNames(
  filter: Filter<RunEntity> | undefined,
  order: readonly OrderClause<RunEntity>[],
): Set<string> {
  const named = [...order, ...comparisonsOf(filter)].filter(({ entity }) => entity === 'metric');
  return new Set(named.map(({ key }) => key));
}

/**
 * The condition of a comparison on the run `r`. `runKey` is where the statement knows the run's key first: what is asked of it
 * there is asked before the run itself is looked up.
 */
export function runCondition(
  comparison: Comparison<RunEntity>,
  { scope, runKey }: { scope: RunScope; runKey: Sql },
): Sql {
  const { entity, key, operator, value } = comparison;
  switch (entity) {
    case 'attribute':
      return key === 'start_time' || key === 'end_time'
        ? integerCondition(sql.ref(`r.${key}`), operator, value)
        : textCondition(sql.ref(`r.${key}`), operator, value);
    case 'parameter':
    case 'tag':
      return rowCondition(operator, {
        tables: sql`${sql.table(textTable(entity))} p`,
        key: sql`p.workspace_id = ${scope.workspaceId} and p.run_key = ${runKey} and p.key = ${key}`,
        condition: textCondition(sql`p.value`, operator, value),
      });
    case 'metric': {
      const source = latestMetric('m', key, { scope, runKey });
      if (source === undefined) return operator === 'IS NULL' ? always : never;
      const condition = metricCondition({ value: sql`m.value`, isNaN: sql`m.is_nan` }, operator, value);
      return rowCondition(operator, { ...source, condition });
    }
    case 'dataset':
      return datasetCondition(comparison, { scope, runKey });
  }
}

/** *MLflow: a clause means "some dataset of the run"; two clauses may be met by two datasets.* */
function datasetCondition(
  { key, operator, value }: Comparison<RunEntity>,
  { scope: { workspaceId }, runKey }: { scope: RunScope; runKey: Sql },
): Sql {
  if (key === 'context') {
    return sql`(select 1 from run_input_tags t
      where t.workspace_id = ${workspaceId} and t.run_key = ${runKey} and t.key = 'mlflow.data.context'
      and ${textCondition(sql`t.value`, operator, value)} limit 1) is not null`;
  }
  // No name of the statement around it, where `d` has the run's key: PostgreSQL looks for a column in the nearest one only.
  return sql`(select 1 from run_inputs i cross join datasets s
    where i.workspace_id = ${workspaceId} and i.run_key = ${runKey} and s.dataset_key = i.dataset_key
    and ${textCondition(sql.ref(`s.${key}`), operator, value)} limit 1) is not null`;
}

/** The latest value of a metric of the run `r`: table and the condition that joins it; undefined where no run has it. */
export function latestMetric(
  alias: string,
  key: string,
  { scope: { workspaceId, metricKeys }, runKey, ofWorkspace }: { scope: RunScope; runKey: Sql; ofWorkspace?: Sql },
): { tables: Sql; key: Sql } | undefined {
  const keys = metricKeys.get(key);
  if (keys?.length === 0) return undefined;
  const [name, metricKey] = [sql.id(alias), sql`${sql.id(alias)}.metric_key`];
  // Not a join of the two tables: PostgreSQL, when it takes the runs for few, would make all pairs before it looks at a run.
  const isMetric =
    keys === undefined
      ? sql`${metricKey} = (select k.metric_key from metric_keys k
          where k.workspace_id = ${workspaceId} and k.experiment_id = r.experiment_id and k.key = ${key})`
      : oneOf(metricKey, keys);
  return {
    tables: sql`latest_metrics ${name}`,
    key: sql`${name}.workspace_id = ${ofWorkspace ?? workspaceId} and ${name}.run_key = ${runKey} and ${isMetric}`,
  };
}

/** Rows of an index that hold every run which a comparison selects, each run once. */
export interface RunsByIndex {
  readonly rows: Sql;
  /** The comparison that the rows answer whole, where they answer one: it need not be asked again. */
  readonly settles?: Comparison<RunEntity>;
}

/** The index rows that a comparison leads to, or undefined where no index knows. */
export function runsByIndex(comparison: Comparison<RunEntity>, scope: RunScope): RunsByIndex | undefined {
  const { entity, key, operator, value } = comparison;
  if (entity === 'parameter' || entity === 'tag') {
    if (operator !== '=' && operator !== 'IN') return undefined;
    const texts = value?.kind === 'list' ? value.texts : value?.kind === 'text' ? [value.text] : [];
    const prefixes = [...new Set(texts.map(indexedPrefix))];
    const rows = sql`select run_key from ${sql.table(textTable(entity))}
      where workspace_id = ${scope.workspaceId} and key = ${key} and value in (${sql.join(texts)})
      and substr(value, 1, ${sql.lit(indexedValueLength)}) in (${sql.join(prefixes)})`;
    return { rows, settles: comparison };
  }
  if (entity === 'metric') {
    const keys = scope.metricKeys.get(key);
    if (keys === undefined || keys.length === 0 || operator === '!=' || operator === 'IS NULL') return undefined;
    const rows = sql`select run_key from latest_metrics
      where workspace_id = ${scope.workspaceId} and ${oneOf(sql`metric_key`, keys)}
      and ${metricCondition({ value: sql`value`, isNaN: sql`is_nan` }, operator, value)}`;
    return { rows, settles: comparison };
  }
  if (entity === 'attribute' && key === 'run_id' && (operator === '=' || operator === 'IN')) {
    const rows = sql`select run_key from runs
      where workspace_id = ${scope.workspaceId} and ${textCondition(sql`run_id`, operator, value)}`;
    return { rows, settles: comparison };
  }
  if (entity === 'dataset' && key !== 'context') {
    const rows = sql`select distinct i.run_key from datasets s cross join run_inputs i
      where s.workspace_id = ${scope.workspaceId} and ${oneOf(sql`s.experiment_id`, scope.experimentIds)}
      and ${textCondition(sql.ref(`s.${key}`), operator, value)}
      and i.workspace_id = ${scope.workspaceId} and i.dataset_key = s.dataset_key`;
    return { rows, settles: comparison };
  }
  return undefined;
}

/** What an index may keep of a value (migrations.ts). *substr counts characters, not code units.* */
function indexedPrefix(text: string): string {
  return text.length <= indexedValueLength
    ? text
    : Array.from(text.slice(0, 2 * indexedValueLength))
        .slice(0, indexedValueLength)
        .join('');
}

export function textTable(entity: 'parameter' | 'tag'): 'run_params' | 'run_tags' {
  return entity === 'parameter' ? 'run_params' : 'run_tags';
}
