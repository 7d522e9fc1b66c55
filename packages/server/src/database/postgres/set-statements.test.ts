import { describe, expect, test } from 'vitest';
import type { ColumnValue, SetWrite } from '../engine.ts';
import { columnArrays, removeText, requirementText, selectText, updateText, writeText } from './set-statements.ts';

describe('arrays', () => {
  test.each([
    ['nothing', '', '""'],
    ['a quote', 'say "x"', '"say \\"x\\""'],
    ['a backslash', 'C:\\', '"C:\\\\"'],
    ['braces and commas', '{a,b}', '"{a,b}"'],
    ['the word for no value', 'NULL', '"NULL"'],
    ['blanks', ' a\n\t', '" a\n\t"'],
    ['letters of any script', 'é日😀', '"é日😀"'],
  ])('quote a text of %s', (_, text, element) => {
    expect(columnArrays({ t: 'text' }, [[text], [null]])).toEqual([`{${element},NULL}`]);
  });

  test('hold numbers as PostgreSQL itself does: behind a header, each behind its length', () => {
    const elements = (type: 'int64' | 'double', values: readonly ColumnValue[]): (number | bigint | null)[] => {
      const [array] = columnArrays(
        { value: type },
        values.map((value) => [value]),
      ) as [Buffer];
      expect([0, 4, 8, 12, 16].map((at) => array.readInt32BE(at))).toEqual([
        ...[1, 1, type === 'double' ? 701 : 20, values.length, 1],
      ]);
      let at = 20;
      const read = values.map(() => {
        const length = array.readInt32BE(at);
        at += 4 + Math.max(length, 0);
        if (length === -1) return null;
        expect(length).toBe(8);
        return type === 'double' ? array.readDoubleBE(at - 8) : array.readBigInt64BE(at - 8);
      });
      expect(at).toBe(array.length);
      return read;
    };
    const doubles = [0.1, 1e21, 5e-324, Number.MAX_VALUE, -0, Infinity, -Infinity, NaN, null];
    expect(elements('double', doubles)).toEqual(doubles);
    const integers = [
      9007199254740993n,
      -(2n ** 63n),
      2n ** 63n - 1n,
      0,
      -1,
      2 ** 32,
      -(2 ** 32) - 1,
      2 ** 53 - 1,
      null,
    ];
    expect(elements('int64', integers)).toEqual(integers.map((value) => (value === null ? null : BigInt(value))));
  });

  test('are one a column, in the order of the columns', () => {
    const arrays = columnArrays({ a: 'int64', b: 'text', c: 'text' }, [
      [1, 'x', null],
      [2, 'y', 'z'],
    ]);
    expect(arrays).toEqual([expect.any(Buffer), '{"x","y"}', '{NULL,"z"}']);
    expect(columnArrays({ b: 'text' }, [])).toEqual(['{}']);
  });

  test('do not take what only the other engine writes', () => {
    expect(() => columnArrays({ b: 'blob' }, [[new Uint8Array(1)]])).toThrow('Sets with blobs');
  });
});

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');
const params: SetWrite = { table: 'run_params', columns: { run_key: 'int64', key: 'text', value: 'text' } };
const rows = 'insert into run_params (run_key, key, value) select * from unnest($4::bigint[], $5::text[], $6::text[])';

describe('a statement for a set of rows', () => {
  test.each<[string, SetWrite['conflict'], string]>([
    ['only adds', undefined, rows],
    ['keeps what is there', { key: ['run_key', 'key'] }, `${rows} on conflict (run_key, key) do nothing`],
    [
      'replaces what is there',
      { key: ['run_key', 'key'], replace: ['value'] },
      `${rows} on conflict (run_key, key) do update set value = excluded.value`,
    ],
    [
      'replaces what is older',
      { key: ['run_key'], replace: ['value'], newerBy: ['key', 'value'] },
      `${rows} on conflict (run_key) do update set value = excluded.value where (excluded.key, excluded.value) > (run_params.key, run_params.value)`,
    ],
    [
      'gives back the rows that are there and equal',
      { key: ['run_key', 'key'], equal: ['value'] },
      `${rows} on conflict (run_key, key) do update set value = run_params.value where run_params.value = excluded.value returning 1`,
    ],
  ])('%s', (_, conflict, text) => {
    expect(oneLine(writeText({ ...params, ...(conflict === undefined ? {} : { conflict }) }, 4))).toBe(text);
  });

  test('numbers its parameters from where the caller says', () => {
    const by = { workspace_id: 'int64', run_key: 'int64' } as const;
    expect(oneLine(updateText({ table: 'runs', by, set: { status: 'text' } }, 3))).toBe(
      'update runs t set status = k.status from unnest($3::bigint[], $4::bigint[], $5::text[]) as k(workspace_id, run_key, status) where t.workspace_id = k.workspace_id and t.run_key = k.run_key',
    );
    expect(oneLine(removeText({ table: 'runs', by }, 2))).toBe(
      'delete from runs t using unnest($2::bigint[], $3::bigint[]) as k(workspace_id, run_key) where t.workspace_id = k.workspace_id and t.run_key = k.run_key',
    );
  });

  test('locks rows in the order of their keys, and only where it is to decide on them', () => {
    const by = { run_key: 'int64' } as const;
    const select = { table: 'runs', by, columns: ['status'], lockedBy: 'run_key' } as const;
    expect(selectText(select, true)).toMatch(/ order by t\.run_key for no key update of t$/);
    expect(selectText(select, false)).not.toContain('for ');
    const required = requirementText({ table: 'runs', by, holds: { status: "it's" } }, 1, 'share');
    expect(oneLine(required)).toMatch(/ where t\.status = 'it''s' order by t\.run_key for share of t$/);
  });
});
