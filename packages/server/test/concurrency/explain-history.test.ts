import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  contradiction,
  describeHistory,
  explain,
  isCertain,
  unknown,
  type Model,
  type Operation,
} from './explain-history.ts';
import { nameModel, type NameInput, type NameOutput } from './name-model.ts';
import { changesNoRun, runModel, type RunInput, type RunOutput, type RunState } from './run-model.ts';

type Register = { readonly write: number } | { readonly read: true };

/** A cell that holds a number, 0 at first. */
const register: Model<number, Register, number> = {
  initial: 0,
  keyOf: String,
  step(state, input, output) {
    if ('write' in input) return input.write;
    return output === unknown || output === state ? state : undefined;
  },
};

function write(value: number, called: number, answered: number): Operation<Register, number> {
  return { client: 'w', input: { write: value }, output: answered === Infinity ? unknown : 0, called, answered };
}

function read(value: number, called: number, answered: number): Operation<Register, number> {
  return { client: 'r', input: { read: true }, output: value, called, answered };
}

describe('a history of a cell', () => {
  test.each([
    ['a read that follows a write sees it', [write(1, 1, 2), read(1, 3, 4)]],
    ['a read during a write sees it or not', [write(1, 1, 6), read(0, 2, 3), read(1, 4, 5)]],
    ['writes at once come in either order', [write(1, 1, 4), write(2, 2, 3), read(1, 5, 6)]],
    ['a write without an answer may have happened', [write(1, 1, Infinity), read(1, 2, 3)]],
    ['a write without an answer may happen later', [write(1, 1, Infinity), read(0, 2, 3), read(1, 4, 5)]],
    ['a write without an answer need not have happened', [write(1, 1, Infinity), read(0, 2, 3)]],
  ])('is explained: %s', (_, history) => {
    expect(explain(register, history)).toBeDefined();
  });

  test.each([
    ['a read that follows a write misses it', [write(1, 1, 2), read(0, 3, 4)]],
    ['a read sees what nobody has written', [read(7, 1, 2)]],
    ['a read goes back behind another', [write(1, 1, 6), read(1, 2, 3), read(0, 4, 5)]],
    ['a read sees a write before it was called', [read(1, 1, 2), write(1, 3, 4)]],
    [
      'two readers see two writes in two orders',
      [write(1, 1, 10), write(2, 2, 11), read(1, 3, 4), read(2, 5, 6), read(1, 7, 8)],
    ],
    ['a write without an answer happens twice', [write(1, 1, Infinity), read(1, 2, 3), write(2, 4, 5), read(1, 6, 7)]],
  ])('is not explained: %s', (_, history) => {
    expect(explain(register, history)).toBeUndefined();
  });

  /** Applies operations one after the other, each at a moment within a span that overlaps with others. */
  const arbitraryHistory = fc
    .array(fc.tuple(fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }), fc.nat(6), fc.nat(6)), {
      minLength: 1,
      maxLength: 12,
    })
    .map((steps) => {
      let state = 0;
      return steps.map(([value, before, after], index): Operation<Register, number> => {
        // All moments are different: each operation has fractions of its own.
        const [called, answered] = [index - before + index / 100, index + after + 0.5 + index / 100];
        if (value === undefined) return read(state, called, answered);
        state = value;
        return write(value, called, answered);
      });
    });

  test('that was made one after the other is always explained', () => {
    fc.assert(fc.property(arbitraryHistory, (history) => explain(register, history) !== undefined));
  });

  test('is explained exactly where trying every order finds one', () => {
    const wrong = arbitraryHistory.chain((history) =>
      fc
        .tuple(fc.constant(history.slice(0, 6)), fc.nat(5), fc.nat(3))
        .map(([part, place, value]) =>
          part.map((operation, index) =>
            index === place && 'read' in operation.input ? { ...operation, output: value } : operation,
          ),
        ),
    );
    fc.assert(
      fc.property(wrong, (history) => (explain(register, history) !== undefined) === triesEveryOrder(0, history)),
      { numRuns: 500 },
    );
  });
});

function triesEveryOrder(state: number, open: readonly Operation<Register, number>[]): boolean {
  if (open.length === 0) return true;
  return open.some((operation) => {
    if (open.some((other) => other.answered < operation.called)) return false;
    const next = register.step(state, operation.input, operation.output);
    return (
      next !== undefined &&
      triesEveryOrder(
        next,
        open.filter((other) => other !== operation),
      )
    );
  });
}

test('a contradiction leaves out what has nothing to do with it, and still is one', () => {
  const innocent = Array.from({ length: 6 }, (_, index) => [
    write(index + 10, index * 4, index * 4 + 1),
    read(index + 10, index * 4 + 2, index * 4 + 3),
  ]).flat();
  const history = [...innocent, write(1, 100, 101), read(2, 102, 103), read(1, 104, 105)];
  const part = contradiction(register, history, ({ input }) => 'read' in input);
  expect(explain(register, part)).toBeUndefined();
  const firm = part.filter(isCertain);
  expect(firm).toEqual([read(2, 102, 103)]);
  expect(describeHistory(firm)).toBe('[102, 103] r: {"read":true} → 2');
});

const run: RunState = { deleted: false, name: 'n', params: {}, tags: { 'mlflow.runName': 'n' }, latest: {} };
const point = { step: 0, timestamp: 0, value: 1 };

/** Operations of which each is answered before the next is called. */
function inTurn<Input, Output>(...steps: readonly (readonly [Input, Output | typeof unknown])[]) {
  return steps.map(([input, output], index): Operation<Input, Output> => ({
    client: 'c',
    input,
    output,
    called: index * 2,
    answered: output === unknown ? Infinity : index * 2 + 1,
  }));
}

describe('a history of runs', () => {
  const created = [{ verb: 'create run', name: 'n', tags: {} }, { created: 'r' }] as const;
  const log = (part: Partial<Extract<RunInput, { verb: 'log' }>>): RunInput => ({
    verb: 'log',
    run: 'r',
    metrics: [],
    params: {},
    tags: {},
    ...part,
  });
  const seen = (part: Partial<RunState>): readonly [RunInput, RunOutput] => [
    { verb: 'get run', run: 'r' },
    { run: { ...run, ...part } },
  ];
  const done = (input: RunInput): readonly [RunInput, RunOutput] => [input, 'done'];
  const isExplained = (...steps: readonly (readonly [RunInput, RunOutput | typeof unknown])[]): boolean =>
    explain(runModel, inTurn<RunInput, RunOutput>(created, ...steps)) !== undefined;
  const verb = (name: 'delete run' | 'restore run'): RunInput => ({ verb: name, run: 'r' });

  test.each<[string, (readonly [RunInput, RunOutput | typeof unknown])[]]>([
    ['a param is kept', [done(log({ params: { p: '1' } })), [log({ params: { p: '2' } }), { unlike: { p: '1' } }]]],
    [
      'the greatest point is the latest',
      [
        done(log({ metrics: [{ key: 'm', ...point, step: 2 }] })),
        done(log({ metrics: [{ key: 'm', ...point, value: 9 }] })),
        seen({ latest: { m: { ...point, step: 2 } } }),
      ],
    ],
    [
      'a name is a tag',
      [done(log({ tags: { 'mlflow.runName': 'z' } })), seen({ name: 'z', tags: { 'mlflow.runName': 'z' } })],
    ],
    [
      'a deleted run takes nothing',
      [done(verb('delete run')), [log({ tags: { t: 'x' } }), 'is deleted'], seen({ deleted: true })],
    ],
    ['a deleted experiment deletes its runs', [done({ verb: 'delete experiment' }), seen({ deleted: true })]],
    ['what was left open may have happened', [[log({ params: { p: '1' } }), unknown], seen({ params: { p: '1' } })]],
  ])('is explained: %s', (_, steps) => {
    expect(isExplained(...steps)).toBe(true);
  });

  test.each<[string, (readonly [RunInput, RunOutput | typeof unknown])[]]>([
    ['a param changes', [done(log({ params: { p: '1' } })), done(log({ params: { p: '2' } }))]],
    [
      'another value is named',
      [done(log({ params: { p: '1' } })), [log({ params: { p: '2' } }), { unlike: { p: '3' } }]],
    ],
    ['a deleted run takes a tag', [done(verb('delete run')), done(log({ tags: { t: 'x' } }))]],
    [
      'a restored run refuses',
      [done(verb('delete run')), done(verb('restore run')), [log({ tags: { t: 'x' } }), 'is deleted']],
    ],
    ['a write is lost', [done(log({ params: { p: '1' } })), seen({})]],
    [
      'a refused batch leaves a tag',
      [
        done(log({ params: { p: '1' } })),
        [log({ params: { p: '2' }, tags: { t: 'x' } }), { unlike: { p: '1' } }],
        seen({ params: { p: '1' }, tags: { ...run.tags, t: 'x' } }),
      ],
    ],
    [
      'a batch is there in part',
      [[log({ params: { p: '1' }, tags: { t: 'x' } }), unknown], seen({ params: { p: '1' } })],
    ],
    [
      'a smaller point is the latest',
      [
        done(log({ metrics: [{ key: 'm', ...point, step: 2 }] })),
        done(log({ metrics: [{ key: 'm', ...point, value: 9 }] })),
        seen({ latest: { m: { ...point, value: 9 } } }),
      ],
    ],
    ['a name and its tag differ', [done(log({ tags: { 'mlflow.runName': 'z' } })), seen({ name: 'z' })]],
    ['a run of a deleted experiment is active', [done({ verb: 'delete experiment' }), seen({})]],
    [
      'a deleted experiment takes a run',
      [done({ verb: 'delete experiment' }), [{ verb: 'create run', name: 'o', tags: {} }, { created: 's' }]],
    ],
    ['an id is given twice', [[{ verb: 'create run', name: 'o', tags: {} }, { created: 'r' }]]],
    ['a created run is not found', [[{ verb: 'search runs' }, { runs: {} }]]],
  ])('is not explained: %s', (_, steps) => {
    expect(isExplained(...steps)).toBe(false);
  });

  test('that contradicts itself is cut to what contradicts', () => {
    const history = inTurn<RunInput, RunOutput>(
      created,
      done(log({ tags: { t: 'x' } })),
      seen({ tags: { ...run.tags, t: 'x' } }),
      done(log({ params: { p: '1' } })),
      done(log({ params: { p: '2' } })),
      seen({ tags: { ...run.tags, t: 'x' }, params: { p: '2' } }),
    );
    const firm = contradiction(runModel, history, changesNoRun).filter(isCertain);
    expect(firm.map(({ input }) => input)).toEqual([log({ params: { p: '1' } }), log({ params: { p: '2' } })]);
  });
});

describe('a history of names', () => {
  const isExplained = (...steps: readonly (readonly [NameInput, NameOutput])[]): boolean =>
    explain(nameModel, inTurn<NameInput, NameOutput>(...steps)) !== undefined;
  const create = (name: string, created: string): readonly [NameInput, NameOutput] => [
    { verb: 'create', name },
    { created },
  ];

  test.each<[string, boolean, (readonly [NameInput, NameOutput])[]]>([
    ['a name is taken', true, [create('a', '1'), [{ verb: 'create', name: 'a' }, 'taken']]],
    ['a name is given twice', false, [create('a', '1'), create('a', '2')]],
    ['an id is given twice', false, [create('a', '1'), create('b', '1')]],
    ['a free name is refused', false, [[{ verb: 'create', name: 'a' }, 'taken']]],
    [
      'a renamed experiment frees its name',
      true,
      [create('a', '1'), [{ verb: 'rename', id: '1', name: 'b' }, 'done'], create('a', '2')],
    ],
    [
      'a renamed experiment has both names',
      false,
      [
        create('a', '1'),
        [{ verb: 'rename', id: '1', name: 'b' }, 'done'],
        [
          { verb: 'find', name: 'a' },
          { id: '1', deleted: false },
        ],
      ],
    ],
    [
      'a deleted experiment keeps its name',
      true,
      [
        create('a', '1'),
        [{ verb: 'delete', id: '1' }, 'done'],
        [{ verb: 'create', name: 'a' }, 'taken'],
        [{ verb: 'rename', id: '1', name: 'b' }, 'is deleted'],
      ],
    ],
    [
      'it is deleted twice',
      false,
      [create('a', '1'), [{ verb: 'delete', id: '1' }, 'done'], [{ verb: 'delete', id: '1' }, 'done']],
    ],
  ])('where %s: explained is %s', (_, explained, steps) => {
    expect(isExplained(...steps)).toBe(explained);
  });
});
