import { text } from 'node:stream/consumers';
import type { FastifyRequest } from 'fastify';
import { bodyTooLarge } from './error-response.ts';

/** *A list of 50,000 blocks, as many as a blob may have, with ids of 64 bytes.* */
const largestText = 8 * 1024 * 1024;

/** A body of text in one piece, which is refused as soon as it is too large. */
export async function readSmallText({ raw }: FastifyRequest): Promise<string> {
  let size = 0;
  raw.on('data', (chunk: Uint8Array) => {
    size += chunk.byteLength;
    if (size > largestText) raw.destroy(bodyTooLarge(largestText));
  });
  return await text(raw);
}
