import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { addServerCommand } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';

/** Marking something as deleted, and back: the same for everything that can be collected later. */
export interface Deletable<Options> {
  /** `experiments` */
  readonly noun: string;
  readonly byId: (command: Command) => Command;
  /** `-x 7` */
  readonly example: string;
  readonly summaries: { readonly delete: string; readonly restore: string };
  readonly delete: (client: Client, options: Options) => Promise<unknown>;
  readonly restore: (client: Client, options: Options) => Promise<unknown>;
}

export function addDeleteAndRestore<Options extends object>(
  command: Command,
  surroundings: Surroundings,
  { noun, byId, example, summaries, ...change }: Deletable<Options>,
): void {
  for (const verb of ['delete', 'restore'] as const) {
    addServerCommand<Options>(command, surroundings, {
      usage: verb,
      summary: summaries[verb],
      options: byId,
      examples: [`lazuli ${noun} ${verb} ${example}`],
      async answer({ client }, options) {
        await change[verb](client, options);
      },
    });
  }
}
