import type { IncomingMessage } from 'node:http';
import { borrowBuffer, giveBackBuffer } from '../artifact-store/transfer-buffers.ts';

/**
 * The body of a request in large pieces, the next of which comes in while one is being written. A piece is valid until the
 * next one is asked for.
 *
 * Node brings every read from a socket in memory of its own, and V8 collects that late; so it is copied together in two
 * buffers that are used again, and let go of at once. The request is left as it is where a reader stops early.
 */
export async function* bodyPieces(
  request: IncomingMessage,
  announcedBytes = Infinity,
): AsyncGenerator<Uint8Array, void> {
  // A byte more than will come, so that the end is seen before another buffer is begun.
  let filling = borrowBuffer(announcedBytes + 1);
  let spare: Buffer | undefined;
  let filled = 0;
  let chunk: Uint8Array = nothing;
  /** What of the chunk has not been copied yet. */
  let rest: Uint8Array = nothing;
  let failure: unknown = request.errored ?? (request.destroyed && !request.readableEnded ? wentAway() : undefined);
  let hasEnded = request.readableEnded;
  let wake = (): void => undefined;

  const fill = (): void => {
    const fitting = rest.subarray(0, filling.byteLength - filled);
    filling.set(fitting, filled);
    filled += fitting.byteLength;
    rest = rest.subarray(fitting.byteLength);
    if (rest.byteLength > 0 || chunk === nothing) return;
    letGo(chunk);
    chunk = rest = nothing;
  };
  const isFull = (): boolean => filled === filling.byteLength;
  const onData = (received: Uint8Array): void => {
    chunk = rest = received;
    fill();
    if (!isFull()) return;
    request.pause();
    wake();
  };
  const onEnd = (): void => {
    hasEnded = true;
    wake();
  };
  const onFailure = (error: unknown = wentAway()): void => {
    failure ??= error;
    wake();
  };
  const onClose = (): void => {
    if (!hasEnded) onFailure();
  };
  request.on('data', onData).on('end', onEnd).on('error', onFailure).on('close', onClose);
  try {
    for (;;) {
      while (!isFull() && !hasEnded && failure === undefined) await new Promise<void>((resolve) => (wake = resolve));
      if (failure !== undefined) throw failure;
      if (filled === 0) return;
      const piece = filling.subarray(0, filled);
      [filling, spare] = [spare ?? borrowBuffer(), filling];
      filled = 0;
      fill();
      if (!isFull()) request.resume();
      yield piece;
    }
  } finally {
    request.pause();
    request.off('data', onData).off('end', onEnd).off('error', onFailure).off('close', onClose);
    for (const buffer of [filling, spare]) if (buffer !== undefined) giveBackBuffer(buffer);
  }
}

const nothing = new Uint8Array();

/** Frees the memory of a chunk that had it to itself. */
function letGo({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
}

function wentAway(): Error {
  return new Error('the client went away');
}
