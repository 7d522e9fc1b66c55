import { MlflowError, type Server } from '@lazuli/client';
import { Option, type Command } from 'commander';
import { withHelp, type Description } from './command-help.ts';
import { connectWorkspace } from './azure-workspace.ts';
import { defaultUrl, hintForNobody, type ConnectionOptions } from './connection.ts';
import { readDefaults } from './defaults.ts';
import { formatResult, formats, isFormat, type Columns, type Format } from './formats.ts';
import { AnswerWithStatus, CommandError, EndWithStatus, isSystemError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

export interface OutputOptions {
  readonly output?: string;
  readonly query?: string;
}

/** The options that every command has which asks a server something and prints the answer. */
export interface ServerOptions extends ConnectionOptions, OutputOptions {}

export interface ServerCommand<Options> extends Description {
  /** Adds the command's own options. */
  readonly options?: (command: Command) => Command;
  /** What a table shows. */
  readonly columns?: Columns;
  /** What it prints; undefined prints nothing. */
  readonly answer: (server: Server, options: Options & ServerOptions, ...args: string[]) => Promise<unknown>;
}

export function addServerCommand<Options extends object>(
  parent: Command,
  surroundings: Surroundings,
  { usage, summary, ...work }: ServerCommand<Options>,
): void {
  asServerCommand(
    parent.command(usage).description(summary).helpOption('-h, --help', 'show this help'),
    surroundings,
    work,
  );
}

/** Makes a command that is there already one that asks a server. */
export function asServerCommand<Options extends object>(
  command: Command,
  surroundings: Surroundings,
  { options, columns, answer, ...help }: Omit<ServerCommand<Options>, 'usage' | 'summary'>,
): void {
  options?.(command);
  withHelp(withServerOptions(command), help).action(async (...given: unknown[]) => {
    // Commander hands over the arguments, the options and the command itself.
    const args = given.slice(0, -2) as string[];
    const chosen = given.at(-2) as Options & ServerOptions;
    const print = printer(chosen, surroundings, columns);
    const result = await explained(async () => answer(await connectWorkspace(chosen, surroundings), chosen, ...args));
    if (result instanceof AnswerWithStatus) {
      print(result.answer);
      throw new EndWithStatus(result.exitCode);
    }
    if (result !== undefined) print(result);
  });
}

/** What prints results as the options ask for; a format that is none is refused before anything is done. */
export function printer(
  options: OutputOptions,
  surroundings: Surroundings,
  columns?: Columns,
): (result: unknown) => void {
  const format = formatOf(options, surroundings);
  const { output } = surroundings;
  const { query } = options;
  return (result) => {
    const text = formatResult(result, {
      format,
      colours: output.isTerminal,
      ...(query === undefined ? {} : { query }),
      ...(columns === undefined ? {} : { columns }),
    });
    if (text !== undefined) output.result(text);
  };
}

export function withServerOptions(command: Command): Command {
  const connected = command
    .option('--url <url>', `the server (LAZULI_URL, MLFLOW_TRACKING_URI; default: ${defaultUrl})`)
    .option('-w, --workspace-name <name>', 'the workspace')
    .option('-g, --resource-group <name>', 'the resource group of the workspace')
    .option('--subscription <id>', 'the subscription of the resource group');
  return withOutputOptions(connected);
}

export function withOutputOptions(command: Command): Command {
  const output = new Option('-o, --output <format>', 'how the result is printed');
  // Shown and completed; what is none of them is refused by us, because a variable may say it, too.
  output.argChoices = [...formats];
  return command.addOption(output).option('--query <jmespath>', 'what of the result is printed');
}

/** `LAZULI_OUTPUT`, and what `lazuli configure` keeps, stand in for `-o`. */
export function formatOf({ output }: OutputOptions, surroundings: Surroundings): Format {
  const format = output ?? (surroundings.env['LAZULI_OUTPUT'] || readDefaults(surroundings).output || 'json');
  if (isFormat(format)) return format;
  throw new CommandError(2, `--output: ${JSON.stringify(format)} must be one of ${formats.join(', ')}`);
}

/** *Azure CLI: 3 says that what was asked for is not there.* */
export async function explained<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (isSystemError(error)) throw new CommandError(1, error.message, { cause: error });
    if (!(error instanceof MlflowError)) throw error;
    const isMissing = error.errorCode === 'RESOURCE_DOES_NOT_EXIST';
    throw new CommandError(isMissing ? 3 : 1, error.message + hintFor(error), { cause: error });
  }
}

function hintFor(error: MlflowError): string {
  if (error.status === 401) return ' Run lazuli login, or put a token that this server knows into LAZULI_TOKEN.';
  return hintForNobody(error);
}
