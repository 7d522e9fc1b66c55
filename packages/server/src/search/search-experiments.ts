import { sql } from 'kysely';
import type { Db } from '../database/engine.ts';
import { filterCondition, idCondition, integerCondition, rowCondition, textCondition, type Sql } from './conditions.ts';
import { experimentVocabulary, type ExperimentEntity } from './experiment-vocabulary.ts';
import { parseFilter, type Comparison } from './filter.ts';
import type { OrderTerm } from './keyset.ts';
import { parseOrder, type OrderClause } from './order.ts';
import { findPage, selectSlice, type Page } from './result-page.ts';

/** Search of experiments: there are thousands at most, so all of a workspace are tried. */
export interface ExperimentQuery {
  readonly workspaceId: number;
  readonly filter?: string | undefined;
  readonly viewType: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';
  readonly maxResults: number;
  readonly orderBy: readonly string[];
  readonly pageToken?: string | undefined;
}

export async function searchExperimentIds(db: Db, query: ExperimentQuery): Promise<Page<number>> {
  const { workspaceId, viewType, maxResults, pageToken } = query;
  const filter = parseFilter(query.filter, experimentVocabulary);
  const terms = experimentOrder(parseOrder(query.orderBy, experimentVocabulary));
  const search = [workspaceId, viewType, query.filter ?? '', query.orderBy];
  const selection = {
    key: sql`e.experiment_id as experiment_id`,
    from: sql`experiments e`,
    conditions: [
      sql`e.workspace_id = ${workspaceId}`,
      ...(viewType === 'ALL' ? [] : [sql`e.lifecycle_stage = ${viewType === 'ACTIVE_ONLY' ? 'active' : 'deleted'}`]),
      ...(filter === undefined ? [] : [filterCondition(filter, (each) => experimentCondition(each, workspaceId))]),
    ],
  };
  return findPage({ maxResults, pageToken, terms, search }, (slice) =>
    selectSlice(db, selection, slice, (row) => Number(row['experiment_id'])),
  );
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
    if (key === 'experiment_id') return idCondition(sql`e.experiment_id`, operator, value);
    return integerCondition(sql.ref(`e.${key}`), operator, value);
  }
  return rowCondition(operator, {
    tables: sql`experiment_tags t`,
    key: sql`t.workspace_id = ${workspaceId} and t.experiment_id = e.experiment_id and t.key = ${key}`,
    condition: textCondition(sql`t.value`, operator, value),
  });
}
