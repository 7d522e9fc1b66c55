import { invalidParameter } from '@lazuli/contract';

/**
 * Cuts the content of an upload into the parts that object stores take: all of one size but for the last one. S3 takes
 * parts of 5 MiB or more and at most 10,000 of them, and some of its kin want them all equal; Azure takes 50,000 blocks.
 */
const partBytes = 8 * 1024 * 1024;
const maxParts = 10_000;
/** *S3: an object has 5 TiB at most.* A part is memory, and a caller may announce what he likes. */
const maxBytes = 5 * 2 ** 40;

/** At least one part, which may be empty; each is memory of its own. */
export async function* partsOf(
  content: AsyncIterable<Uint8Array>,
  expectedBytes: number | undefined,
): AsyncGenerator<Buffer, void> {
  const size = partSize(expectedBytes);
  let part: Buffer | undefined;
  let [filled, sent] = [0, 0];
  for await (const piece of content) {
    for (let taken = 0; taken < piece.byteLength;) {
      // Of the last part, and so of a small file, no more is taken up than will come.
      part ??= Buffer.allocUnsafeSlow(Math.min(size, Math.max((expectedBytes ?? Infinity) - sent, 1)));
      const fitting = piece.subarray(taken, taken + part.byteLength - filled);
      part.set(fitting, filled);
      filled += fitting.byteLength;
      taken += fitting.byteLength;
      if (filled < part.byteLength) continue;
      yield part;
      [part, filled, sent] = [undefined, 0, sent + filled];
    }
  }
  if (filled > 0 || sent === 0) yield part?.subarray(0, filled) ?? Buffer.alloc(0);
}

function partSize(expectedBytes = 0): number {
  if (expectedBytes > maxBytes) {
    throw invalidParameter(
      `The file is announced with ${expectedBytes} bytes; object stores take ${maxBytes} at most.`,
    );
  }
  return Math.max(partBytes, Math.ceil(expectedBytes / maxParts));
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
