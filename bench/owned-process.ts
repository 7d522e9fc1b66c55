/**
 * Processes that must not outlive the bench. Each is put on the stack of what is undone at the end in the same turn in which it is
 * started, so that there is no moment at which a signal could leave one behind.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface ProcessPlan {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  /** What it prints is added to this file. */
  readonly logFile: string;
  /** Whom it runs as, where not as the bench. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What asks it to end, and what makes it end when it has not done so after the limit. */
  readonly ending: Ending;
}

export interface Ending {
  readonly ask: NodeJS.Signals;
  readonly limitMs: number;
  readonly force: NodeJS.Signals;
}

export interface OwnedProcess {
  readonly child: ChildProcess;
  /** The end of what it printed. */
  lastWords(): Promise<string>;
  /** Settles when it has ended; may be called again. */
  end(): Promise<void>;
  /** Rejects when it cannot be started; settles with its code or signal when it has ended. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

const LAST_WORDS = 2000;

export function startProcess(undo: AsyncDisposableStack, plan: ProcessPlan): OwnedProcess {
  if (undo.disposed) throw new Error('the bench is ending');
  const log = openSync(plan.logFile, 'a');
  const [program, ...args] = plan.command;
  // A group of its own: Ctrl-C in a terminal reaches the bench alone, which then ends things in their order.
  const child = spawn(program, args, { cwd: plan.cwd, stdio: ['ignore', log, log], detached: true, ...plan.user });
  closeSync(log);
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      resolve(signal ?? code);
    });
  });
  ended.catch(() => undefined); // whoever waits for it is told; nobody need wait
  const end = (): Promise<void> => endProcess(child, plan.ending);
  undo.defer(end);
  return {
    child,
    ended,
    end,
    async lastWords() {
      return (await readFile(plan.logFile, 'utf8')).slice(-LAST_WORDS).trim();
    },
  };
}

export function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function endProcess(child: ChildProcess, { ask, limitMs, force }: Ending): Promise<void> {
  if (hasEnded(child)) return;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  child.kill(ask);
  const timer = setTimeout(() => child.kill(force), limitMs);
  await exited;
  clearTimeout(timer);
}
