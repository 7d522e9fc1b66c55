/**
 * Cuts the content of an upload into the parts that object stores take: all of one size but for the last one. S3 takes
 * parts of 5 MiB or more and at most 10,000 of them, and some of its kin want them all equal; Azure takes 50,000 blocks.
 */
export const partBytes = 8 * 1024 * 1024;
const maxParts = 10_000;

/** The size of each part of a file that is expected to have so many bytes. */
export function partSize(expectedBytes = 0): number {
  return Math.max(partBytes, Math.ceil(expectedBytes / maxParts));
}

/** At least one part, which may be empty. A part is memory of its own. */
export async function* partsOf(content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer, void> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let count = 0;
  for await (const chunk of content) {
    let rest = chunk;
    while (bytes + rest.byteLength > size) {
      chunks.push(rest.subarray(0, size - bytes));
      rest = rest.subarray(size - bytes);
      yield Buffer.concat(chunks);
      count += 1;
      [chunks, bytes] = [[], 0];
    }
    chunks.push(rest);
    bytes += rest.byteLength;
  }
  if (bytes > 0 || count === 0) yield Buffer.concat(chunks);
}

/**
 * Sends parts, two at a time while the next one is collected. Whatever fails, everything that was begun has ended when
 * the promise settles, so that what is tidied up afterwards stays so.
 */
export async function sendParts(
  parts: AsyncIterable<Buffer>,
  send: (part: Buffer, index: number) => Promise<void>,
): Promise<number> {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let index = 0;
  try {
    for await (const part of parts) {
      const sending: Promise<void> = send(part, index)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => underWay.delete(sending));
      underWay.add(sending);
      index += 1;
      if (underWay.size >= 2) await Promise.race(underWay);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  if (failures.length > 0) throw failures[0];
  return index;
}
