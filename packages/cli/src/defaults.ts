import { readConfig, writeConfig } from './config-file.ts';
import type { Surroundings } from './surroundings.ts';

/** What `lazuli configure --defaults` keeps for the commands that come after it. */
export const defaultNames = ['url', 'subscription', 'group', 'workspace', 'output'] as const;
export type DefaultName = (typeof defaultNames)[number];
export type Defaults = Readonly<Partial<Record<DefaultName, string>>>;

export function isDefaultName(text: string): text is DefaultName {
  return (defaultNames as readonly string[]).includes(text);
}

export function readDefaults(surroundings: Pick<Surroundings, 'env'>): Defaults {
  return readConfig('defaults.json', surroundings) ?? {};
}

export function writeDefaults(surroundings: Pick<Surroundings, 'env'>, defaults: Defaults): void {
  writeConfig('defaults.json', defaults, surroundings);
}
