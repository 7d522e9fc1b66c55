import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const ballast = 'ballast';

/** Writes a file until the disk of this folder has no room left. */
export function fillDisk(folder: string): void {
  const file = openSync(join(folder, ballast), 'a');
  try {
    for (const size of [65_536, 4_096]) {
      for (;;) if (writeSync(file, Buffer.alloc(size)) < size) break;
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

export function makeRoom(folder: string): void {
  unlinkSync(join(folder, ballast));
}
