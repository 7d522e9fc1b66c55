import { sql } from 'kysely';
import { invalidParameter } from '@lazuli/contract';
import type { Db } from '../database/engine.ts';
import {
  every,
  filterCondition,
  idCondition,
  integerCondition,
  metricCondition,
  oneOf,
  rowCondition,
  textCondition,
  type Sql,
} from './conditions.ts';
import { comparisonsOf, parseFilter, type Comparison, type FilterValue } from './filter.ts';
import type { OrderTerm } from './keyset.ts';
import { loggedModelAttributes, loggedModelVocabulary, type LoggedModelEntity } from './logged-model-vocabulary.ts';
import { refuseManyClauses } from './order.ts';
import { findPage, selectSlice, type Page } from './result-page.ts';
import { quoted } from './syntax-error.ts';

/**
 * Search of logged models. *MLflow: a metric means "some point of the model", on one of the datasets where the request names
 * some; in an order it means the latest point, on the clause's dataset where it names one.*
 */
export interface LoggedModelQuery {
  readonly workspaceId: number;
  readonly experimentIds: readonly number[];
  readonly filter?: string;
  readonly datasets: readonly DatasetName[];
  readonly orderBy: readonly LoggedModelOrder[];
  readonly maxResults: number;
  readonly pageToken?: string;
}

/** Every digest of the name where it has none. */
export interface DatasetName {
  readonly name: string;
  readonly digest?: string;
}

export interface LoggedModelOrder {
  readonly fieldName: string;
  readonly direction: 'asc' | 'desc';
  readonly datasetName?: string;
  readonly datasetDigest?: string;
}

const maxDatasets = 100;

export async function searchLoggedModelKeys(db: Db, query: LoggedModelQuery): Promise<Page<number>> {
  const { workspaceId, experimentIds, datasets, maxResults, pageToken } = query;
  if (datasets.length > maxDatasets) {
    throw invalidParameter(`Invalid datasets: there are ${datasets.length}, more than the ${maxDatasets} allowed`);
  }
  const filter = parseFilter(query.filter, loggedModelVocabulary);
  const terms = modelOrder(query);
  // *MLflow: with datasets and no metric, the models that have any metric on them.*
  const asksForPoint = datasets.length > 0 && !comparisonsOf(filter).some(({ entity }) => entity === 'metrics');
  const search = [workspaceId, experimentIds, query.filter ?? '', datasets, query.orderBy];
  const selection = {
    key: sql`m.model_key as model_key`,
    from: sql`logged_models m`,
    conditions: [
      sql`m.workspace_id = ${workspaceId} and ${oneOf(sql`m.experiment_id`, experimentIds)} and m.lifecycle_stage = 'active'`,
      ...(filter === undefined ? [] : [filterCondition(filter, (each) => modelCondition(each, query))]),
      ...(asksForPoint ? [hasPoint(query, undefined)] : []),
    ],
  };
  return findPage({ maxResults, pageToken, terms, search }, (slice) =>
    selectSlice(db, selection, slice, (row) => Number(row['model_key'])),
  );
}

/** What the caller names, then *as MLflow does* creation DESC and the id. */
function modelOrder(query: LoggedModelQuery): OrderTerm[] {
  const { orderBy: clauses } = query;
  refuseManyClauses(clauses);
  const seen = new Set<string>();
  const terms = clauses.flatMap((clause, index): OrderTerm[] => {
    const dot = clause.fieldName.indexOf('.');
    if (dot >= 0) return [metricTerm(clause, clause.fieldName.slice(dot + 1), { query, index })];
    const rule = loggedModelAttributes.get(clause.fieldName);
    if (rule === undefined) throw invalidParameter(`Invalid order by field name: ${quoted(clause.fieldName)}`);
    // The second time a field decides nothing.
    if (seen.has(rule.name)) return [];
    seen.add(rule.name);
    return [attributeTerm(rule.name, clause.direction)];
  });
  if (!seen.has('creation_timestamp_ms')) terms.push(attributeTerm('creation_timestamp_ms', 'desc'));
  if (!seen.has('model_id')) terms.push(attributeTerm('model_id', 'asc'));
  return terms;
}

function attributeTerm(name: string, direction: 'asc' | 'desc'): OrderTerm {
  const isInteger = name === 'experiment_id' || loggedModelAttributes.get(name)?.type === 'number';
  return { value: sql.ref(`m.${name}`), direction, type: isInteger ? 'int64' : 'text' };
}

function metricTerm(
  { fieldName, direction, datasetName, datasetDigest }: LoggedModelOrder,
  key: string,
  { query: { workspaceId, experimentIds }, index }: { query: LoggedModelQuery; index: number },
): OrderTerm {
  if (!fieldName.startsWith('metrics.')) {
    throw invalidParameter(`Invalid order by field name: ${quoted(fieldName)}. Only metrics are supported.`);
  }
  const alias = sql.id(`o${index}`);
  const onDataset = every([
    ...(datasetName === undefined ? [] : [sql`v.dataset_name = ${datasetName}`]),
    ...(datasetDigest === undefined ? [] : [sql`v.dataset_digest = ${datasetDigest}`]),
  ]);
  const join = sql`left join (
      select v.model_key, v.value, v.is_nan, row_number() over (
        partition by v.model_key
        order by v.timestamp desc, v.step desc, v.run_key desc, v.dataset_name, v.dataset_digest, v.is_nan, v.value desc
      ) as place
      from logged_models s cross join logged_model_metrics v cross join metric_keys k
      where s.workspace_id = ${workspaceId} and ${oneOf(sql`s.experiment_id`, experimentIds)}
        and v.workspace_id = ${workspaceId} and v.model_key = s.model_key
        and k.metric_key = v.metric_key and k.key = ${unquotedKey(key)} and ${onDataset}
    ) ${alias} on ${alias}.model_key = m.model_key and ${alias}.place = 1`;
  const rank = sql`case when ${alias}.model_key is null then 2 else ${alias}.is_nan end`;
  return { value: sql`${alias}.value`, rank, direction, type: 'double', join };
}

function unquotedKey(key: string): string {
  return key.replace(/^`(.*)`$/s, '$1');
}

function modelCondition(comparison: Comparison<LoggedModelEntity>, query: LoggedModelQuery): Sql {
  const { entity, key, operator, value } = comparison;
  switch (entity) {
    case 'metrics':
      return hasPoint(query, comparison);
    case 'params':
    case 'tags':
      return rowCondition(operator, {
        tables: sql`${sql.table(entity === 'params' ? 'logged_model_params' : 'logged_model_tags')} t`,
        key: sql`t.workspace_id = ${query.workspaceId} and t.model_key = m.model_key and t.key = ${key}`,
        condition: textCondition(sql`t.value`, operator, value),
      });
    case 'attributes':
      if (key === 'experiment_id') return idCondition(sql`m.experiment_id`, operator, value);
      if (key === 'status') return textCondition(sql`m.status`, operator, wholeStatuses(value));
      return loggedModelAttributes.get(key)?.type === 'number'
        ? integerCondition(sql.ref(`m.${key}`), operator, value)
        : textCondition(sql.ref(`m.${key}`), operator, value);
  }
}

/** Whether the model has a point on one of the datasets, where some are named, that meets the comparison, if there is one. */
function hasPoint(
  { workspaceId, datasets }: LoggedModelQuery,
  comparison: Comparison<LoggedModelEntity> | undefined,
): Sql {
  const onDatasets = datasets.map(({ name, digest }) =>
    digest === undefined
      ? sql`v.dataset_name = ${name}`
      : sql`(v.dataset_name = ${name} and v.dataset_digest = ${digest})`,
  );
  const conditions = [
    sql`v.workspace_id = ${workspaceId} and v.model_key = m.model_key`,
    ...(onDatasets.length === 0 ? [] : [sql`(${sql.join(onDatasets, sql` or `)})`]),
  ];
  if (comparison === undefined) {
    return sql`(select 1 from logged_model_metrics v where ${every(conditions)} limit 1) is not null`;
  }
  const { key, operator, value } = comparison;
  return sql`(select 1 from logged_model_metrics v cross join metric_keys k
    where ${every(conditions)} and k.metric_key = v.metric_key and k.key = ${key}
      and ${metricCondition({ value: sql`v.value`, isNaN: sql`v.is_nan` }, operator, value)} limit 1) is not null`;
}

const wholeNames = new Map(
  Object.entries({
    LOGGED_MODEL_STATUS_UNSPECIFIED: ['0', 'UNSPECIFIED'],
    LOGGED_MODEL_PENDING: ['1', 'PENDING'],
    LOGGED_MODEL_READY: ['2', 'READY'],
    LOGGED_MODEL_UPLOAD_FAILED: ['3', 'FAILED', 'UPLOAD_FAILED'],
  }).flatMap(([whole, shorts]) => shorts.map((short) => [short, whole] as const)),
);

/** *MLflow compares statuses by their numbers; its clients call them READY, PENDING and FAILED.* All of these are taken. */
function wholeStatuses(value: FilterValue | undefined): FilterValue | undefined {
  if (value?.kind === 'text') return { kind: 'text', text: wholeNames.get(value.text) ?? value.text };
  if (value?.kind !== 'list') return value;
  return { kind: 'list', texts: value.texts.map((given) => wholeNames.get(given) ?? given) };
}
