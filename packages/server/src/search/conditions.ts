import { sql, type RawBuilder } from 'kysely';
import { parseInt64 } from '@lazuli/contract';
import { numberOf, type Filter, type FilterValue, type Comparison } from './filter.ts';
import type { Operator } from './vocabulary.ts';

/**
 * Conditions in SQL that both engines read alike. Each is true or false for every row, never null, so that NOT is the
 * complement: what may be null is guarded.
 */
export type Sql = RawBuilder<unknown>;

export const never: Sql = sql`1 = 0`;
export const always: Sql = sql`1 = 1`;

/** The condition of a whole tree, given that of a comparison. */
export function filterCondition<Name extends string>(
  filter: Filter<Name>,
  comparison: (each: Comparison<Name>) => Sql,
): Sql {
  if (filter.kind === 'comparison') return comparison(filter);
  if (filter.kind === 'not') return sql`not (${filterCondition(filter.operand, comparison)})`;
  const operands = filter.operands.map((each) => filterCondition(each, comparison));
  return balanced(operands, filter.kind === 'and' ? sql` and ` : sql` or `);
}

/** All of these conditions. */
export function every(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? always : balanced(conditions, sql` and `);
}

/** A tree of low depth: SQLite refuses expressions deeper than 1,000, and reads a chain as one. */
function balanced(operands: readonly Sql[], joint: Sql): Sql {
  const [first] = operands;
  if (first !== undefined && operands.length === 1) return first;
  const middle = operands.length >> 1;
  return sql`(${balanced(operands.slice(0, middle), joint)}${joint}${balanced(operands.slice(middle), joint)})`;
}

/** A condition on a text column that is never null where it is asked. */
export function textCondition(column: Sql, operator: Operator, value: FilterValue | undefined): Sql {
  if (value?.kind === 'list') {
    const texts = sql.join([...new Set(value.texts)]);
    return operator === 'IN' ? sql`${column} in (${texts})` : sql`${column} not in (${texts})`;
  }
  if (value?.kind !== 'text') return always;
  switch (operator) {
    case '=':
      return sql`${column} = ${value.text}`;
    case '!=':
      return sql`${column} <> ${value.text}`;
    case 'LIKE':
      return sql`${column} like ${literalBackslashes(value.text)} escape '\\'`;
    case 'ILIKE':
      return sql`lower(${column}) like ${literalBackslashes(asciiLower(value.text))} escape '\\'`;
    default:
      throw new TypeError(`'${operator}' does not compare texts.`);
  }
}

/** *MLflow: patterns have no escape character.* PostgreSQL has one unless told otherwise, so both are told of the backslash. */
function literalBackslashes(pattern: string): string {
  return pattern.replaceAll('\\', '\\\\').replace(/%+/g, '%');
}

/** What lower() does on both engines (SQLite always, PostgreSQL under the collation "C"). */
function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

const smallest = -(2 ** 63);
const beyond = 2 ** 63;

/**
 * A condition on a 64-bit integer column. The column is only ever compared with integers: a fraction, or a number
 * beyond 64 bits, becomes the integer condition that says the same.
 */
export function integerCondition(column: Sql, operator: Operator, value: FilterValue | undefined): Sql {
  if (operator === 'IS NULL') return sql`${column} is null`;
  const present = sql`${column} is not null`;
  if (operator === 'IS NOT NULL' || value?.kind !== 'number') return present;
  let number = numberOf(value.digits);
  if (typeof number === 'number' && !Number.isSafeInteger(number)) {
    if (number >= beyond) return operator === '<' || operator === '<=' || operator === '!=' ? present : never;
    if (number < smallest) return operator === '>' || operator === '>=' || operator === '!=' ? present : never;
    if (!Number.isInteger(number)) {
      if (operator === '=') return never;
      if (operator === '!=') return present;
      const floor = Math.floor(number);
      const isBelow = operator === '<' || operator === '<=';
      return isBelow ? sql`(${present} and ${column} <= ${floor})` : sql`(${present} and ${column} > ${floor})`;
    }
    number = BigInt(number);
  }
  return sql`(${present} and ${compare(column, operator, number)})`;
}

/** A condition on a metric's value. *MLflow: NaN satisfies `!=` alone.* */
export function metricCondition(
  { value, isNaN }: { value: Sql; isNaN: Sql },
  operator: Operator,
  compared: FilterValue | undefined,
): Sql {
  if (compared?.kind !== 'number') return always;
  const number = Number(compared.digits);
  if (operator === '!=') return sql`(${isNaN} = 1 or ${value} <> ${number})`;
  return sql`(${isNaN} = 0 and ${compare(value, operator, number)})`;
}

function compare(column: Sql, operator: Operator, value: number | bigint): Sql {
  switch (operator) {
    case '=':
      return sql`${column} = ${value}`;
    case '!=':
      return sql`${column} <> ${value}`;
    case '<':
      return sql`${column} < ${value}`;
    case '<=':
      return sql`${column} <= ${value}`;
    case '>':
      return sql`${column} > ${value}`;
    case '>=':
      return sql`${column} >= ${value}`;
    default:
      throw new TypeError(`'${operator}' does not compare numbers.`);
  }
}

/** Ids are integers inside and texts outside; a text that is no id equals none. */
export function idCondition(column: Sql, operator: Operator, value: FilterValue | undefined): Sql {
  const texts = value?.kind === 'list' ? value.texts : value?.kind === 'text' ? [value.text] : [];
  const ids = texts.map((text) => parseInt64(text)).filter((id) => typeof id === 'number');
  const isOne = oneOf(column, [...new Set(ids)]);
  return operator === '=' || operator === 'IN' ? isOne : sql`not (${isOne})`;
}

/**
 * Whether the one row that a key names meets a condition. A scalar subselect, not EXISTS, and the condition not in its WHERE:
 * SQLite would turn EXISTS into a join and, having no statistics, enter it by the condition's index, thousands of rows a run.
 */
export function rowCondition(
  operator: Operator,
  { tables, key, condition }: { tables: Sql; key: Sql; condition: Sql },
): Sql {
  if (operator === 'IS NULL') return sql`(select 1 from ${tables} where ${key}) is null`;
  if (operator === 'IS NOT NULL') return sql`(select 1 from ${tables} where ${key}) is not null`;
  return sql`(select case when ${condition} then 1 end from ${tables} where ${key}) is not null`;
}

/** Up to this many integers are bound; more stand in the statement itself, because engines bound the number of variables. */
const boundIntegers = 64;

export function oneOf(column: Sql, integers: readonly number[]): Sql {
  const [first] = integers;
  if (first === undefined) return never;
  if (integers.length === 1) return sql`${column} = ${first}`;
  if (integers.length <= boundIntegers) return sql`${column} in (${sql.join(integers)})`;
  return sql`${column} in (${sql.raw(integers.map((integer) => BigInt(integer).toString()).join(','))})`;
}
