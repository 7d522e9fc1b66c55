import { posix, win32 } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLayer, filePath, folderPath, joinPaths, rootPath } from './artifact-path.ts';

/** Texts made of what attacks are made of, wrapped in up to three layers of percent-encoding. */
const pieces = fc.constantFrom(
  ...[
    '..',
    '.',
    './',
    '/',
    '\\',
    '%',
    '2e',
    '2f',
    '5c',
    '25',
    '%2e',
    '%2E',
    '%2f',
    '%5C',
    '%00',
    '%252e',
    '%25',
    'a',
    'C:',
  ],
  ...['file:', '~', '#', '?', ';', ' ', '\0', '\n', '…', '．．', 'ü', '\u{1F600}', '\uD800', 'c0%ae', '%c0%ae'],
);
const hostile = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''));
const wrapped = fc
  .tuple(hostile, fc.nat(3))
  .map(([text, layers]) => (text.isWellFormed() ? encodeTimes(text, layers) : text));
const anyName = fc.oneof(hostile, wrapped, fc.string({ unit: 'binary', maxLength: 40 }));

function encodeTimes(text: string, layers: number): string {
  return layers === 0 ? text : encodeTimes(encodeURIComponent(text), layers - 1);
}

function layersOf(path: string): string[] {
  const layers = [path];
  for (let count = 0; count < 12; count += 1) layers.push(decodeLayer(layers.at(-1) ?? ''));
  return layers;
}

function checkedOrUndefined(name: string): string | undefined {
  try {
    return folderPath(name);
  } catch {
    return undefined;
  }
}

describe('the artifact path checker', () => {
  test('lets nothing pass that resolves outside of its folder, now or after any further decoding', () => {
    let passed = 0;
    fc.assert(
      fc.property(anyName, (name) => {
        const path = checkedOrUndefined(name);
        if (path === undefined) return true;
        passed += 1;
        return layersOf(path).every(
          (layer) =>
            `${posix.resolve('/root/of/all', layer)}/`.startsWith('/root/of/all/') &&
            `${win32.resolve('X:\\root', layer)}\\`.startsWith('X:\\root\\') &&
            !path.includes('\0'),
        );
      }),
      { numRuns: 10_000 },
    );
    expect(passed).toBeGreaterThan(1_000);
  });

  test('gives one file one name: what passes is canonical and passes again unchanged', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const path = checkedOrUndefined(name);
        return path === undefined || (folderPath(path) === path && (path === '' || posix.normalize(path) === path));
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ['../secret', "'..'"],
    ['a/../../secret', "'..'"],
    ['a/..', "'..'"],
    ['..', "'..'"],
    ['%2e%2e/secret', "'..'"],
    ['%252e%252e%252fsecret', "'..'"],
    ['%2525252e%2525252e/secret', "'..'"],
    ['.%2e/secret', "'..'"],
    ['..%2fsecret', "'..'"],
    ['/etc/passwd', 'relative'],
    ['//etc/passwd', 'relative'],
    ['%2fetc%2fpasswd', 'relative'],
    ['C:/Windows', 'drive'],
    ['C:Windows', 'drive'],
    ['c%3a/Windows', 'drive'],
    ['..\\secret', 'backslash'],
    ['a\\b', 'backslash'],
    ['..%5csecret', "'..'"],
    ['%5c%5chost%5cshare', 'relative'],
    ['\\\\host\\share', 'backslash'],
    ['file:///etc/passwd', 'file:'],
    ['file:etc', 'file:'],
    ['FILE%3a%2f%2fetc', 'file:'],
    ['a\0b', 'control'],
    ['a\nb', 'control'],
    ['a\x7fb', 'control'],
    ['a\uD800b', 'Unicode'],
    ['./C:/Windows', 'drive'],
    ['.//./file:x', 'file:'],
    [`%${'25'.repeat(12)}41`, 'too many times'],
  ])('refuses %j', (name, rule) => {
    expect(() => folderPath(name)).toThrow(/^Invalid path: /);
    expect(() => folderPath(name)).toThrow(rule);
    expect(() => filePath(name)).toThrow(rule);
  });

  test.each([
    '50% off',
    '100%',
    '%zz',
    'a#b',
    'a?b',
    'a;b',
    'a..b',
    '...',
    '..a/b..',
    '~root',
    'ü/日本',
    'ab:c',
    'a%00b',
    'a%5cb',
    'sample%step%1%timestamp%1795.png',
    '%41',
    '%C3%BC',
    'ünï',
    '.hidden',
  ])('keeps %j as it stands', (name) => {
    expect(filePath(name)).toBe(name);
  });

  test('refuses more than 2048 characters', () => {
    expect(folderPath('x'.repeat(2048))).toHaveLength(2048);
    expect(() => folderPath('x'.repeat(2049))).toThrow('longer than 2048 characters');
  });

  test('refuses more than 256 segments', () => {
    expect(folderPath(Array(256).fill('d').join('/'))).toHaveLength(511);
    expect(() => folderPath(Array(257).fill('d').join('/'))).toThrow('deeper than 256 folders');
  });

  test('drops empty and dot segments', () => {
    expect(folderPath('a//b/./c/')).toBe('a/b/c');
    expect(folderPath('.')).toBe('');
    expect(folderPath('./d')).toBe('d');
  });

  test.each(['', '.', './', 'a/', 'a/b/'])('does not take %j for a file', (name) => {
    expect(() => filePath(name)).toThrow('must include a filename');
  });

  test('joins paths', () => {
    expect(joinPaths(rootPath, folderPath('a'))).toBe('a');
    expect(joinPaths(folderPath('a'), rootPath)).toBe('a');
    expect(joinPaths(folderPath('a/b'), folderPath('c'))).toBe('a/b/c');
  });
});
