import { Option, type Command } from 'commander';
import { readClientVariables, type ServerOptions } from '../client-variables.ts';
import { withHelp } from '../command-help.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli env`: what a shell needs so that an unmodified script works with a workspace as if it were Azure's. */
const shells = {
  bash: posix,
  zsh: posix,
  fish: (name: string, value: string) => `set -gx ${name} '${value.replaceAll(/[\\']/g, '\\$&')}'`,
  // *PowerShell takes typographic quotes for the plain one; whichever it is, two stand for one.*
  powershell: (name: string, value: string) => `$env:${name} = '${value.replaceAll(/['\u2018-\u201b]/g, '$&$&')}'`,
} as const;

type Shell = keyof typeof shells;

export function describeEnv(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  withHelp(command, {
    examples: [
      'eval "$(lazuli env)"',
      'lazuli env --shell fish | source',
      'lazuli env --shell powershell | Out-String | Invoke-Expression',
    ],
  })
    .option('--url <url>', 'the server (LAZULI_URL; default: http://127.0.0.1:5000)')
    .option('-w, --workspace-name <name>', 'the workspace (LAZULI_WORKSPACE; default: the default one)')
    .option(
      '--data-dir <folder>',
      'its data directory, for the managed identity of a server on this machine',
      './lazuli-data',
    )
    .addOption(new Option('--shell <name>', 'whose language to print').choices(Object.keys(shells)).default('bash'))
    .action(async (options: ServerOptions & { readonly shell: Shell }) => {
      const { variables, hasIdentity } = await readClientVariables(options, surroundings);
      const lines = Object.entries(variables).map(([name, value]) => shells[options.shell](name, value));
      output.result(lines.join('\n'));
      if (!hasIdentity) {
        output.remark(
          'lazuli: there is no managed identity in the data directory: sign in by AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or name the directory with --data-dir.',
        );
      }
    });
}

function posix(name: string, value: string): string {
  return `export ${name}='${value.replaceAll("'", `'\\''`)}'`;
}
