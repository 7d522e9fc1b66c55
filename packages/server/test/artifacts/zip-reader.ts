import { crc32, inflateRawSync } from 'node:zlib';

/** The members of a zip archive by name, read as programs do: from the directory at its end. */
export function readZip(zip: Buffer): Map<string, Buffer> {
  const members = new Map<string, Buffer>();
  let { count, at } = readEnd(zip);
  for (; count > 0; count -= 1) {
    expectMark(zip, at, 0x02014b50);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field)) as [
      number,
      number,
      number,
    ];
    const name = zip.toString('utf8', at + 46, at + 46 + nameBytes);
    const extra = zip.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes);
    const isWide = zip.readUInt32LE(at + 42) === 0xffff_ffff;
    const wide = (index: number): number => Number(extra.readBigUInt64LE(4 + 8 * index));
    const size = isWide ? wide(0) : zip.readUInt32LE(at + 24);
    const compressed = isWide ? wide(1) : zip.readUInt32LE(at + 20);
    const offset = isWide ? wide(2) : zip.readUInt32LE(at + 42);
    expectMark(zip, offset, 0x04034b50);
    const start = offset + 30 + zip.readUInt16LE(offset + 26) + zip.readUInt16LE(offset + 28);
    const content = inflateRawSync(zip.subarray(start, start + compressed));
    expectMark(zip, start + compressed, 0x08074b50);
    if (content.length !== size || crc32(content) !== zip.readUInt32LE(at + 16)) throw new Error(`'${name}' is broken`);
    members.set(name, content);
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return members;
}

function readEnd(zip: Buffer): { count: number; at: number } {
  const end = zip.length - 22;
  expectMark(zip, end, 0x06054b50);
  const count = zip.readUInt16LE(end + 10);
  if (count !== 0xffff) return { count, at: zip.readUInt32LE(end + 16) };
  expectMark(zip, end - 20, 0x07064b50);
  const record = Number(zip.readBigUInt64LE(end - 12));
  expectMark(zip, record, 0x06064b50);
  return { count: Number(zip.readBigUInt64LE(record + 32)), at: Number(zip.readBigUInt64LE(record + 48)) };
}

function expectMark(zip: Buffer, at: number, mark: number): void {
  if (zip.readUInt32LE(at) !== mark) throw new Error(`there is no ${mark.toString(16)} at ${at}`);
}
