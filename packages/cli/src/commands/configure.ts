import type { Command } from 'commander';
import { defaultNames, isDefaultName, readDefaults, writeDefaults, type Defaults } from '../defaults.ts';
import { formatResult } from '../formats.ts';
import { CommandError } from '../output.ts';
import { withHelp } from '../command-help.ts';
import { formatOf } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';
import { pairsOf } from './options.ts';

/** `lazuli configure --defaults group=g workspace=w`: what later commands take where they are not told. */
export function describeConfigure(command: Command, surroundings: Surroundings): void {
  withHelp(command, {
    notes: `They are kept in ~/.lazuli (LAZULI_CONFIG_DIR). The line goes before the environment, that before the nearest config.json of
a workspace, and that before these.`,
    examples: [
      'lazuli configure --defaults url=https://lazuli.example.org group=team workspace=churn',
      'lazuli configure --defaults output=table',
      'lazuli configure --defaults workspace=',
      'lazuli configure --list-defaults',
    ],
  })
    .option('-d, --defaults <name=value...>', `what to keep, of ${defaultNames.join(', ')}; an empty value forgets`)
    .option('-l, --list-defaults', 'show what is kept')
    .option('-o, --output <format>', 'how they are shown')
    .action((options: { defaults?: readonly string[]; listDefaults?: true; output?: string }) => {
      if (options.defaults === undefined && options.listDefaults !== true) {
        throw new CommandError(2, 'Give --defaults name=value, or --list-defaults.');
      }
      if (options.defaults !== undefined) writeDefaults(surroundings, changed(options.defaults, surroundings));
      if (options.listDefaults !== true) return;
      const kept = Object.entries(readDefaults(surroundings)).map(([name, value]) => ({ name, value }));
      const format = formatOf(options, surroundings);
      const text = formatResult(kept, { format, colours: surroundings.output.isTerminal });
      if (text !== undefined) surroundings.output.result(text);
    });
}

function changed(given: readonly string[], surroundings: Surroundings): Defaults {
  const defaults = new Map(Object.entries(readDefaults(surroundings)));
  for (const { key, value } of pairsOf('--defaults', given)) {
    if (!isDefaultName(key)) {
      throw new CommandError(2, `--defaults: ${JSON.stringify(key)} must be one of ${defaultNames.join(', ')}`);
    }
    if (value === '') defaults.delete(key);
    else defaults.set(key, value);
  }
  return Object.fromEntries(defaults);
}
