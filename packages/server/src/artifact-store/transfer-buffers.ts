/**
 * The memory that bytes pass through on their way, which goes from transfer to transfer. V8 collects what lies outside of
 * its heap late, when tens of megabytes of it have been thrown away; what is used again need not be collected.
 */
export const transferBufferBytes = 512 * 1024;

const maxIdleBuffers = 8;
const idleBuffers: Buffer[] = [];

/** Of so many bytes, or of as many as a transfer takes at a time. */
export function borrowBuffer(wanted = Infinity): Buffer {
  if (wanted < transferBufferBytes) return Buffer.allocUnsafe(wanted);
  return idleBuffers.pop() ?? Buffer.allocUnsafeSlow(transferBufferBytes);
}

/** Of a buffer that nobody reads or fills any more. */
export function giveBackBuffer(buffer: Buffer): void {
  if (buffer.byteLength === transferBufferBytes && idleBuffers.length < maxIdleBuffers) idleBuffers.push(buffer);
}
