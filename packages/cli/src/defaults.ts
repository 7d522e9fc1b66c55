import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/** What `lazuli configure --defaults` keeps for the commands that come after it: a small JSON file in the user's folder. */
export const defaultNames = ['url', 'subscription', 'group', 'workspace', 'output'] as const;
export type DefaultName = (typeof defaultNames)[number];
export type Defaults = Readonly<Partial<Record<DefaultName, string>>>;

export function isDefaultName(text: string): text is DefaultName {
  return (defaultNames as readonly string[]).includes(text);
}

export function defaultsFile({ env }: Pick<Surroundings, 'env'>): string {
  return join(env['LAZULI_CONFIG_DIR'] || join(env['HOME'] || homedir(), '.lazuli'), 'defaults.json');
}

export function readDefaults(surroundings: Pick<Surroundings, 'env'>): Defaults {
  const path = defaultsFile(surroundings);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CommandError(1, `The defaults in ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  try {
    return JSON.parse(text) as Defaults;
  } catch (cause) {
    throw new CommandError(2, `${path} is not valid JSON; mend it, or remove it and configure again.`, { cause });
  }
}

export function writeDefaults(surroundings: Pick<Surroundings, 'env'>, defaults: Defaults): void {
  const path = defaultsFile(surroundings);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${JSON.stringify(defaults, null, 2)}\n`, { mode: 0o600 });
}
