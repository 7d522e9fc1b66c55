import { invalidParameter, parseInt64 } from '@lazuli/contract';
import { errorAt, quoted } from './syntax-error.ts';
import { tokenize, type Token } from './tokens.ts';
import type { Entity, KeyRule, Operator, Vocabulary } from './vocabulary.ts';

/**
 * The filter language, from text to tree. MLflow's grammar is comparisons joined by AND; ours adds OR, NOT, parentheses and
 * lists and null tests in more places. NOT is the complement over rows: what the condition inside does not select,
 * rows without the key included. NOT binds tighter than AND, AND tighter than OR.
 */
export type Filter<Name extends string = string> =
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Filter<Name>[] }
  | { readonly kind: 'not'; readonly operand: Filter<Name> }
  | Comparison<Name>;

export interface Comparison<Name extends string = string> {
  readonly kind: 'comparison';
  readonly entity: Name;
  readonly key: string;
  readonly operator: Operator;
  /** Absent for null tests. */
  readonly value?: FilterValue;
}

export type FilterValue =
  | { readonly kind: 'text'; readonly text: string }
  /** The digits are kept: a 64-bit integer does not fit a double. */
  | { readonly kind: 'number'; readonly digits: string }
  | { readonly kind: 'list'; readonly texts: readonly string[] };

/** The comparisons of a filter, in the order of its text. */
export function comparisonsOf<Name extends string>(filter: Filter<Name> | undefined): Comparison<Name>[] {
  if (filter === undefined) return [];
  if (filter.kind === 'comparison') return [filter];
  return filter.kind === 'not' ? comparisonsOf(filter.operand) : filter.operands.flatMap(comparisonsOf);
}

/** Bounds against hostile filters: they keep the statement far below what a database accepts in size and depth. */
export const filterLimits = { characters: 131_072, depth: 100, comparisons: 200, listItems: 4000, pattern: 2048 };

interface Parser<Name extends string> {
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly vocabulary: Vocabulary<Name>;
  at: number;
  depth: number;
  comparisons: number;
  listItems: number;
}

/** The tree of a filter, or undefined for the empty text, which selects everything. */
export function parseFilter<Name extends string>(
  text: string | undefined,
  vocabulary: Vocabulary<Name>,
): Filter<Name> | undefined {
  if (text === undefined || text === '') return undefined;
  if (text.length > filterLimits.characters) {
    throw invalidParameter(
      `Invalid filter: it has ${text.length} characters, more than the ${filterLimits.characters} allowed`,
    );
  }
  if (text.trim() === '') throw invalidParameter(`Invalid filter '${quoted(text)}'. Could not be parsed.`);
  const parser = { text, tokens: tokenize(text), vocabulary, at: 0, depth: 0, comparisons: 0, listItems: 0 };
  const filter = parseAny(parser);
  if (peek(parser).kind !== 'end') throw unexpected(parser, 'AND, OR or the end of the filter');
  return filter;
}

function parseAny<Name extends string>(parser: Parser<Name>): Filter<Name> {
  return parseChain(parser, 'OR', parseAll);
}

function parseAll<Name extends string>(parser: Parser<Name>): Filter<Name> {
  return parseChain(parser, 'AND', parseOne);
}

function parseChain<Name extends string>(
  parser: Parser<Name>,
  keyword: 'AND' | 'OR',
  parseOperand: (parser: Parser<Name>) => Filter<Name>,
): Filter<Name> {
  const first = parseOperand(parser);
  if (!isKeyword(peek(parser), keyword)) return first;
  const operands = [first];
  while (isKeyword(peek(parser), keyword)) {
    next(parser);
    operands.push(parseOperand(parser));
  }
  return { kind: keyword === 'AND' ? 'and' : 'or', operands };
}

function parseOne<Name extends string>(parser: Parser<Name>): Filter<Name> {
  let isNegated = false;
  while (isKeyword(peek(parser), 'NOT')) {
    next(parser);
    isNegated = !isNegated;
  }
  const operand = peek(parser).kind === 'open' ? parseGroup(parser) : parseComparison(parser);
  return isNegated ? { kind: 'not', operand } : operand;
}

function parseGroup<Name extends string>(parser: Parser<Name>): Filter<Name> {
  const open = next(parser);
  parser.depth += 1;
  if (parser.depth > filterLimits.depth) {
    throw errorAt(parser.text, open.start, `Invalid filter: parentheses nest deeper than ${filterLimits.depth}`);
  }
  const inner = parseAny(parser);
  if (peek(parser).kind !== 'close') throw unexpected(parser, 'AND, OR or a closing parenthesis');
  next(parser);
  parser.depth -= 1;
  return inner;
}

function parseComparison<Name extends string>(parser: Parser<Name>): Comparison<Name> {
  const subject = peek(parser);
  const isName =
    (subject.kind === 'name' && !isReserved(subject)) || (subject.kind === 'text' && subject.raw[0] === '"');
  if (!isName) {
    if (subject.kind === 'text' || subject.kind === 'number') {
      const message = `Invalid comparison clause. Expected 'Identifier' found '${quoted(subject.raw)}'`;
      throw errorAt(parser.text, subject.start, message);
    }
    throw unexpected(parser, 'a comparison');
  }
  next(parser);
  parser.comparisons += 1;
  if (parser.comparisons > filterLimits.comparisons) {
    throw errorAt(
      parser.text,
      subject.start,
      `Invalid filter: it has more than ${filterLimits.comparisons} comparisons`,
    );
  }
  const { entity, rule } = resolveName(parser.text, subject, parser.vocabulary);
  const operatorToken = peek(parser);
  const operator = parseOperator(parser);
  if (operator === 'IS NULL' || operator === 'IS NOT NULL') {
    if (!rule.operators.includes(operator)) {
      throw errorAt(parser.text, operatorToken.start, parser.vocabulary.wrongNullTest(entity.name, rule.name));
    }
    return { kind: 'comparison', entity: entity.name, key: rule.name, operator };
  }
  const value = parseValue(parser, { entity, rule, isList: operator === 'IN' || operator === 'NOT IN' });
  if (!isOperatorOf(rule, operator)) {
    const message =
      entity.wrongOperator?.(rule.name, operator) ??
      `Invalid comparator '${operator}' not one of '{${rule.operators.map((each) => `'${each}'`).join(', ')}}'`;
    throw errorAt(parser.text, operatorToken.start, message);
  }
  return { kind: 'comparison', entity: entity.name, key: rule.name, operator, value };
}

function isOperatorOf(rule: KeyRule, operator: string): operator is Operator {
  return (rule.operators as readonly string[]).includes(operator);
}

/** Words that other SQL dialects have as operators: they get the message about operators, not the one about syntax. */
const otherDialects = new Set(['RLIKE', 'REGEXP', 'GLOB', 'MATCH', 'NOT LIKE', 'NOT ILIKE']);

function parseOperator<Name extends string>(parser: Parser<Name>): string {
  const token = peek(parser);
  if (token.kind === 'operator') return next(parser).raw;
  const words = [token, parser.tokens[parser.at + 1], parser.tokens[parser.at + 2]].map((each) =>
    each !== undefined && isBareWord(each) ? each.raw.toUpperCase() : '',
  );
  for (const length of [3, 2, 1]) {
    const operator = words.slice(0, length).join(' ');
    const isKnown = /^(?:I?LIKE|(?:NOT )?IN|IS (?:NOT )?NULL)$/.test(operator) || otherDialects.has(operator);
    if (!isKnown) continue;
    parser.at += length;
    return operator;
  }
  const hint =
    token.kind === 'other'
      ? 'an operator such as =; a key with characters other than letters, digits, _ and . stands in `backticks`'
      : 'an operator such as =';
  throw unexpected(parser, hint);
}

interface Place<Name extends string> {
  readonly entity: Entity<Name>;
  readonly rule: KeyRule;
  readonly isList: boolean;
}

function parseValue<Name extends string>(parser: Parser<Name>, { entity, rule, isList }: Place<Name>): FilterValue {
  const token = peek(parser);
  if (token.kind === 'open') return parseList(parser, { entity, rule, isList });
  if (isList) throw unexpected(parser, "a list such as ('a', 'b')");
  if (token.kind === 'number' && rule.type === 'number') return { kind: 'number', digits: next(parser).raw };
  if (token.kind === 'number' && rule.takesNumbers) return { kind: 'text', text: next(parser).raw };
  if (token.kind === 'text' && rule.type === 'text') return { kind: 'text', text: checkPattern(parser, next(parser)) };
  if (token.kind !== 'number' && token.kind !== 'text' && token.kind !== 'name') throw unexpected(parser, 'a value');
  if (rule.type === 'text' && token.kind === 'name' && !isKeyword(token, 'NULL')) {
    const message = `Parameter value is either not quoted or unidentified quote types used for string value ${quoted(token.raw)}. Use either single or double quotes.`;
    throw errorAt(parser.text, token.start, message);
  }
  throw errorAt(parser.text, token.start, entity.wrongValue(rule.name, quoted(token.raw)));
}

/** *MLflow and SQLite match patterns in time that grows with pattern times value: patterns are bounded.* */
function checkPattern<Name extends string>(parser: Parser<Name>, token: Token): string {
  const operator = parser.tokens[parser.at - 2];
  const isPattern = operator !== undefined && isBareWord(operator);
  if (isPattern && token.value.length > filterLimits.pattern) {
    throw errorAt(
      parser.text,
      token.start,
      `Invalid filter: a pattern is longer than ${filterLimits.pattern} characters`,
    );
  }
  return token.value;
}

function parseList<Name extends string>(parser: Parser<Name>, { entity, rule, isList }: Place<Name>): FilterValue {
  const open = next(parser);
  const close = parser.tokens.findIndex((token, index) => index >= parser.at && token.kind === 'close');
  const raw = parser.text.slice(open.start, parser.tokens[close]?.end ?? parser.text.length);
  if (close === -1)
    throw errorAt(parser.text, open.start, 'Invalid clause(s) in filter string: the list is never closed');
  if (!isList || rule.type === 'number') {
    throw errorAt(parser.text, open.start, entity.wrongValue(rule.name, quoted(raw)));
  }
  const reading = 'While parsing a list in the query, expected';
  if (peek(parser).kind === 'close') {
    throw errorAt(parser.text, open.start, `${reading} a non-empty list of string values, but got empty list`);
  }
  const texts: string[] = [];
  while (peek(parser).kind !== 'close') {
    const item = next(parser);
    if (item.kind !== 'text') {
      const message = `${reading} string value, punctuation, or whitespace, but got different type in list: ${quoted(raw)}`;
      throw errorAt(parser.text, item.start, message);
    }
    texts.push(item.value);
    parser.listItems += 1;
    if (parser.listItems > filterLimits.listItems) {
      throw errorAt(
        parser.text,
        item.start,
        `Invalid filter: its lists have more than ${filterLimits.listItems} values`,
      );
    }
    if (peek(parser).kind === 'comma') next(parser);
    else if (peek(parser).kind !== 'close') throw unexpected(parser, 'a comma or a closing parenthesis');
  }
  next(parser);
  return { kind: 'list', texts };
}

/** The entity and the rule that a name stands for. */
export function resolveName<Name extends string>(
  text: string,
  name: Token,
  vocabulary: Vocabulary<Name>,
): { entity: Entity<Name>; rule: KeyRule } {
  const spelling = name.entity ?? vocabulary.bare;
  const entity = vocabulary.entities.find((each) =>
    name.entity === undefined ? each.name === spelling : each.spellings.includes(spelling),
  );
  if (entity === undefined) throw errorAt(text, name.start, vocabulary.wrongEntity(quoted(spelling)));
  if (!(entity.keys instanceof Map))
    return { entity, rule: { ...(entity.keys as Omit<KeyRule, 'name'>), name: name.value } };
  const rule = entity.keys.get(name.value) as KeyRule | undefined;
  if (rule === undefined) {
    const valid = [...entity.keys.keys()].map((key) => `'${String(key)}'`).join(', ');
    const message = `Invalid ${entity.name} key '${quoted(name.value)}' specified. Valid keys are '{${valid}}'`;
    throw errorAt(text, name.start, message);
  }
  return { entity, rule };
}

/** The integer or fraction that a number's digits stand for. */
export function numberOf(digits: string): number | bigint {
  return parseInt64(digits) ?? Number(digits);
}

function peek<Name extends string>(parser: Parser<Name>): Token {
  const token = parser.tokens[Math.min(parser.at, parser.tokens.length - 1)];
  if (token === undefined) throw new Error('a list of tokens ends with an end token');
  return token;
}

function next<Name extends string>(parser: Parser<Name>): Token {
  const token = peek(parser);
  parser.at += 1;
  return token;
}

function isBareWord(token: Token): boolean {
  return token.kind === 'name' && token.entity === undefined && !token.isQuoted;
}

function isKeyword(token: Token, keyword: string): boolean {
  return isBareWord(token) && token.raw.toUpperCase() === keyword;
}

function isReserved(token: Token): boolean {
  return ['AND', 'OR', 'NOT', 'IN', 'IS', 'NULL', 'LIKE', 'ILIKE'].some((keyword) => isKeyword(token, keyword));
}

function unexpected<Name extends string>(parser: Parser<Name>, expected: string): Error {
  const token = peek(parser);
  const found = token.kind === 'end' ? 'the end of the filter' : `'${quoted(token.raw)}'`;
  return errorAt(parser.text, token.start, `Invalid clause(s) in filter string: expected ${expected}, found ${found}`);
}
