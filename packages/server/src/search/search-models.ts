import { sql } from 'kysely';
import type { Db } from '../database/engine.ts';
import { filterCondition, integerCondition, rowCondition, textCondition, type Sql } from './conditions.ts';
import { comparisonsOf, parseFilter, type Comparison } from './filter.ts';
import type { OrderedRow, OrderTerm } from './keyset.ts';
import { modelVocabulary, versionVocabulary, type ModelEntity } from './model-vocabulary.ts';
import { parseOrder, refuseDuplicates, type OrderClause } from './order.ts';
import { findPage, selectSlice, type Page } from './result-page.ts';

/** Searches of registered models and of their versions, which differ in tables and keys alone. */
export interface ModelQuery {
  readonly workspaceId: number;
  readonly filter?: string | undefined;
  readonly maxResults: number;
  readonly orderBy: readonly string[];
  readonly pageToken?: string | undefined;
  /** The tag that makes a model or a version one of a prompt: these are hidden unless the filter names the tag. */
  readonly promptTag: string;
}

interface Searched {
  readonly name: string;
  readonly vocabulary: typeof modelVocabulary;
  readonly tables: Sql;
  readonly workspace: Sql;
  readonly key: Sql;
  /** The tags of the row that is looked at. */
  readonly tags: { readonly tables: Sql; readonly of: Sql };
  readonly columns: Readonly<Record<string, { readonly column: Sql; readonly type: 'text' | 'int64' }>>;
  readonly defaultOrder: readonly OrderClause<ModelEntity>[];
  /** What tells rows apart that are equal in the order asked for. */
  readonly lastOrder: readonly OrderClause<ModelEntity>[];
}

const by = (key: string, direction: 'asc' | 'desc'): OrderClause<ModelEntity> => ({
  entity: 'attribute',
  key,
  direction,
});

const models: Searched = {
  name: 'models',
  vocabulary: modelVocabulary,
  tables: sql`registered_models m`,
  workspace: sql`m.workspace_id`,
  key: sql`m.model_key as model_key`,
  tags: {
    tables: sql`registered_model_tags t`,
    of: sql`t.workspace_id = m.workspace_id and t.model_key = m.model_key`,
  },
  columns: {
    name: { column: sql`m.name`, type: 'text' },
    creation_timestamp: { column: sql`m.creation_timestamp`, type: 'int64' },
    last_updated_timestamp: { column: sql`m.last_updated_timestamp`, type: 'int64' },
  },
  defaultOrder: [],
  lastOrder: [by('name', 'asc')],
};

const versions: Searched = {
  name: 'versions',
  vocabulary: versionVocabulary,
  tables: sql`model_versions v join registered_models m on m.workspace_id = v.workspace_id and m.model_key = v.model_key`,
  workspace: sql`v.workspace_id`,
  key: sql`v.model_key as model_key, v.version as version`,
  tags: {
    tables: sql`model_version_tags t`,
    of: sql`t.workspace_id = v.workspace_id and t.model_key = v.model_key and t.version = v.version`,
  },
  columns: {
    name: { column: sql`m.name`, type: 'text' },
    version_number: { column: sql`v.version`, type: 'int64' },
    run_id: { column: sql`v.run_id`, type: 'text' },
    source_path: { column: sql`v.source`, type: 'text' },
    creation_timestamp: { column: sql`v.creation_timestamp`, type: 'int64' },
    last_updated_timestamp: { column: sql`v.last_updated_timestamp`, type: 'int64' },
  },
  // *MLflow: the version updated last comes first.*
  defaultOrder: [by('last_updated_timestamp', 'desc')],
  lastOrder: [by('name', 'asc'), by('version_number', 'desc')],
};

export function searchModelKeys(db: Db, query: ModelQuery): Promise<Page<number>> {
  return search(db, query, models, (row) => Number(row['model_key']));
}

export interface VersionPlace {
  readonly model_key: number;
  readonly version: number;
}

export function searchVersionKeys(db: Db, query: ModelQuery): Promise<Page<VersionPlace>> {
  return search(db, query, versions, (row) => ({
    model_key: Number(row['model_key']),
    version: Number(row['version']),
  }));
}

async function search<Key>(
  db: Db,
  query: ModelQuery,
  searched: Searched,
  keyOf: (row: OrderedRow) => Key,
): Promise<Page<Key>> {
  const { workspaceId, maxResults, pageToken, promptTag } = query;
  const filter = parseFilter(query.filter, searched.vocabulary);
  const order = parseOrder(query.orderBy, searched.vocabulary);
  refuseDuplicates(order, query.orderBy);
  const terms = termsOf(order.length === 0 ? searched.defaultOrder : order, searched);
  const namesPrompts = comparisonsOf(filter).some(({ entity, key }) => entity === 'tag' && key === promptTag);
  const selection = {
    key: searched.key,
    from: searched.tables,
    conditions: [
      sql`${searched.workspace} = ${workspaceId}`,
      ...(filter === undefined ? [] : [filterCondition(filter, (each) => conditionOf(each, { searched, promptTag }))]),
      ...(namesPrompts ? [] : [noPrompt(searched, promptTag)]),
    ],
  };
  return findPage(
    { maxResults, pageToken, terms, search: [searched.name, workspaceId, query.filter ?? '', query.orderBy] },
    (slice) => selectSlice(db, selection, slice, keyOf),
  );
}

function termsOf(order: readonly OrderClause<ModelEntity>[], { columns, lastOrder }: Searched): OrderTerm[] {
  const asked = new Set(order.map(({ key }) => key));
  return [...order, ...lastOrder.filter(({ key }) => !asked.has(key))].map(({ key, direction }) => {
    const { column, type } = columnOf(key, columns);
    return { value: column, direction, type };
  });
}

function columnOf(key: string, columns: Searched['columns']) {
  const found = columns[key];
  if (found === undefined) throw new TypeError(`'${key}' is in the vocabulary but has no column.`);
  return found;
}

interface Place {
  readonly searched: Searched;
  readonly promptTag: string;
}

function conditionOf(comparison: Comparison<ModelEntity>, { searched, promptTag }: Place): Sql {
  const { entity, key, operator, value } = comparison;
  if (entity === 'attribute') {
    const { column, type } = columnOf(key, searched.columns);
    return type === 'text' ? textCondition(column, operator, value) : integerCondition(column, operator, value);
  }
  // *MLflow: what is not tagged is no prompt.*
  const saysNo =
    value?.kind === 'text' &&
    ((operator === '=' && value.text.toLowerCase() === 'false') ||
      (operator === '!=' && value.text.toLowerCase() === 'true'));
  if (key === promptTag && saysNo) return noPrompt(searched, promptTag);
  return rowCondition(operator, {
    tables: searched.tags.tables,
    key: sql`${searched.tags.of} and t.key = ${key}`,
    condition: textCondition(sql`t.value`, operator, value),
  });
}

function noPrompt({ tags }: Searched, promptTag: string): Sql {
  return sql`not exists (
    select 1 from ${tags.tables} where ${tags.of} and t.key = ${promptTag} and lower(t.value) = 'true'
  )`;
}
