import fc from 'fast-check';
import { isLike, type ModelFilter, type ModelOrder, type ModelRun } from './runs-model.ts';

/** Generated runs, filters and orders, from pools so small that filters hit and ties are common. */
const long = 'x'.repeat(127);
const texts = [
  '',
  'a',
  'A',
  'ab',
  'b',
  'é',
  'É',
  '\u{1F600}',
  '\uFFEE',
  "it's",
  'say "x"',
  '100%',
  'x_y',
  'xzy',
  'C:\\',
  '\\%',
];
const longTexts = [`${long}a`, `${long}ab`, `${long}\u{1F600}`, `${long}\u{1F600}b`];
const text = fc.constantFrom(...texts, ...longTexts);
const patterns = [
  ...texts,
  ...longTexts,
  '%',
  '_',
  '%a%',
  'A%',
  '%\\',
  '\\_',
  'x_y',
  '%%b',
  '_%',
  'IT%',
  '%É',
  '\u{1F600}%',
  '__',
];
const metricValue = fc.constantFrom(NaN, -1, -0.5, 0, 0.5, 1, 1e-300, Number.MAX_VALUE, -Number.MAX_VALUE);
const time = fc.constantFrom<number | bigint>(
  0,
  1,
  999,
  1000,
  1001,
  -5,
  9007199254740991,
  9007199254740993n,
  -9007199254740993n,
);
const metricKeys = ['m', 'a b', 'unlogged'];
const textKeys = ['p', 'q r', 'unlogged'];

function some<T>(keys: readonly string[], value: fc.Arbitrary<T>): fc.Arbitrary<ReadonlyMap<string, T>> {
  return fc
    .tuple(
      ...keys.slice(0, 2).map((key) => fc.option(value, { nil: undefined, freq: 3 }).map((each) => ({ key, each }))),
    )
    .map((entries) => new Map(entries.flatMap(({ key, each }) => (each === undefined ? [] : [[key, each] as const]))));
}

const dataset = fc.record({
  name: fc.constantFrom('iris', 'Iris', 'mnist'),
  digest: fc.constantFrom('d1', 'd2'),
  context: fc.constantFrom(undefined, 'training', 'eval'),
});

export function arbitraryRun(experimentIds: readonly number[]): fc.Arbitrary<ModelRun> {
  return fc.record({
    runId: fc.stringMatching(/^[0-9a-f]{32}$/),
    experimentId: fc.constantFrom(...experimentIds),
    runName: text,
    status: fc.constantFrom('RUNNING', 'FINISHED', 'FAILED'),
    startTime: time,
    endTime: fc.option(time, { nil: null }),
    isDeleted: fc.boolean(),
    metrics: some(metricKeys, metricValue),
    params: some(textKeys, text),
    tags: some(textKeys, text),
    datasets: fc.uniqueArray(dataset, { maxLength: 2, selector: ({ name, digest }) => name + digest }),
  });
}

/** A word in any case, as callers write keywords. */
const keyword = (word: string) =>
  fc.constantFrom(word, word.toLowerCase(), `${word.slice(0, 1)}${word.slice(1).toLowerCase()}`);
const oneOf = (...words: string[]) => fc.constantFrom(...words);

function quote(value: string): fc.Arbitrary<string> {
  return fc.constantFrom(`'${value.replaceAll("'", "''")}'`, `"${value.replaceAll('"', '""')}"`);
}

function keySpelling(key: string): fc.Arbitrary<string> {
  const quotedForms = [`\`${key}\``, `"${key}"`];
  return fc.constantFrom(...(key.includes(' ') ? quotedForms : [key, ...quotedForms]));
}

type Compared = number | bigint;
const numberTests: Record<string, (found: Compared, given: Compared) => boolean> = {
  '=': (found, given) => found == given,
  '!=': (found, given) => found != given,
  '<': (found, given) => found < given,
  '<=': (found, given) => found <= given,
  '>': (found, given) => found > given,
  '>=': (found, given) => found >= given,
};

const metricLiteral = oneOf(
  '0',
  '1',
  '-1',
  '.5',
  '-0.5',
  '0.75',
  '1e-300',
  '1e400',
  '-1e400',
  '99999999999999999999',
  '1.',
);
const timeLiteral = oneOf(
  ...['0', '1', '1000', '1000.5', '1e3', '-5', '-5.5', '9007199254740992', '9007199254740993', '-9007199254740993'],
  ...['1e30', '-1e30', '99999999999999999999', '.5'],
);

/** Exact for integers, as a 64-bit column is. */
function literalValue(digits: string): Compared {
  return /^-?\d+$/.test(digits) ? BigInt(digits) : Number(digits);
}

function numberFilter(
  name: fc.Arbitrary<string>,
  literal: fc.Arbitrary<string>,
  { valueOf, read }: { valueOf: (run: ModelRun) => Compared | undefined; read: (digits: string) => Compared },
): fc.Arbitrary<ModelFilter> {
  return fc
    .tuple(name, oneOf(...Object.keys(numberTests)), literal, oneOf('', ' '))
    .map(([left, operator, digits, blank]) => ({
      text: `${left}${blank}${operator}${blank}${digits}`,
      matches: (run) => {
        const value = valueOf(run);
        return value !== undefined && (numberTests[operator]?.(value, read(digits)) ?? false);
      },
    }));
}

function nullFilter(name: fc.Arbitrary<string>, isAbsent: (run: ModelRun) => boolean): fc.Arbitrary<ModelFilter> {
  return fc.oneof(
    fc.tuple(name, keyword('IS'), keyword('NULL')).map((words) => ({ text: words.join(' '), matches: isAbsent })),
    fc
      .tuple(name, keyword('IS'), keyword('NOT'), keyword('NULL'))
      .map((words) => ({ text: words.join('\t'), matches: (run: ModelRun) => !isAbsent(run) })),
  );
}

const lower = (value: string) => value.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** Matches where any of the values does: runs have one value of a key, or some datasets. */
function textFilter(
  name: fc.Arbitrary<string>,
  valuesOf: (run: ModelRun) => readonly string[],
  pool = text,
): fc.Arbitrary<ModelFilter> {
  const compare = fc
    .tuple(
      name,
      oneOf('=', '!='),
      pool.chain((value) => fc.tuple(fc.constant(value), quote(value))),
    )
    .map(([left, operator, [value, literal]]) => ({
      text: `${left} ${operator} ${literal}`,
      matches: (run: ModelRun) => valuesOf(run).some((each) => (each === value) === (operator === '=')),
    }));
  const like = fc
    .tuple(
      name,
      keyword('LIKE').map((word) => ({ word, fold: (value: string) => value })),
      fc.constantFrom(...patterns).chain((pattern) => fc.tuple(fc.constant(pattern), quote(pattern))),
      fc.boolean(),
    )
    .map(([left, { word }, [pattern, literal], isFolded]) => ({
      text: `${left} ${isFolded ? `I${word}` : word} ${literal}`,
      matches: (run: ModelRun) =>
        valuesOf(run).some((each) => (isFolded ? isLike(lower(each), lower(pattern)) : isLike(each, pattern))),
    }));
  const list = fc
    .tuple(
      name,
      fc.boolean(),
      fc.array(
        pool.chain((value) => fc.tuple(fc.constant(value), quote(value))),
        { minLength: 1, maxLength: 4 },
      ),
    )
    .map(([left, isNegated, items]) => ({
      text: `${left} ${isNegated ? 'NOT IN' : 'in'} (${items.map(([, literal]) => literal).join(', ')})`,
      matches: (run: ModelRun) => valuesOf(run).some((each) => items.some(([value]) => value === each) !== isNegated),
    }));
  return fc.oneof(compare, like, list);
}

const present = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value]);

function keyed(
  spellings: readonly string[],
  keys: readonly string[],
): fc.Arbitrary<{ key: string; name: fc.Arbitrary<string> }> {
  return fc.constantFrom(...keys).map((key) => ({
    key,
    name: fc.tuple(oneOf(...spellings), keySpelling(key)).map(([entity, spelled]) => `${entity}.${spelled}`),
  }));
}

const attribute = (...names: string[]) =>
  fc.tuple(oneOf('', 'attribute.', 'attributes.', 'attr.', 'run.'), oneOf(...names)).map((parts) => parts.join(''));

const comparison: fc.Arbitrary<ModelFilter> = fc.oneof(
  keyed(['metric', 'metrics', '`metrics`'], metricKeys).chain(({ key, name }) =>
    fc.oneof(
      {
        weight: 4,
        arbitrary: numberFilter(name, metricLiteral, { valueOf: (run) => run.metrics.get(key), read: Number }),
      },
      { weight: 1, arbitrary: nullFilter(name, (run) => !run.metrics.has(key)) },
    ),
  ),
  keyed(['param', 'params', 'parameter', 'parameters'], textKeys).chain(({ key, name }) =>
    fc.oneof(
      { weight: 4, arbitrary: textFilter(name, (run) => present(run.params.get(key))) },
      { weight: 1, arbitrary: nullFilter(name, (run) => !run.params.has(key)) },
    ),
  ),
  keyed(['tag', 'tags'], textKeys).chain(({ key, name }) =>
    fc.oneof(
      { weight: 4, arbitrary: textFilter(name, (run) => present(run.tags.get(key))) },
      { weight: 1, arbitrary: nullFilter(name, (run) => !run.tags.has(key)) },
    ),
  ),
  numberFilter(attribute('start_time', 'created', '`Created`'), timeLiteral, {
    valueOf: (run) => run.startTime,
    read: literalValue,
  }),
  numberFilter(attribute('end_time', '"end_time"'), timeLiteral, {
    valueOf: (run) => run.endTime ?? undefined,
    read: literalValue,
  }),
  nullFilter(attribute('end_time'), (run) => run.endTime === null),
  textFilter(attribute('run_name', '`Run name`', '"run name"'), (run) => [run.runName]),
  textFilter(attribute('status'), (run) => [run.status], oneOf('RUNNING', 'FINISHED', 'nothing')),
  textFilter(
    oneOf('dataset.name', 'datasets.`name`'),
    (run) => run.datasets.map(({ name }) => name),
    oneOf('iris', 'mnist'),
  ),
  textFilter(oneOf('datasets.digest'), (run) => run.datasets.map(({ digest }) => digest), oneOf('d1', 'd2')),
  textFilter(
    oneOf('dataset.context'),
    (run) => run.datasets.flatMap(({ context }) => present(context)),
    oneOf('training', 'eval'),
  ),
);

const grammar = fc.letrec<{ filter: ModelFilter; group: ModelFilter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison,
    fc.tuple(keyword('AND'), fc.array(tie('group'), { minLength: 2, maxLength: 3 })).map(([word, parts]) => ({
      text: parts.map((part) => part.text).join(` ${word} `),
      matches: (run: ModelRun) => parts.every((part) => part.matches(run)),
    })),
    fc.tuple(keyword('OR'), fc.array(tie('group'), { minLength: 2, maxLength: 3 })).map(([word, parts]) => ({
      text: parts.map((part) => part.text).join(`\n${word} `),
      matches: (run: ModelRun) => parts.some((part) => part.matches(run)),
    })),
    // *AND binds tighter than OR*, without parentheses.
    fc.tuple(tie('group'), tie('group'), tie('group')).map(([a, b, c]) => ({
      text: `${a.text} OR ${b.text} AND ${c.text}`,
      matches: (run: ModelRun) => a.matches(run) || (b.matches(run) && c.matches(run)),
    })),
  ),
  group: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison,
    tie('filter').map((inner) => ({ text: `(${inner.text})`, matches: (run: ModelRun) => inner.matches(run) })),
    fc.tuple(keyword('NOT'), tie('group')).map(([word, inner]) => ({
      text: `${word} ${inner.text}`,
      matches: (run: ModelRun) => !inner.matches(run),
    })),
  ),
}));

export const arbitraryFilter: fc.Arbitrary<ModelFilter> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ text: '', matches: () => true }) },
  { weight: 8, arbitrary: grammar.filter },
);

interface OrderKey {
  readonly name: string;
  readonly key: string;
  readonly valueOf: (run: ModelRun) => string | number | bigint | undefined;
}

const orderKeys: readonly OrderKey[] = [
  ...metricKeys.map((key) => ({
    name: `metrics.\`${key}\``,
    key: `m ${key}`,
    valueOf: (run: ModelRun) => run.metrics.get(key),
  })),
  ...textKeys.flatMap((key) => [
    { name: `params."${key}"`, key: `p ${key}`, valueOf: (run: ModelRun) => run.params.get(key) },
    { name: `tag.\`${key}\``, key: `t ${key}`, valueOf: (run: ModelRun) => run.tags.get(key) },
  ]),
  { name: 'start_time', key: 'start_time', valueOf: (run) => run.startTime },
  { name: 'attributes.created', key: 'start_time', valueOf: (run) => run.startTime },
  { name: 'end_time', key: 'end_time', valueOf: (run) => run.endTime ?? undefined },
  { name: 'run_name', key: 'run_name', valueOf: (run) => run.runName },
  { name: 'attr.status', key: 'status', valueOf: (run) => run.status },
  { name: 'run_id', key: 'run_id', valueOf: (run) => run.runId },
];

export const arbitraryOrder: fc.Arbitrary<readonly ModelOrder[]> = fc
  .uniqueArray(fc.constantFrom(...orderKeys), { maxLength: 3, selector: ({ key }) => key })
  .chain((keys) =>
    fc.tuple(
      ...keys.map((each) =>
        oneOf('', ' ASC', ' asc', ' DESC', ' desc').map((direction) => ({
          ...each,
          text: `${each.name}${direction}`,
          isDescending: direction.toUpperCase() === ' DESC',
        })),
      ),
    ),
  );
