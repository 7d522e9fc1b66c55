import { expect, test } from 'vitest';
import { partsOf } from './upload-parts.ts';

const mebibyte = 2 ** 20;

async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) yield new Uint8Array(mebibyte).fill(index);
}

async function sizesOf(parts: AsyncIterable<Buffer>): Promise<number[]> {
  const sizes: number[] = [];
  for await (const part of parts) sizes.push(part.byteLength);
  return sizes;
}

test('content is cut into parts of 8 MiB and a rest, whether its length is known or not', async () => {
  for (const expected of [undefined, 20 * mebibyte]) {
    expect(await sizesOf(partsOf(pieces(20), expected))).toEqual([8, 8, 4].map((size) => size * mebibyte));
  }
  expect(await sizesOf(partsOf(pieces(0), 0))).toEqual([0]);
});

test('parts grow where ten thousand of them would not do', async () => {
  expect(await sizesOf(partsOf(pieces(20), 90_000 * mebibyte))).toEqual([9, 9, 2].map((size) => size * mebibyte));
});

test('nothing is set aside for a file that no object store takes', async () => {
  await expect(sizesOf(partsOf(pieces(1), Number.MAX_SAFE_INTEGER))).rejects.toThrow('5497558138880 at most');
});
