import { describe, expect, test } from 'vitest';
import { formatResult, type Format } from './formats.ts';

const items = [
  { run_id: 'a', loss: 0.5, tags: [{ key: 'x' }], note: 'two\nlines' },
  { run_id: 'bcd', loss: Number.NaN, tags: [], note: 'a\ttab' },
];
const as = (format: Format, value: unknown = items, query?: string) =>
  formatResult(value, { format, colours: true, ...(query === undefined ? {} : { query }) });

describe('a result', () => {
  test('is JSON, a string quoted, so that other programs can read it', () => {
    expect(as('json', 'azureml://x')).toBe('"azureml://x"');
    expect(JSON.parse(as('json') ?? '')).toMatchObject([{ loss: 0.5 }, { loss: 'NaN' }]);
    expect(as('json', { big: 9_007_199_254_740_993n, small: 3n })).toBe(
      '{\n  "big": "9007199254740993",\n  "small": 3\n}',
    );
    expect(as('json', items, '[5].run_id')).toBe('null');
  });

  test('is coloured where colours are seen', () => {
    expect(as('jsonc', { a: 'b:' })).toBe('{\n  \u001b[34m"a"\u001b[0m: \u001b[33m"b:"\u001b[0m\n}');
    expect(formatResult({ a: 1 }, { format: 'jsonc', colours: false })).toBe('{\n  "a": 1\n}');
  });

  test('has a line an item and a tab between fields, whatever a field contains', () => {
    expect(as('tsv')).toBe('a\t0.5\t\ttwo lines\nbcd\tNaN\t\ta tab');
    expect(as('tsv', items, '[].[loss, run_id]')).toBe('0.5\ta\nNaN\tbcd');
    expect(as('tsv', 'x')).toBe('x');
    expect(as('tsv', [])).toBeUndefined();
  });

  test('is a table of what fits into cells', () => {
    expect(as('table')).toBe('RunId  Loss  Note\n-----  ----  ---------\na      0.5   two lines\nbcd    NaN   a tab');
    expect(as('table', items, '[].{Run: run_id}')).toBe('Run\n---\na\nbcd');
    expect(as('table', [])).toBeUndefined();
  });

  test('is YAML, or nothing', () => {
    expect(as('yaml', { a: [1] })).toBe('a:\n  - 1');
    expect(as('none')).toBeUndefined();
  });
});
