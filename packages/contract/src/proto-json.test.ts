import fc from 'fast-check';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { compileAnswerReader, compileReader, compileWriter, parseJson, readJson, readQuery } from './proto-json.ts';
import { Double, Flag, Int32, Int64, List, ProtoEnum, Text, TextMap } from './scalars.ts';

const Everything = Type.Object({
  some_text: Type.Optional(Text()),
  big_number: Type.Optional(Int64()),
  small_number: Type.Optional(Int32()),
  real_number: Type.Optional(Double()),
  is_set: Type.Optional(Flag()),
  some_color: Type.Optional(ProtoEnum({ RED: 1, GREEN: 2 })),
  text_list: Type.Optional(List(Text())),
  some_map: Type.Optional(TextMap()),
  inner: Type.Optional(Type.Object({ deep_text: Text() })),
  inner_list: Type.Optional(List(Type.Object({ deep_number: Int64() }))),
});
const read = compileReader(Everything);
const write = compileWriter(Everything);
const readText = (text: string) => readJson(read, text);

describe('reading', () => {
  test('both spellings of names are read, at any depth, but never both at once', () => {
    const message = { some_text: 'a', inner: { deep_text: 'b' } };
    expect(readText('{"some_text":"a","inner":{"deep_text":"b"}}')).toEqual(message);
    expect(readText('{"someText":"a","inner":{"deepText":"b"}}')).toEqual(message);
    expect(() => readText('{"someText":"a","some_text":"a"}')).toThrow(
      "Request specifies both 'some_text' and 'someText'; provide only one of them.",
    );
    expect(() => readText('{"inner":{"deepText":"a","deep_text":"a"}}')).toThrow("both 'deep_text' and 'deepText'");
  });

  test('null is absent, also beside the other spelling', () => {
    expect(readText('{"some_text":null,"text_list":null,"inner":null}')).toEqual({});
    expect(readText('null')).toEqual({});
    expect(readText('')).toEqual({});
  });

  test('what is inherited or unknown is no field', () => {
    expect(readText('{"__proto__":{"some_text":"x"},"toString":1,"unknown":[{}]}')).toEqual({});
    expect(Object.getPrototypeOf(readText('{"__proto__":{"x":1}}'))).toBe(Object.prototype);
  });

  test('64-bit integers are exact, as numbers and as text', () => {
    for (const digits of ['0', '-1', '9007199254740991'])
      expect(readText(`{"big_number":${digits}}`).big_number).toBe(Number(digits));
    for (const digits of ['9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808']) {
      expect(readText(`{"big_number":${digits}}`).big_number).toBe(BigInt(digits));
      expect(readText(`{"big_number":"${digits}"}`).big_number).toBe(BigInt(digits));
      expect(readText(`{"inner_list":[{"deep_number":${digits}}]}`).inner_list).toEqual([
        { deep_number: BigInt(digits) },
      ]);
    }
    for (const whole of ['5.0', '1e3', '"1e3"', '"5.0"', '"+5"'])
      expect(typeof readText(`{"big_number":${whole}}`).big_number).toBe('number');
  });

  test('what is no 64-bit integer is refused as the value that it is', () => {
    for (const [given, shown, type] of [
      ['9223372036854775808', '9223372036854775808', 'int'],
      ['-9223372036854775809', '-9223372036854775809', 'int'],
      ['1.5', '1.5', 'float'],
      ['"x"', '"x"', 'str'],
      ['""', '""', 'str'],
      ['true', 'true', 'bool'],
      ['[1]', '[1]', 'list'],
      ['{}', '{}', 'dict'],
      ['"1.5"', '"1.5"', 'str'],
    ] as const) {
      expect(() => readText(`{"big_number":${given}}`)).toThrow(
        `Invalid value ${shown} for parameter 'big_number' supplied:  Hint: Value was of type '${type}'. See the API docs for more information about request parameters.`,
      );
    }
    expect(() => readText('{"big_number":1e300}')).toThrow("for parameter 'big_number' supplied");
  });

  test('an exact integer beside bare NaN, and one in a body that is encoded twice', () => {
    expect(readText('{"big_number":9007199254740993,"real_number":NaN}')).toEqual({
      big_number: 9007199254740993n,
      real_number: NaN,
    });
    expect(readText(JSON.stringify('{"big_number":9007199254740993}'))).toEqual({ big_number: 9007199254740993n });
  });

  test('a 32-bit integer has 32 bits', () => {
    expect(readText('{"small_number":2147483647}').small_number).toBe(2147483647);
    for (const given of ['2147483648', '-2147483649', '9007199254740993']) {
      expect(() => readText(`{"small_number":${given}}`)).toThrow(
        `Invalid value ${given} for parameter 'small_number'`,
      );
    }
  });

  test('doubles may be text, NaN and the infinities', () => {
    for (const [given, value] of [
      ['1.5', 1.5],
      ['"1.5"', 1.5],
      ['" 1 "', 1],
      ['"-.5e1"', -5],
      ['"NaN"', NaN],
      ['NaN', NaN],
      ['-Infinity', -Infinity],
      ['"Infinity"', Infinity],
      ['"-inf"', -Infinity],
      ['1e400', Infinity],
      ['123456789012345678901234567890', 1.2345678901234568e29],
    ] as const) {
      expect(readText(`{"real_number":${given}}`).real_number).toBe(value);
    }
    for (const given of ['"abc"', '"0x10"', '""', 'true', '[]', '"1 2"', '"1e"', '"infinite"']) {
      expect(() => readText(`{"real_number":${given}}`)).toThrow("for parameter 'real_number' supplied");
    }
  });

  test('an enum is its name, its number, or its number as text', () => {
    for (const given of ['"GREEN"', '2', '"2"']) expect(readText(`{"some_color":${given}}`).some_color).toBe('GREEN');
    for (const given of ['"green"', '3', '0', '"3"', '[2]', 'true', '"toString"', '1.5']) {
      expect(() => readText(`{"some_color":${given}}`)).toThrow("for parameter 'some_color' supplied");
    }
  });

  test('a wrong value is named by its place', () => {
    expect(() => readText('{"inner_list":[{"deep_number":1},{"deep_number":"x"}]}')).toThrow(
      "'inner_list[1].deep_number'",
    );
    expect(() => readText('{"inner_list":[5]}')).toThrow("'inner_list[0]'");
    expect(() => readText('{"some_map":{"k":5}}')).toThrow("'some_map.k'");
    expect(() => readText('{"inner":{}}')).toThrow("Missing value for required parameter 'inner.deep_text'.");
  });

  test('a required text of a request must not be empty; of an answer it may be', () => {
    const schema = Type.Object({ name: Text(), kept: Text({ minLength: 0 }) });
    expect(() => compileReader(schema)({ name: '', kept: '' })).toThrow("required parameter 'name'");
    expect(compileReader(schema)({ name: 'a', kept: '' })).toEqual({ name: 'a', kept: '' });
    expect(compileAnswerReader(schema)({ name: '', kept: '' })).toEqual({ name: '', kept: '' });
  });

  test('a query is text: lists are repeated keys, of a repeated scalar the first counts', () => {
    const query = new URLSearchParams(
      'some_text=a&some_text=b&text_list=x&text_list=y&big_number=9007199254740993&is_set=True&__proto__=z',
    );
    expect(readQuery(Everything, read, query)).toEqual({
      some_text: 'a',
      text_list: ['x', 'y'],
      big_number: 9007199254740993n,
      is_set: true,
    });
  });
});

describe('bare literals', () => {
  test('are quoted outside of strings only', () => {
    expect(parseJson('{"a":"NaN \\"NaN\\" Infinity","b":[NaN,-Infinity],"NaN":1}')).toEqual({
      a: 'NaN "NaN" Infinity',
      b: ['NaN', '-Infinity'],
      NaN: 1,
    });
  });

  test('do not make a wrong text right, nor a long one slow', () => {
    expect(() => parseJson('{NaN')).toThrow('Malformed JSON');
    const start = process.cpuUsage();
    expect(() => parseJson(`NaN${'"\\"'.repeat(300_000)}`)).toThrow('Malformed JSON');
    expect(() => parseJson(`NaN"${'\\"'.repeat(1_000_000)}`)).toThrow('Malformed JSON');
    expect(process.cpuUsage(start).user).toBeLessThan(2_000_000);
  });
});

describe('writing', () => {
  test('absent fields and empty lists are left out, an empty text is not', () => {
    expect(write({ some_text: '', text_list: [], inner: { deep_text: '' } })).toBe(
      '{"some_text":"","inner":{"deep_text":""}}',
    );
  });

  test('a required list is written also when it is empty', () => {
    expect(compileWriter(Type.Object({ models: List(Text()) }))({ models: [] })).toBe('{"models":[]}');
  });

  test('integers are all their digits; NaN and the infinities are text', () => {
    expect(write({ big_number: 2n ** 63n - 1n, real_number: NaN })).toBe(
      '{"big_number":9223372036854775807,"real_number":"NaN"}',
    );
    expect(write({ big_number: -(2 ** 63), real_number: -Infinity })).toBe(
      '{"big_number":-9223372036854775808,"real_number":"-Infinity"}',
    );
  });
});

test('what is written is read back as it was', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  });
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
  const message = fc.record(
    {
      some_text: text,
      big_number: int64,
      small_number: fc.integer(),
      real_number: fc.double().map((value) => (value === 0 ? 0 : value)),
      is_set: fc.boolean(),
      some_color: fc.constantFrom('RED' as const, 'GREEN' as const),
      text_list: fc.array(text, { minLength: 1 }),
      inner: fc.record({ deep_text: text }),
      inner_list: fc.array(fc.record({ deep_number: int64 }), { minLength: 1 }),
    },
    { requiredKeys: [] },
  );
  const readAnswer = compileAnswerReader(Everything);
  fc.assert(
    fc.property(message, (given) => {
      expect(readJson(readAnswer, write(given))).toEqual(given);
    }),
  );
});

test('whatever JSON comes in, it is read or refused as a wrong parameter', () => {
  const names = fc.constantFrom(...Object.keys(Everything.properties), 'someText', 'bigNumber', 'deep_number', 'x');
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      fc.json().map((text) => JSON.parse(text) as unknown),
      fc.constantFrom(2 ** 60, 1e300, -(2 ** 63), '1e3', 'NaN', null, 'RED'),
      fc.dictionary(names, tie('value'), { maxKeys: 5 }),
      fc.array(tie('value'), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(names, value), (body) => {
      try {
        readText(JSON.stringify(body));
      } catch (error) {
        expect(error).toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE' });
      }
    }),
  );
});
