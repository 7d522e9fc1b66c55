import { invalidParameter } from '@lazuli/contract';
import { resolveName } from './filter.ts';
import { quoted } from './syntax-error.ts';
import { tokenize } from './tokens.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface OrderClause<Name extends string = string> {
  readonly entity: Name;
  readonly key: string;
  readonly direction: 'asc' | 'desc';
}

const maxClauses = 32;

export function refuseManyClauses(clauses: readonly unknown[]): void {
  if (clauses.length <= maxClauses) return;
  throw invalidParameter(`Invalid order_by: it has ${clauses.length} clauses, more than the ${maxClauses} allowed`);
}

/** The clauses of an order_by list: a name, then ASC or DESC or nothing. */
export function parseOrder<Name extends string>(
  clauses: readonly string[],
  vocabulary: Vocabulary<Name>,
): OrderClause<Name>[] {
  refuseManyClauses(clauses);
  return clauses.map((clause) => parseClause(clause, vocabulary));
}

function parseClause<Name extends string>(clause: string, vocabulary: Vocabulary<Name>): OrderClause<Name> {
  const unreadable = () => invalidParameter(`Invalid order_by clause '${quoted(clause)}'. Could not be parsed.`);
  if (clause.length > 1000) throw unreadable();
  const [name, direction, ...rest] = tokenize(clause);
  const isName = name?.kind === 'name' || (name?.kind === 'text' && name.raw[0] === '"');
  if (name === undefined || !isName || direction === undefined || rest.length > 1) throw unreadable();
  if (direction.kind !== 'end' && direction.kind !== 'name') throw unreadable();
  const word = direction.raw.toUpperCase();
  if (word !== '' && word !== 'ASC' && word !== 'DESC') {
    throw invalidParameter(`Invalid ordering key in order_by clause '${quoted(clause)}'.`);
  }
  const { entity, rule } = resolveName(clause, name, vocabulary);
  if (rule.isUnordered) throw invalidParameter(vocabulary.wrongOrderEntity(entity.name));
  return { entity: entity.name, key: rule.name, direction: word === 'DESC' ? 'desc' : 'asc' };
}

/** *MLflow: a run search refuses a key that is named twice; under its own exception that is a 500, here it is a 400.* */
export function refuseDuplicates(order: readonly OrderClause[], clauses: readonly string[]): void {
  const seen = new Set<string>();
  for (const { entity, key } of order) {
    const name = JSON.stringify([entity, key]);
    if (seen.has(name)) {
      const list = clauses.map((clause) => `'${quoted(clause)}'`).join(', ');
      throw invalidParameter(`\`order_by\` contains duplicate fields: [${list}]`);
    }
    seen.add(name);
  }
}
