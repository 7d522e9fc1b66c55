import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import { bodyTooLarge } from './error-response.ts';

/**
 * Bodies that come compressed. A batch of a thousand metrics is a tenth of its size in gzip, which counts where the network is slow.
 * *RFC 9110 section 12.5.3: an answer's `Accept-Encoding` says what its server takes in requests*, so a client need not try.
 */
const inflate = promisify(gunzip);

/** Smaller bodies are not worth the time of either side. */
const offeredFrom = 16 * 1024;

/** Whether a client should hear that its long body could have been shorter. */
export function isOffered({ 'content-length': length, 'content-encoding': coding }: IncomingHttpHeaders): boolean {
  return coding === undefined && Number(length ?? 0) >= offeredFrom;
}

/** A body as it was before it was compressed; at most `limit` bytes, however small it came. */
export function decodeContent(
  body: Buffer,
  { 'content-encoding': header }: IncomingHttpHeaders,
  limit: number,
): Buffer | Promise<Buffer> {
  if (header === undefined) return body;
  const coding = header.trim().toLowerCase();
  if (coding === 'identity' || coding === '') return body;
  if (coding === 'gzip' || coding === 'x-gzip') return decompress(body, limit);
  throw new MlflowError('BAD_REQUEST', `A request body with Content-Encoding '${header}' is not taken; gzip is.`, {
    status: 415,
  });
}

async function decompress(body: Buffer, limit: number): Promise<Buffer> {
  try {
    return await inflate(body, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(limit);
    throw invalidParameter(`The request body is not gzip, as its Content-Encoding says: ${(error as Error).message}.`);
  }
}
