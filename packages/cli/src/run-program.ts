import { spawn } from 'node:child_process';
import type { WriteStream } from 'node:fs';
import { CommandError } from './output.ts';

export interface Program {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Gets what the program writes, beside the terminal. */
  readonly copyTo?: WriteStream;
  /** What the terminal gets: both streams as they are (and the program the keyboard), both on standard error, or nothing. */
  readonly shown?: 'both' | 'on stderr' | 'nothing';
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs a program to its end, with the signals that this process gets. */
export async function runProgram({ command, env, cwd, copyTo, shown = 'both' }: Program): Promise<ProgramEnd> {
  const [program = '', ...args] = command;
  const stdin = shown === 'both' ? 'inherit' : 'ignore';
  const child = spawn(program, args, {
    cwd,
    env,
    stdio: copyTo === undefined ? 'inherit' : [stdin, 'pipe', 'pipe'],
  });
  const results = shown === 'both' ? process.stdout : process.stderr;
  for (const [from, to] of [[child.stdout, results] as const, [child.stderr, process.stderr] as const]) {
    from?.on('data', (chunk: Buffer) => {
      if (shown !== 'nothing') to.write(chunk);
      copyTo?.write(chunk);
    });
  }
  const passOn = (signal: NodeJS.Signals): void => {
    // *Ctrl-C at a terminal reaches the whole group*: the program has it, and a second one would cut its clean-up short.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of passedOn) process.on(signal, passOn);
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', (cause) =>
        reject(new CommandError(1, `${program} could not be started: ${cause.message}`, { cause })),
      );
      child.on('close', (code, signal) => resolve({ code, signal }));
    });
  } finally {
    for (const signal of passedOn) process.off(signal, passOn);
  }
}

/** *Shells: a program that a signal ended has 128 and the signal's number.* */
export function statusOf({ code, signal }: ProgramEnd): number {
  return code ?? (signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 1);
}
