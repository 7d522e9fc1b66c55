import { MlflowError } from '@lazuli/contract';
import type { DigestWishes } from './digest-fields.ts';

export interface UploadBody {
  readonly content: AsyncIterable<Uint8Array>;
  /** What the request said it would send, where it said so. */
  readonly length: number | undefined;
  readonly maxBytes: number | undefined;
  readonly digests: DigestWishes | undefined;
}

/**
 * The bytes of an upload, which fail where the client stops before the end or sends more than is allowed. Without that
 * a file that was cut off on its way would look like a short one.
 */
export async function* wholeBody({
  content,
  length,
  maxBytes = Infinity,
}: Omit<UploadBody, 'digests'>): AsyncGenerator<Uint8Array> {
  if (length !== undefined && length > maxBytes) throw tooLarge(maxBytes);
  const chunks = content[Symbol.asyncIterator]();
  let received = 0;
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw cutShort(error);
      });
      if (next.done === true) break;
      received += next.value.byteLength;
      if (received > maxBytes) throw tooLarge(maxBytes);
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
  if (length !== undefined && received !== length) throw cutShort();
}

/** The same content, which fails where it is empty. */
export async function* someBytes(content: AsyncIterable<Uint8Array>, empty: () => Error): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const chunk of content) {
    received += chunk.byteLength;
    yield chunk;
  }
  if (received === 0) throw empty();
}

function cutShort(cause?: unknown): MlflowError {
  return new MlflowError('BAD_REQUEST', 'The upload ended before all of its bytes had arrived; nothing was stored', {
    cause,
  });
}

function tooLarge(maxBytes: number): MlflowError {
  return new MlflowError(
    'INVALID_PARAMETER_VALUE',
    `The artifact is larger than the ${maxBytes} bytes that are allowed`,
    {
      status: 413,
    },
  );
}
