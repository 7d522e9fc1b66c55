import { crc32, createDeflateRaw } from 'node:zlib';
import type { TakeBytes } from '../artifact-store/artifact-store.ts';

/**
 * Writes a zip archive (PKWARE's APPNOTE 6.3.10) in one pass, at the pace of whoever takes it: each member is deflated on
 * its way, and its checksum and sizes follow it in a data descriptor, because they are known only then. Names are UTF-8.
 * What is too large for the format's 32-bit fields goes into zip64's. All that is kept is the directory, some 50 bytes and
 * a name for each member.
 */
export interface ZipMember {
  readonly name: string;
  readonly modifiedMs: number;
  /** Bytes, as they are expected; those that come are counted. */
  readonly size: number;
  /** Called once for each member, before the next one is asked for. */
  sendTo(take: TakeBytes): Promise<void>;
}

const max16 = 0xffff;
const max32 = 0xffff_ffff;
/** What cannot be deflated grows a little; from here on a member may pass the limit. */
const zip64From = 0xf000_0000;

interface Written {
  readonly name: Buffer;
  readonly time: number;
  readonly crc: number;
  readonly size: number;
  readonly compressed: number;
  readonly offset: number;
}

export async function writeZip(members: AsyncIterable<ZipMember>, take: TakeBytes): Promise<void> {
  let offset = 0;
  const write: TakeBytes = async (bytes) => {
    offset += bytes.byteLength;
    await take(bytes);
  };
  const directory: Buffer[] = [];
  for await (const member of members) {
    const start = offset;
    const name = Buffer.from(member.name);
    const time = dosTime(member.modifiedMs);
    const isLarge = member.size >= zip64From;
    await write(localHeader({ name, time, isLarge }));
    const sums = await deflateInto(write, member);
    await write(dataDescriptor(sums, isLarge ? 8 : 4));
    directory.push(directoryEntry({ name, time, ...sums, offset: start }));
  }
  const start = offset;
  for (const entry of directory) await write(entry);
  await write(endOfDirectory(directory.length, start, offset - start));
}

async function deflateInto(take: TakeBytes, member: ZipMember): Promise<Pick<Written, 'crc' | 'size' | 'compressed'>> {
  // Models hardly shrink: the fastest level.
  const deflate = createDeflateRaw({ level: 1 });
  let [crc, size, compressed] = [0, 0, 0];
  const sending = (async () => {
    for await (const piece of deflate as AsyncIterable<Buffer>) {
      compressed += piece.byteLength;
      await take(piece);
    }
  })();
  try {
    await member.sendTo(async (piece) => {
      crc = crc32(piece, crc);
      size += piece.byteLength;
      const written = new Promise<void>((resolve, reject) => {
        deflate.write(piece, (error) => (error ? reject(error) : resolve()));
      });
      // Where nothing is taken any more, nothing is written either.
      await Promise.race([written, sending]);
    });
    deflate.end();
    await sending;
  } catch (error) {
    deflate.destroy();
    await sending.catch(() => undefined);
    throw error;
  }
  return { crc, size, compressed };
}

/** Sizes follow the content, and the name is UTF-8. */
const flags = 0x0808;
const deflated = 8;

function localHeader({ name, time, isLarge }: { name: Buffer; time: number; isLarge: boolean }): Buffer {
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(isLarge ? 45 : 20, 4);
  head.writeUInt16LE(flags, 6);
  head.writeUInt16LE(deflated, 8);
  head.writeUInt32LE(time, 10);
  if (isLarge) head.fill(0xff, 18, 26);
  head.writeUInt16LE(name.length, 26);
  const extra = isLarge ? zip64Extra([0, 0]) : Buffer.alloc(0);
  head.writeUInt16LE(extra.length, 28);
  return Buffer.concat([head, name, extra]);
}

function dataDescriptor({ crc, size, compressed }: Pick<Written, 'crc' | 'size' | 'compressed'>, width: 4 | 8): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x08074b50, 0);
  head.writeUInt32LE(crc, 4);
  return Buffer.concat([head, ...[compressed, size].map((value) => (width === 8 ? uint64(value) : uint32(value)))]);
}

function directoryEntry({ name, time, crc, size, compressed, offset }: Written): Buffer {
  const isLarge = Math.max(size, compressed, offset) >= zip64From;
  const narrow = (value: number): number => (isLarge ? max32 : value);
  const extra = isLarge ? zip64Extra([size, compressed, offset]) : Buffer.alloc(0);
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  // Made on Unix, whose modes stand in the upper half of the attributes.
  head.writeUInt16LE((3 << 8) | 45, 4);
  head.writeUInt16LE(isLarge ? 45 : 20, 6);
  head.writeUInt16LE(flags, 8);
  head.writeUInt16LE(deflated, 10);
  head.writeUInt32LE(time, 12);
  head.writeUInt32LE(crc, 16);
  head.writeUInt32LE(narrow(compressed), 20);
  head.writeUInt32LE(narrow(size), 24);
  head.writeUInt16LE(name.length, 28);
  head.writeUInt16LE(extra.length, 30);
  head.writeUInt32LE(0o100644 * 0x10000, 38);
  head.writeUInt32LE(narrow(offset), 42);
  return Buffer.concat([head, name, extra]);
}

function endOfDirectory(count: number, start: number, size: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, max16), 8);
  end.writeUInt16LE(Math.min(count, max16), 10);
  end.writeUInt32LE(Math.min(size, max32), 12);
  end.writeUInt32LE(Math.min(start, max32), 16);
  if (count < max16 && size < max32 && start < max32) return end;
  const record = Buffer.alloc(24);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeUInt32LE(44, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  uint64(start + size).copy(locator, 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, ...[count, count, size, start].map(uint64), locator, end]);
}

function zip64Extra(values: readonly number[]): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(0x0001, 0);
  head.writeUInt16LE(values.length * 8, 2);
  return Buffer.concat([head, ...values.map(uint64)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** Two seconds exact, in UTC, from 1980 on: the format has no more. */
function dosTime(modifiedMs: number): number {
  const at = new Date(Math.max(modifiedMs, Date.UTC(1980, 0, 1)));
  const date = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return date * 0x10000 + time;
}
