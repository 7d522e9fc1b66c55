import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/** What the command remembers for the next one: small JSON files in a folder of the user's, which nobody else can read. */
export type ConfigFile = 'defaults.json' | 'clouds.json' | 'accounts.json' | `tokens-${string}.json`;

export function configPath(file: ConfigFile, surroundings: Pick<Surroundings, 'env'>): string {
  const folder = configFolder(surroundings);
  if (folder !== undefined) return join(folder, file);
  throw new CommandError(2, 'You have no home folder to keep this in: set HOME, or LAZULI_CONFIG_DIR.');
}

function configFolder({ env }: Pick<Surroundings, 'env'>): string | undefined {
  try {
    return env['LAZULI_CONFIG_DIR'] || join(env['HOME'] || homedir(), '.lazuli');
  } catch {
    // A container may run as a number that the system knows nothing of. Nothing is kept then, and nothing was.
    return undefined;
  }
}

/** The content of a file; undefined where there is none. */
export function readConfig(file: ConfigFile, surroundings: Pick<Surroundings, 'env'>): unknown {
  const folder = configFolder(surroundings);
  if (folder === undefined) return undefined;
  const path = join(folder, file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CommandError(1, `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new CommandError(2, `${path} is not valid JSON; mend it, or remove it and configure again.`, { cause });
  }
}

/** Replaces the file as a whole, so that another command never reads half of it. */
export function writeConfig(file: ConfigFile, content: unknown, surroundings: Pick<Surroundings, 'env'>): void {
  const path = configPath(file, surroundings);
  const draft = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    renameSync(draft, path);
  } catch (cause) {
    throw new CommandError(
      1,
      `${path} cannot be written: ${(cause as Error).message}. LAZULI_CONFIG_DIR names another folder.`,
      { cause },
    );
  }
}

export function removeConfig(file: ConfigFile, surroundings: Pick<Surroundings, 'env'>): void {
  rmSync(configPath(file, surroundings), { force: true });
}
