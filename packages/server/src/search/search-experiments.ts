import { sql } from 'kysely';
import { parseInt64 } from '@lazuli/contract';
import type { Db } from '../database/engine.ts';
import {
  always,
  every,
  filterCondition,
  integerCondition,
  never,
  oneOf,
  rowCondition,
  textCondition,
  type Sql,
} from './conditions.ts';
import { experimentVocabulary, type ExperimentEntity } from './experiment-vocabulary.ts';
import { parseFilter, type Comparison } from './filter.ts';
import { after, orderBy, positionOf, selectTerms, type OrderedRow, type OrderTerm } from './keyset.ts';
import { parseOrder, type OrderClause } from './order.ts';
import { readPageToken, searchDigest, writePageToken } from './page-token.ts';

/** Search of experiments: there are thousands at most, so all of a workspace are tried. */
export interface ExperimentQuery {
  readonly workspaceId: number;
  readonly filter?: string | undefined;
  readonly viewType: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';
  readonly maxResults: number;
  readonly orderBy: readonly string[];
  readonly pageToken?: string | undefined;
}

export interface ExperimentPage {
  readonly experimentIds: number[];
  readonly nextPageToken?: string;
}

export async function searchExperimentIds(db: Db, query: ExperimentQuery): Promise<ExperimentPage> {
  const { workspaceId, viewType, maxResults } = query;
  const filter = parseFilter(query.filter, experimentVocabulary);
  const terms = experimentOrder(parseOrder(query.orderBy, experimentVocabulary));
  const digest = searchDigest([workspaceId, viewType, query.filter ?? '', query.orderBy]);
  const start = readPageToken(query.pageToken, { digest, terms });
  const condition = every([
    sql`e.workspace_id = ${workspaceId}`,
    ...(viewType === 'ALL' ? [] : [sql`e.lifecycle_stage = ${viewType === 'ACTIVE_ONLY' ? 'active' : 'deleted'}`]),
    ...(filter === undefined ? [] : [filterCondition(filter, (each) => experimentCondition(each, workspaceId))]),
    start === undefined ? always : after(terms, start),
  ]);
  const { rows } = await sql<OrderedRow>`
    select e.experiment_id as experiment_id, ${selectTerms(terms)}
    from experiments e where ${condition}
    order by ${orderBy(terms)}
    limit ${maxResults + 1}
  `.execute(db);
  const page = rows.slice(0, maxResults);
  const last = page.at(-1);
  const experimentIds = page.map((row) => Number(row['experiment_id']));
  if (rows.length <= maxResults || last === undefined) return { experimentIds };
  return { experimentIds, nextPageToken: writePageToken(digest, positionOf(last, terms)) };
}

/** *MLflow: creation_time DESC, experiment_id ASC; after an order that the caller names, experiment_id DESC.* */
function experimentOrder(order: readonly OrderClause<ExperimentEntity>[]): OrderTerm[] {
  const seen = new Set<string>();
  // *MLflow lets a key be named twice here*: the second time it decides nothing.
  const terms = order
    .filter(({ key }) => !seen.has(key) && seen.add(key))
    .map(({ key, direction }) => term(key, direction));
  if (terms.length === 0) return [term('creation_time', 'desc'), term('experiment_id', 'asc')];
  return seen.has('experiment_id') ? terms : [...terms, term('experiment_id', 'desc')];
}

function term(key: string, direction: 'asc' | 'desc'): OrderTerm {
  return { value: sql.ref(`e.${key}`), direction, type: key === 'name' ? 'text' : 'int64' };
}

function experimentCondition(comparison: Comparison<ExperimentEntity>, workspaceId: number): Sql {
  const { entity, key, operator, value } = comparison;
  if (entity === 'attribute') {
    if (key === 'name') return textCondition(sql`e.name`, operator, value);
    if (key === 'experiment_id') return idCondition(comparison);
    return integerCondition(sql.ref(`e.${key}`), operator, value);
  }
  return rowCondition(operator, {
    tables: sql`experiment_tags t`,
    key: sql`t.workspace_id = ${workspaceId} and t.experiment_id = e.experiment_id and t.key = ${key}`,
    condition: textCondition(sql`t.value`, operator, value),
  });
}

/** Ids are integers inside and texts outside; a text that is no id equals none. */
function idCondition({ operator, value }: Comparison<ExperimentEntity>): Sql {
  const texts = value?.kind === 'list' ? value.texts : value?.kind === 'text' ? [value.text] : [];
  const ids = texts.flatMap((text) => {
    const id = parseInt64(text);
    return typeof id === 'number' ? [id] : [];
  });
  const isOne = ids.length === 0 ? never : oneOf(sql`e.experiment_id`, [...new Set(ids)]);
  return operator === '=' || operator === 'IN' ? isOne : sql`not (${isOne})`;
}
