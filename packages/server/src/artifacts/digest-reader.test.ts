import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { filePath } from '../artifact-store/artifact-path.ts';
import type { OpenArtifact, ReadableArtifacts } from '../artifact-store/artifact-store.ts';
import { createDigestReader } from './digest-reader.ts';

const path = filePath('file');
const wanted = { version: 'v1', algorithm: 'sha-256' } as const;
const digest = `sha-256=:${createHash('sha256').update('content').digest('base64')}:`;

/** A store whose file hands over its bytes when it is told to. */
function slowFiles(version = 'v1') {
  const waiting: (() => void)[] = [];
  const file: OpenArtifact = {
    ...{ size: 7, modifiedMs: 0, version },
    async sendTo(take) {
      await new Promise<void>((resolve) => waiting.push(resolve));
      await take(Buffer.from('content'));
    },
    close: async () => undefined,
  };
  return { files: { open: async () => file } as unknown as ReadableArtifacts, waiting };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

test('one file is read at a time, whoever asks', async () => {
  const readDigest = createDigestReader();
  const { files, waiting } = slowFiles();
  const asked = Array.from({ length: 5 }, () => readDigest(files, path, wanted));
  for (let read = 1; read <= 5; read++) {
    await turns();
    expect(waiting).toHaveLength(read);
    waiting.at(-1)?.();
  }
  expect(await Promise.all(asked)).toEqual(Array(5).fill(digest));
});

test('who has waited too long gets none, also where the store stands still; others get theirs afterwards', async () => {
  const readDigest = createDigestReader(20);
  const { files, waiting } = slowFiles();
  const [standing, behind] = [readDigest(files, path, wanted), readDigest(files, path, wanted)];
  // Timers of this kind keep no process alive; the test has to.
  const alive = setInterval(() => undefined, 1_000);
  expect(await standing).toBeUndefined();
  expect(await behind).toBeUndefined();
  clearInterval(alive);
  waiting[0]?.();
  await turns();
  expect(waiting, 'nothing is read for who has gone on').toHaveLength(1);
  const next = readDigest(files, path, wanted);
  await turns();
  waiting[1]?.();
  expect(await next).toBe(digest);
});

test('a file that is another one by now has no digest to tell', async () => {
  const { files, waiting } = slowFiles('v2');
  expect(await createDigestReader()(files, path, wanted)).toBeUndefined();
  expect(waiting).toHaveLength(0);
});
