import fc from 'fast-check';
import { compileReader, contract, MlflowError, readJson } from '@lazuli/contract';
import { expect, test } from 'vitest';
import { packMetrics, readBatch } from './read-batch.ts';

const readInput = compileReader(contract.runs.logBatch.input);

/** Values that are right, nearly right, and wrong, for any field. */
const anyValue = fc.oneof(
  fc.constantFrom<unknown>('loss', 'a/b', '', 'NaN', 'Infinity', '-Infinity', '7', '1.5', null, true, [], {}),
  fc.constantFrom<unknown>(0, 1, -1, 1.5, 1e300, 2 ** 53, -0, 9007199254740993n, 2n ** 63n),
  fc.double(),
);
const oddField = (usual: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: anyValue });

const metric = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record(
      {
        key: oddField(fc.constantFrom('loss', 'acc', 'a/b', 'x.y')),
        value: oddField(fc.double({ noNaN: true, noDefaultInfinity: true })),
        timestamp: oddField(fc.nat()),
        step: oddField(fc.integer()),
        run_id: oddField(fc.constant('abc')),
        model_id: fc.constantFrom('', undefined),
        modelId: fc.constantFrom('', undefined),
        unknown: anyValue,
      },
      { requiredKeys: ['key', 'value', 'timestamp'] },
    ),
  },
  { weight: 1, arbitrary: anyValue },
);

const body = fc.record(
  {
    run_id: oddField(fc.constantFrom('abc', 'run-1')),
    metrics: oddField(fc.array(metric, { maxLength: 5 })),
    params: oddField(
      fc.array(fc.record({ key: fc.constantFrom('p', 'q'), value: oddField(fc.string()) }), { maxLength: 3 }),
    ),
    tags: oddField(
      fc.array(fc.record({ key: fc.constantFrom('t', 'u'), value: oddField(fc.string()) }), { maxLength: 3 }),
    ),
  },
  { requiredKeys: ['run_id'] },
);

/** JSON with bigints written as the numbers that they are. */
function toJson(value: unknown): string {
  const marked = JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `bigint:${item}` : item));
  return marked.replace(/"bigint:(-?\d+)"/g, '$1');
}

function outcomeOf<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof MlflowError) return error.errorCode;
    throw error;
  }
}

test('the packing reader of log-batch takes what the schema takes, and packs the same points', () => {
  let accepted = 0;
  fc.assert(
    fc.property(body, (given) => {
      const text = toJson(given);
      const bySchema = outcomeOf(() => packMetrics(readJson(readInput, text).metrics ?? []));
      const packed = outcomeOf(() => readBatch(text));
      // Rules beyond the schema (keys, counts, timestamps, duplicates) may refuse what the schema takes.
      if (typeof packed === 'string') return;
      accepted++;
      expect(bySchema).toEqual(packed.metrics);
    }),
    { numRuns: 2_000 },
  );
  expect(accepted).toBeGreaterThan(200);
});

test('what the schema refuses the packing reader refuses with the same words', () => {
  let refused = 0;
  fc.assert(
    fc.property(body, (given) => {
      const text = toJson(given);
      const message = messageOf(() => readJson(readInput, text));
      if (message === undefined) return;
      refused++;
      expect(messageOf(() => readBatch(text))).toBe(message);
    }),
    { numRuns: 2_000 },
  );
  expect(refused).toBeGreaterThan(200);
});

function messageOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test('a step beyond 53 bits is read from its digits', () => {
  const { metrics } = readBatch(
    '{"run_id":"a","metrics":[{"key":"k","value":1,"timestamp":9007199254740993,"step":-9223372036854775808}]}',
  );
  expect(metrics.timestamps).toEqual([9007199254740993n]);
  expect(metrics.steps).toEqual([-9223372036854775808n]);
});

test('infinities become the largest doubles, and NaN stays', () => {
  const points = ['Infinity', '-Infinity', 'NaN'].map((value) => ({ key: 'k', value, timestamp: 1 }));
  const { metrics } = readBatch(JSON.stringify({ run_id: 'a', metrics: points }));
  expect(metrics.values).toEqual([Number.MAX_VALUE, -Number.MAX_VALUE, NaN]);
});
