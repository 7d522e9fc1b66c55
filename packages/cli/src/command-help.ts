import type { Command } from 'commander';

/** What every command tells of itself: in its help, in the reference, and to who completes a line. */
export interface Description extends Help {
  /** With its arguments: `delete <run-id>`. */
  readonly usage: string;
  readonly summary: string;
}

export interface Help {
  /** What else there is to know, in sentences. */
  readonly notes?: string;
  readonly examples: readonly [string, ...string[]];
}

const helps = new WeakMap<Command, Help>();

export function describeCommand(parent: Command, { usage, summary, ...help }: Description): Command {
  return withHelp(parent.command(usage).description(summary).helpOption('-h, --help', 'show this help'), help);
}

export function withHelp(command: Command, help: Help): Command {
  helps.set(command, help);
  const { notes, examples } = help;
  const lines = examples.map((line) => `  ${line}`).join('\n');
  return command.addHelpText('after', `${notes === undefined ? '' : `\n${notes}\n`}\nExamples:\n${lines}`);
}

export function helpOf(command: Command): Help | undefined {
  return helps.get(command);
}

/** `lazuli ad user create`, of a command below the program. */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** The command and all below it. */
export function commandsBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsBelow)];
}
