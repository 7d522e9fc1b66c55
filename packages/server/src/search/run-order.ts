import { sql } from 'kysely';
import type { OrderTerm } from './keyset.ts';
import type { OrderClause } from './order.ts';
import { latestMetric, textTable, type RunScope } from './run-conditions.ts';
import type { RunEntity } from './run-vocabulary.ts';

/** The terms of an order of runs `r`: what the caller names, then *as MLflow does* start_time DESC and run_id. */
export function runOrder(order: readonly OrderClause<RunEntity>[], scope: RunScope): OrderTerm[] {
  const names = (key: string) => order.some((clause) => clause.entity === 'attribute' && clause.key === key);
  const terms = order.map((clause, index) => runTerm(clause, { index, scope }));
  if (!names('start_time')) terms.push(attributeTerm('start_time', 'desc'));
  if (!names('run_id')) terms.push(attributeTerm('run_id', 'asc'));
  return terms;
}

/**
 * The workspace of what a run is ordered by: the run's own, so that the row can only be found through the run. Were it the
 * searched one, PostgreSQL, when it takes the runs for few, would read a metric's values of all runs again for each. Not the
 * expression that search-runs.ts compares with the searched one: PostgreSQL sees what follows from both.
 */
const ofWorkspace = sql`r.workspace_id + 0`;

function runTerm(
  { entity, key, direction }: OrderClause<RunEntity>,
  { index, scope }: { index: number; scope: RunScope },
): OrderTerm {
  if (entity === 'attribute') return attributeTerm(key, direction);
  const alias = `o${index}`;
  const isAbsent = sql`${sql.ref(`${alias}.run_key`)} is null`;
  const value = sql.ref(`${alias}.value`);
  if (entity === 'metric') {
    const source = latestMetric(alias, key, { scope, runKey: sql`r.run_key`, ofWorkspace });
    // Nobody logged it: absent everywhere, and the next term decides.
    if (source === undefined) return { value: sql`null`, rank: 2, direction, type: 'double' };
    const rank = sql`case when ${isAbsent} then 2 else ${sql.ref(`${alias}.is_nan`)} end`;
    const { tables, key: ofRun } = source;
    return { value, rank, direction, type: 'double', join: sql`left join ${tables} on ${ofRun}` };
  }
  if (entity === 'dataset') throw new TypeError('A run has many datasets: nothing is ordered by them.');
  const join = sql`left join ${sql.table(textTable(entity))} ${sql.id(alias)}
    on ${sql.id(alias)}.workspace_id = ${ofWorkspace} and ${sql.id(alias)}.run_key = r.run_key
    and ${sql.id(alias)}.key = ${key}`;
  return { value, rank: sql`case when ${isAbsent} then 2 else 0 end`, direction, type: 'text', join };
}

function attributeTerm(key: string, direction: 'asc' | 'desc'): OrderTerm {
  const value = sql.ref(`r.${key}`);
  if (key === 'end_time') {
    return { value, rank: sql`case when ${value} is null then 2 else 0 end`, direction, type: 'int64' };
  }
  return { value, direction, type: key === 'start_time' ? 'int64' : 'text' };
}
