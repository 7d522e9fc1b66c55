import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { createRequestIds } from './request-id.ts';

const idsFor = (...given: (string | string[] | undefined)[]): string[] => {
  const idOf = createRequestIds();
  return given.map((id) => idOf({ headers: { 'x-request-id': id } } as unknown as IncomingMessage));
};

test('a request keeps the id that it brings along', () => {
  const ids = [
    'a',
    '7b1f0c1e-5d5e-4a40-8b1c-3a1c9b1f2a10',
    'Root=1-67891233-abcdef012345678912345678',
    'x'.repeat(128),
  ];
  expect(idsFor(...ids)).toEqual(ids);
});

test.each([
  ['none', undefined],
  ['an empty one', ''],
  ['a long one', 'x'.repeat(129)],
  ['one with blanks', 'a b'],
  ['two in one header', 'a, b'],
  ['two headers', ['a', 'b']],
  ['one with a line break', 'a\nb'],
  ['one with quotes', '"a"'],
  ['markup', '<b>'],
  ['letters beyond ASCII', 'ä'],
])('%s is replaced by a number of the server’s own', (_, given) => {
  expect(idsFor(given, given)).toEqual(['req-1', 'req-2']);
});
