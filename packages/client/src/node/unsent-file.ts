import { appendFileSync, createReadStream, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Environment } from '../environment.ts';
import { sendLines, type ResumedLog } from '../logging/unsent-log.ts';
import type { CallOptions, Transport } from '../transport.ts';

/** Where work that was not sent waits: LAZULI_UNSENT_DIR, else the user's folder for the state of programs. */
function foldersOf(environment: Environment): string[] {
  const places = [environment['LAZULI_UNSENT_DIR'], stateFolder(environment), join(tmpdir(), 'lazuli-unsent')];
  return places.filter((place): place is string => Boolean(place));
}

function stateFolder(environment: Environment): string | undefined {
  try {
    return join(environment['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'lazuli', 'unsent');
  } catch {
    // *A container may run as a number that has no name*, and so no home.
    return undefined;
  }
}

/** Appends lines to the file of a run, at once, because the process may be about to end. Gives the file, if one took them. */
export function keepInFile(environment: Environment, runId: string, lines: readonly string[]): string | undefined {
  for (const folder of foldersOf(environment)) {
    const file = join(folder, `${runId}.jsonl`);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      appendFileSync(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
      return file;
    } catch {
      // Read-only or full: the next folder may not be.
    }
  }
  return undefined;
}

/** Sends what a run has kept, and removes the file when the server has seen all of it. */
export async function resumeFile(
  file: string,
  transportFor: (uri: string) => Promise<Transport>,
  options?: CallOptions,
): Promise<ResumedLog> {
  const lines = createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity });
  const result = await sendLines(lines, transportFor, options);
  await rm(file);
  return result;
}
