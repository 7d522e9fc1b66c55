import { expect, test } from 'vitest';
import { writeZip, type ZipMember } from '../../src/artifacts/zip-writer.ts';
import { readZip } from './zip-reader.ts';

async function zipOf(members: Iterable<ZipMember>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const all = async function* (): AsyncGenerator<ZipMember> {
    yield* members;
  };
  await writeZip(all(), async (piece) => void pieces.push(Buffer.from(piece)));
  return Buffer.concat(pieces);
}

function member(name: string, content: string, size = content.length): ZipMember {
  return { name, size, modifiedMs: Date.UTC(2026, 10, 21), sendTo: (take) => take(Buffer.from(content)) };
}

test('more members than 16 bits can count are all there', async () => {
  const names = Array.from({ length: 66_000 }, (_, index) => `f/${index}`);
  const zip = readZip(await zipOf(names.map((name) => member(name, ''))));
  expect([...zip.keys()]).toEqual(names);
});

test('a member that may pass 32 bits has its sizes in 64', async () => {
  const zip = await zipOf([member('large', 'its content', 5 * 2 ** 30), member('next', 'x')]);
  // The local header of the first one: version 4.5, sizes to be found in the extra field, which has its own mark.
  expect(zip.readUInt16LE(4)).toBe(45);
  expect(zip.readUInt32LE(18)).toBe(0xffff_ffff);
  expect(zip.readUInt16LE(30 + 'large'.length)).toBe(0x0001);
  const second = zip.indexOf(Buffer.from([0x50, 0x4b, 3, 4]), 4);
  // Behind the content: a mark, a checksum and two sizes of eight bytes.
  expect(zip.readUInt32LE(second - 24)).toBe(0x08074b50);
  expect(Number(zip.readBigUInt64LE(second - 8))).toBe('its content'.length);
});

test('a receiver that fails ends the making, and the member that was being read is told', async () => {
  let heard: unknown;
  const endless: ZipMember = {
    ...member('endless', ''),
    async sendTo(take) {
      try {
        for (;;) await take(Buffer.alloc(1_000_000, Math.random().toString()));
      } catch (error) {
        heard = error;
        throw error;
      }
    },
  };
  const all = async function* (): AsyncGenerator<ZipMember> {
    yield endless;
  };
  let taken = 0;
  const failing = writeZip(all(), async (piece) => {
    taken += piece.byteLength;
    if (taken > 10_000) throw new Error('the client went away');
  });
  await expect(failing).rejects.toThrow('went away');
  expect(heard).toBeInstanceOf(Error);
});
