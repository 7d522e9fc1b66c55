/**
 * What may be said about one kind of thing (runs, experiments, later models and traces), as data: which entities there are
 * and how they are spelled, which keys each has, of which type, with which operators. The grammar is the same for all.
 */
export type Operator =
  '=' | '!=' | '<' | '<=' | '>' | '>=' | 'LIKE' | 'ILIKE' | 'IN' | 'NOT IN' | 'IS NULL' | 'IS NOT NULL';

export type ValueType = 'number' | 'text';

export interface KeyRule {
  /** The name that the tree carries, whatever alias the caller used. */
  readonly name: string;
  readonly type: ValueType;
  readonly operators: readonly Operator[];
  /** *MLflow takes a number without quotes for a text, where it does not read the filter with its common parser.* */
  readonly takesNumbers?: true;
  /** Absent where results can be ordered by the key. */
  readonly isUnordered?: true;
}

export interface Entity<Name extends string = string> {
  readonly name: Name;
  /** What may stand before the dot. */
  readonly spellings: readonly string[];
  /** The rules by key, aliases included; for entities whose keys callers invent, one rule for all. */
  readonly keys: ReadonlyMap<string, KeyRule> | Omit<KeyRule, 'name'>;
  /** *MLflow's messages for a value of the wrong kind; clients show them.* */
  readonly wrongValue: (key: string, found: string) => string;
  /** *MLflow's message for an operator that the key does not have, where it is not the usual one.* */
  readonly wrongOperator?: (key: string, operator: string) => string | undefined;
}

export interface Vocabulary<Name extends string = string> {
  readonly entities: readonly Entity<Name>[];
  /** The entity of a key without a dot. */
  readonly bare: Name;
  readonly wrongEntity: (found: string) => string;
  readonly wrongNullTest: (entity: string, key: string) => string;
  readonly wrongOrderEntity: (entity: string) => string;
}

export const numericOperators: readonly Operator[] = ['=', '!=', '<', '<=', '>', '>='];
export const textOperators: readonly Operator[] = ['=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'];
export const nullTests: readonly Operator[] = ['IS NULL', 'IS NOT NULL'];

/** A key table from rules with their aliases. */
export function keyTable(rules: readonly (KeyRule & { readonly aliases?: readonly string[] })[]): Map<string, KeyRule> {
  const table = new Map<string, KeyRule>();
  for (const { aliases, ...rule } of rules) {
    for (const spelling of [rule.name, ...(aliases ?? [])]) table.set(spelling, rule);
  }
  return table;
}
