import { MlflowError } from '@lazuli/contract';
import { describe, expect, test } from 'vitest';
import { experimentVocabulary } from './experiment-vocabulary.ts';
import { filterLimits, parseFilter, type Filter } from './filter.ts';
import { parseOrder, refuseDuplicates } from './order.ts';
import { runVocabulary } from './run-vocabulary.ts';

const parse = (text: string) => parseFilter(text, runVocabulary);

/** A tree on one line, every group in brackets. */
function show(filter: Filter | undefined): string {
  if (filter === undefined) return '';
  if (filter.kind === 'not') return `NOT ${show(filter.operand)}`;
  if (filter.kind !== 'comparison') return `[${filter.operands.map(show).join(` ${filter.kind.toUpperCase()} `)}]`;
  const { value } = filter;
  const shown = value?.kind === 'text' ? value.text : value?.kind === 'number' ? value.digits : value?.texts.join('|');
  return [`${filter.entity}.${filter.key}`, filter.operator, shown].filter((part) => part !== undefined).join(' ');
}

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(MlflowError);
    expect((error as MlflowError).errorCode).toBe('INVALID_PARAMETER_VALUE');
    return (error as MlflowError).message;
  }
  throw new Error('It was accepted.');
}

describe('the tree of a filter', () => {
  test.each([
    ["metrics.m = 1 and params.p = 'x'", '[metric.m = 1 AND parameter.p = x]'],
    ["a.b = 'x'", undefined],
    ["param.p='x'", 'parameter.p = x'],
    ["parameters.p LIKE 'x%'", 'parameter.p LIKE x%'],
    ['tag."a b" is not null', 'tag.a b IS NOT NULL'],
    ["attr.created > 5 AND run.`Run Name` ilike 'a'", '[attribute.start_time > 5 AND attribute.run_name ILIKE a]'],
    ["status = 'FINISHED'", 'attribute.status = FINISHED'],
    ['"start_time" > -1', 'attribute.start_time > -1'],
    ['datasets.`name` not in (\'a\', "b",)', 'dataset.name NOT IN a|b'],
    ['metrics.a > 1 OR metrics.b > 1 AND NOT metrics.c > 1', '[metric.a > 1 OR [metric.b > 1 AND NOT metric.c > 1]]'],
    ['not (metrics.a > 1 or metrics.b > 1)', 'NOT [metric.a > 1 OR metric.b > 1]'],
    ['NOT NOT metrics.a > 1', 'metric.a > 1'],
    [
      "params.order = 'x' and tags.from = 'y' and params.in = 'z'",
      '[parameter.order = x AND tag.from = y AND parameter.in = z]',
    ],
  ])('of %s', (text, tree) => {
    if (tree === undefined) expect(() => parse(text)).toThrow();
    else expect(show(parse(text))).toBe(tree);
  });

  test('an empty filter selects everything; blanks alone are a mistake', () => {
    expect(parse('')).toBeUndefined();
    expect(messageOf(() => parse('  '))).toBe("Invalid filter '  '. Could not be parsed.");
  });
});

describe("a mistake gets MLflow's words and its place", () => {
  test.each([
    ["metrics.m = '1'", "Expected numeric value type for metric. Found '1'", 13],
    ['metrics.m > NaN', 'Expected numeric value type for metric. Found NaN', 13],
    ['metrics.m IN (1)', 'Expected numeric value type for metric. Found (1)', 14],
    ['metrics.m == 1', "Invalid comparator '==' not one of", 11],
    ['params.p = 1', "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1", 12],
    ['tags.t = null', "Expected a quoted string value for tag (e.g. 'my-value'). Got value null", 10],
    ['params.p = x', 'unidentified quote types used for string value x. Use either single or double quotes.', 12],
    ["params.p > 'a'", "Invalid comparator '>' not one of", 10],
    ["params.p RLIKE 'a'", "Invalid comparator 'RLIKE' not one of", 10],
    ["params.p not like 'a'", "Invalid comparator 'NOT LIKE' not one of", 10],
    ["start_time > '5'", "Expected numeric value type for numeric attribute: start_time. Found '5'", 14],
    ['status = 3', 'Expected a quoted string value for attributes. Got value 3', 10],
    ['status IS NULL', "IS NULL / IS NOT NULL is only supported for tags and params, not for 'attribute' 'status'", 8],
    ["bogus = 'x'", "Invalid attribute key 'bogus' specified. Valid keys are '{'run_id', ", 1],
    [
      "foo.k = 'x'",
      "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
      1,
    ],
    [`"metrics".m = 1`, `Invalid entity type '"metrics"'.`, 1],
    ["dataset.bogus = 'x'", "Invalid dataset key 'bogus' specified.", 1],
    ['dataset.name = 1', 'Expected a quoted string value for dataset attributes. Got value 1', 16],
    ['run_id IN ()', 'expected a non-empty list of string values, but got empty list', 11],
    ["run_id IN ('a', 1)", 'but got different type in list', 17],
    ["run_id IN 'a'", 'Invalid clause(s) in filter string', 11],
    ["'a' = run_id", "Invalid comparison clause. Expected 'Identifier' found ''a''", 1],
    ['metrics.m', 'Invalid clause(s) in filter string', 10],
    ['metrics.m =', 'Invalid clause(s) in filter string', 12],
    ['metrics.val/loss > 1', '`backticks`', 12],
    ['metrics.m > 1;', 'Invalid clause(s) in filter string', 14],
    ['metrics.m > 1 AND', 'Invalid clause(s) in filter string', 18],
    ['(metrics.m > 1', 'closing parenthesis', 15],
    ['metrics.m > 1)', 'Invalid clause(s) in filter string', 14],
    ['metrics.m > 1 -- x', 'Invalid clause(s) in filter string', 15],
    ["params. = 'x'", 'needs a key', 8],
  ])('%s', (text, words, position) => {
    const [first, line, caret] = messageOf(() => parse(text)).split('\n');
    expect(first).toContain(words);
    expect(first).toContain(`(position ${position})`);
    expect(line).toBe(`  ${text}`);
    expect(caret).toBe(`${' '.repeat(position + 1)}^`);
  });

  test('of a long filter only the neighbourhood is shown, with the caret in its place', () => {
    const text = `${"params.p = 'x' AND ".repeat(30)}metrics.m = \n'bad' ${"AND params.p = 'x'".repeat(30)}`;
    const [, line, caret] = messageOf(() => parse(text)).split('\n');
    expect(line?.length).toBeLessThan(100);
    expect(line?.slice(caret?.indexOf('^'))).toMatch(/^'bad'/);
  });

  test('positions count characters, not code units', () => {
    expect(messageOf(() => parse("params.p = '😀😀' ?"))).toContain('(position 17)');
  });

  test.each([
    ['metrics.m = 1', "Invalid entity type 'metrics'. Valid entity types are ('attribute', 'tag', 'tags')"],
    ["attributes.name = 'x'", "Invalid entity type 'attributes'. Valid entity types are"],
    ["tags.a > 'x'", 'Invalid comparator for tag: >'],
    ["experiment_id LIKE '1'", 'Invalid comparator for experiment_id: LIKE'],
    ['name IS NULL', "IS NULL / IS NOT NULL is only supported for tags, not for attribute 'name'"],
  ])('of an experiment filter: %s', (text, words) => {
    expect(messageOf(() => parseFilter(text, experimentVocabulary))).toContain(words);
  });
});

describe('hostile filters are refused at once', () => {
  test.each([
    ['too long', `params.p = '${'x'.repeat(filterLimits.characters)}'`, 'characters'],
    [
      'too deep',
      `${'('.repeat(filterLimits.depth + 1)}metrics.m > 1${')'.repeat(filterLimits.depth + 1)}`,
      'nest deeper',
    ],
    [
      'too many comparisons',
      Array(filterLimits.comparisons + 1)
        .fill('metrics.m > 1')
        .join(' AND '),
      'comparisons',
    ],
    [
      'too many values',
      `run_id IN (${Array(filterLimits.listItems + 1)
        .fill("'a'")
        .join()})`,
      'values',
    ],
    ['too long a pattern', `params.p LIKE '${'%a'.repeat(filterLimits.pattern)}'`, 'pattern'],
    ['a pile of NOT', `${'NOT '.repeat(30_000)}metrics.m`, 'Invalid clause(s)'],
    ['a pile of open lists', `run_id IN (${'('.repeat(100_000)}`, 'never closed'],
  ])('%s', (_name, text, words) => {
    const started = process.cpuUsage();
    expect(messageOf(() => parse(text))).toContain(words);
    expect(process.cpuUsage(started).user).toBeLessThan(1_000_000);
  });

  test('at the limits they are read', () => {
    const { depth, comparisons } = filterLimits;
    expect(parse(`${'('.repeat(depth)}metrics.m > 1${')'.repeat(depth)}`)).toBeDefined();
    expect(parse(Array(comparisons).fill('metrics.m > 1').join(' OR '))).toMatchObject({ kind: 'or' });
  });
});

describe('order_by', () => {
  const order = (...clauses: string[]) =>
    parseOrder(clauses, runVocabulary).map(({ entity, key, direction }) => `${entity}.${key} ${direction}`);

  test('reads a name and a direction, ascending unless told otherwise', () => {
    expect(order('metrics.m', 'params.`a b` Desc', 'created asc', '"run name"\tDESC', 'metrics.asc')).toEqual([
      'metric.m asc',
      'parameter.a b desc',
      'attribute.start_time asc',
      'attribute.run_name desc',
      'metric.asc asc',
    ]);
  });

  test.each([
    ['metrics.m foo', "Invalid ordering key in order_by clause 'metrics.m foo'."],
    ['', "Invalid order_by clause ''. Could not be parsed."],
    ['a, b', "Invalid order_by clause 'a, b'. Could not be parsed."],
    ['metrics.m asc desc', "Invalid order_by clause 'metrics.m asc desc'. Could not be parsed."],
    ['metrics.a-b', "Invalid order_by clause 'metrics.a-b'. Could not be parsed."],
    ['bogus', "Invalid attribute key 'bogus' specified."],
    ['foo.bar', "Invalid entity type 'foo'."],
    ['dataset.name', "Invalid identifier type 'dataset'"],
  ])('refuses %s', (clause, words) => {
    expect(messageOf(() => order(clause))).toContain(words);
  });

  test('a key that is named twice, also by an alias, is refused', () => {
    const clauses = ['start_time', 'attributes.created DESC'];
    expect(messageOf(() => refuseDuplicates(parseOrder(clauses, runVocabulary), clauses))).toBe(
      "`order_by` contains duplicate fields: ['start_time', 'attributes.created DESC']",
    );
    expect(() => refuseDuplicates(parseOrder(['metrics.m', 'params.m'], runVocabulary), [])).not.toThrow();
  });
});
