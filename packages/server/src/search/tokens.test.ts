import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tokenize } from './tokens.ts';

const words = (text: string) => tokenize(text).map(({ kind, raw }) => [kind, raw]);

describe('tokens', () => {
  test('a name is parted at its first dot and keeps the others', () => {
    const [name] = tokenize('metrics.val.loss.2 > 1');
    expect(name).toMatchObject({ kind: 'name', entity: 'metrics', value: 'val.loss.2', isQuoted: false });
  });

  test.each([
    ['params.`a b`', 'a b'],
    ['params."a b"', 'a b'],
    ["params.'a b'", 'a b'],
    ['`params`.`val/loss`', 'val/loss'],
    ['params.`a``b`', 'a`b'],
    ['params."a.b"', 'a.b'],
  ])('the key of %s is %s', (text, key) => {
    expect(tokenize(text)[0]).toMatchObject({ kind: 'name', entity: 'params', value: key, isQuoted: true });
  });

  test.each([
    [`'it''s'`, "it's"],
    [`"it's"`, "it's"],
    [`"say ""x"""`, 'say "x"'],
    [`'C:\\'`, 'C:\\'],
    [`'a\\nb'`, 'a\\nb'],
    [`''`, ''],
  ])('the text %s stands for %s: a doubled quote is one, a backslash is itself', (text, value) => {
    const [token, end] = tokenize(text);
    expect(token).toMatchObject({ kind: 'text', value });
    expect(end?.kind).toBe('end');
  });

  test.each(['1', '-1', '.5', '-.5', '1.', '1e0', '1E-7', '1.5e+3'])('%s is a number', (text) => {
    expect(words(text)[0]).toEqual(['number', text]);
  });

  test.each(['1_0', '0x1', '1e', '1.2.3'])('%s is no number, but one word', (text) => {
    expect(words(text)).toEqual([
      ['name', text],
      ['end', ''],
    ]);
  });

  test('operators need no blanks around them', () => {
    expect(words("a>=1 b!='x'")).toEqual([
      ['name', 'a'],
      ['operator', '>='],
      ['number', '1'],
      ['name', 'b'],
      ['operator', '!='],
      ['text', "'x'"],
      ['end', ''],
    ]);
  });

  test('a character beyond the basic plane is one token', () => {
    expect(words('😀')).toEqual([
      ['other', '😀'],
      ['end', ''],
    ]);
  });

  test('a quote that is never closed is refused where it opens', () => {
    expect(() => tokenize("params.p = 'abc")).toThrow(/never closed \(position 12\)/);
  });

  test('tokens cover all of the text but blanks, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('ab.1-e \t=<>!(),\'"`%_ü日😀;')) }), (text) => {
        let tokens;
        try {
          tokens = tokenize(text);
        } catch {
          return;
        }
        let at = 0;
        for (const token of tokens) {
          expect(text.slice(at, token.start).trim()).toBe('');
          expect(text.slice(token.start, token.end)).toBe(token.raw);
          at = token.end;
        }
        expect(at).toBe(text.length);
      }),
    );
  });

  test('time grows with the length of a hostile text and no faster', () => {
    for (const piece of ["'", '`', '"', '.', '1e', '-', '(', 'a.', "''", '=', '1.', 'a"']) {
      const started = process.cpuUsage();
      try {
        tokenize(piece.repeat(100_000));
      } catch {
        // Refused is as good as read.
      }
      expect(process.cpuUsage(started).user).toBeLessThan(3_000_000);
    }
  });
});
