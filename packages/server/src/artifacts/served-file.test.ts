import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contentDisposition } from '../artifact-store/content-disposition.ts';
import { servedFileHeaders } from './served-file.ts';

describe('the name of a download', () => {
  test('is always one header of printable ASCII, from which the exact name can be read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(name.isWellFormed());
        const header = contentDisposition(name);
        const [, plain, extended] =
          /^attachment; filename=(?:([A-Za-z0-9._-]+)|"[^"\\%]*"; filename\*=UTF-8''([A-Za-z0-9!~%._-]+))$/.exec(
            header,
          ) ?? [];
        return /^[\x20-\x7e]+$/.test(header) && (plain ?? decodeURIComponent(extended ?? '')) === name;
      }),
    );
  });

  test.each([
    ['a.txt', 'attachment; filename=a.txt'],
    ['sp ace é.txt', `attachment; filename="sp ace _.txt"; filename*=UTF-8''sp%20ace%20%C3%A9.txt`],
    ['100%.txt', `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`],
  ])('%s', (name, header) => {
    expect(contentDisposition(name)).toBe(header);
  });
});

describe('the type of a download', () => {
  test.each([
    ['d/a.png', 'image/png'],
    ['a.JPG', 'image/jpeg'],
    ['MLmodel', 'text/plain; charset=utf-8'],
    ['metrics.JSON', 'text/plain; charset=utf-8'],
    ['conda.yaml', 'text/plain; charset=utf-8'],
    ['model.pkl', 'application/octet-stream'],
    ['constructor', 'application/octet-stream'],
    ['a.svg', 'text/plain; charset=utf-8'],
    ['a.html', 'text/plain; charset=utf-8'],
  ])('of %s is %s', (path, type) => {
    expect(servedFileHeaders(path)['content-type']).toBe(type);
  });
});
