import type { Command } from 'commander';
import { readClientVariables, type ServerOptions } from '../client-variables.ts';
import { EndWithStatus } from '../output.ts';
import { runProgram, statusOf } from '../run-program.ts';
import { withHelp } from '../command-help.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli session -- jupyter lab`: a program that finds the workspace by itself, as on a compute instance. */
export function describeSession(command: Command, surroundings: Surroundings): void {
  withHelp(command, { examples: ['lazuli session -- jupyter lab', 'lazuli session -- bash'] })
    .argument('<program...>', 'the program and its arguments, after --')
    .option('--url <url>', 'the server (LAZULI_URL; default: http://127.0.0.1:5000)')
    .option('-w, --workspace-name <name>', 'the workspace (LAZULI_WORKSPACE; default: the default one)')
    .option('--data-dir <folder>', 'its data directory, for its managed identity', './lazuli-data')
    .action(async (program: readonly string[], options: ServerOptions) => {
      const { variables } = await readClientVariables(options, surroundings);
      const env = { ...surroundings.env, ...variables };
      const end = await runProgram({ command: program, env, cwd: surroundings.workingDir });
      const status = statusOf(end);
      if (status !== 0) throw new EndWithStatus(status);
    });
}
