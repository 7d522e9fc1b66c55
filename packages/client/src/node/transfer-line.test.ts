import { expect, test } from 'vitest';
import { transferLine } from './transfer-line.ts';

function terminal(isTTY: boolean) {
  const written: string[] = [];
  let time = 0;
  const watch = transferLine({ isTTY, columns: 80, write: (text) => written.push(text) }, () => time);
  return { watch, written, at: (ms: number) => (time = ms) };
}
const cleared = '\r\u001b[K';

test('a transfer that takes a while has a line on a terminal, which goes when it is done', () => {
  const { watch, written, at } = terminal(true);
  const transfer = watch('Downloading', 1);
  transfer?.onProgress({ path: 'a', bytes: 1_000_000, total: 4_000_000 });
  expect(written).toEqual([]);
  at(1_000);
  transfer?.onProgress({ path: 'a', bytes: 2_000_000, total: 4_000_000 });
  at(1_050);
  transfer?.onProgress({ path: 'a', bytes: 3_000_000, total: 4_000_000 });
  expect(written).toEqual([`${cleared}Downloading 2.0 of 4.0 MB [##########          ]`]);
  transfer?.end();
  expect(written.at(-1)).toBe(cleared);
});

test('several files are counted, and transfers that go on at once share the line', () => {
  const { watch, written, at } = terminal(true);
  const up = watch('Uploading', 2);
  const down = watch('Downloading', 1);
  at(2_000);
  up?.onProgress({ path: 'a', bytes: 500_000, total: 500_000 });
  expect(written.at(-1)).toBe(
    `${cleared}Uploading 1 of 2 files, 0.5 MB [##########          ]; Downloading 0.0 of 0.0 M`,
  );
  up?.end();
  expect(written.at(-1)).toBe(`${cleared}Downloading 0.0 of 0.0 MB [                    ]`);
  down?.end();
  expect(written.at(-1)).toBe(cleared);
});

test('where nobody looks nothing is written', () => {
  expect(terminal(false).watch('Uploading', 3)).toBeUndefined();
});
