import { MlflowError } from '@lazuli/contract';

/** SQLite's primary result codes for a database that cannot be written at the moment: busy, I/O error, disk full. */
const passingCodes = new Set([5, 10, 13]);

/** A failure of the engine as clients should see it: what may pass is 503, which they retry. */
export function sqliteFailure(error: unknown): unknown {
  const errcode = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof errcode !== 'number' || !passingCodes.has(errcode & 0xff)) return error;
  const reason = (errcode & 0xff) === 13 ? 'the disk is full' : 'the database cannot be written';
  return new MlflowError('TEMPORARILY_UNAVAILABLE', `Nothing was stored: ${reason}. Try again later.`, {
    cause: error,
  });
}
