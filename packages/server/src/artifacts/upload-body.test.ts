import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { wholeBody } from './upload-body.ts';

interface Counted extends AsyncIterable<Uint8Array> {
  taken: number;
}

function chunks(count: number, failure?: Error): Counted {
  const counted = {
    taken: 0,
    async *[Symbol.asyncIterator]() {
      for (; counted.taken < count;) {
        counted.taken += 1;
        yield Buffer.from('0123456789');
      }
      if (failure !== undefined) throw failure;
    },
  };
  return counted;
}

const open = { length: undefined, maxBytes: undefined };

test('passes on what arrives', async () => {
  expect(await buffer(wholeBody({ ...open, content: chunks(3) }))).toHaveLength(30);
  expect(await buffer(wholeBody({ content: chunks(3), length: 30, maxBytes: 30 }))).toHaveLength(30);
});

test.each([20, 31, 40])('fails where %i bytes were announced and 30 arrive', async (length) => {
  await expect(buffer(wholeBody({ ...open, content: chunks(3), length }))).rejects.toMatchObject({
    errorCode: 'BAD_REQUEST',
    message: 'The upload ended before all of its bytes had arrived; nothing was stored',
  });
});

test('says that the client stopped where the connection fails', async () => {
  const cause = new Error('aborted');
  await expect(buffer(wholeBody({ ...open, content: chunks(1, cause) }))).rejects.toMatchObject({
    errorCode: 'BAD_REQUEST',
    cause,
  });
});

test('takes nothing of a body that announces too much, and no more than a chunk too much of another', async () => {
  const announced = chunks(100);
  await expect(buffer(wholeBody({ content: announced, length: 1000, maxBytes: 35 }))).rejects.toMatchObject({
    status: 413,
  });
  expect(announced.taken).toBe(0);
  const endless = chunks(100);
  await expect(buffer(wholeBody({ content: endless, length: undefined, maxBytes: 35 }))).rejects.toMatchObject({
    status: 413,
  });
  expect(endless.taken).toBe(4);
});
