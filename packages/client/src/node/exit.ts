import process from 'node:process';
import type { ExitingRun } from '../tracking/platform.ts';
import type { FinalStatus } from '../tracking/run-handle.ts';

/**
 * What becomes of open runs where the process ends. By itself: they are ended as FINISHED, *as MLflow does*. By a signal:
 * as KILLED, for at most some seconds, then the signal takes its course. By `process.exit()`
 * or an error that nobody catches: what waits is kept in a file, with the run's end, and that is said.
 */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const graceMs = 5_000;

/** By it copies of this client know one another's listeners: a program may have loaded more than one. */
const mark = Symbol.for('@lazuli/client: ends runs');
Object.defineProperty(kill, mark, { value: true });

const open = new Set<ExitingRun>();
let isSignalled = false;

export function atExit(run: ExitingRun): () => void {
  if (open.size === 0) listen();
  open.add(run);
  return () => {
    // While a signal is dealt with, what does not arrive in time has still to be kept.
    if (isSignalled) return;
    open.delete(run);
    if (open.size === 0) unlisten();
  };
}

function listen(): void {
  process.on('beforeExit', finish);
  process.on('exit', leave);
  for (const signal of signals) process.on(signal, kill);
}

function unlisten(): void {
  process.off('beforeExit', finish);
  process.off('exit', leave);
  for (const signal of signals) process.off(signal, kill);
}

function finish(): void {
  void Promise.allSettled([...open].map((run) => run.finish())).then(warnOf);
}

function abandon(status: FinalStatus): void {
  for (const run of open) {
    const said = run.abandon(status);
    // At once: a warning of Node's would come on a later turn, and there is none.
    if (said !== undefined) process.stderr.write(`lazuli: ${said}\n`);
  }
}

function leave(exitCode: number): void {
  abandon(exitCode === 0 ? 'FINISHED' : 'FAILED');
}

function kill(signal: NodeJS.Signals): void {
  // The program has a plan of its own for this signal; it ends its runs, or the process does.
  if (isSignalled || hasOwnPlan(signal)) return;
  isSignalled = true;
  const late = new Promise<void>((resolve) => setTimeout(resolve, graceMs));
  void Promise.race([Promise.allSettled([...open].map((run) => run.kill())).then(warnOf), late]).then(() => {
    abandon('KILLED');
    unlisten();
    process.kill(process.pid, signal);
  });
}

/**
 * Whether somebody else listens who would not step back for others. The package `signal-exit` (behind spinners, prompts and
 * child processes) does as this module: where each waited for the other, no signal would end the process.
 */
function hasOwnPlan(signal: NodeJS.Signals): boolean {
  const others = process.listeners(signal).filter((listener) => !(mark in listener));
  return (
    others.length >
    ofSignalExit(globalThis, Symbol.for('signal-exit emitter')) + ofSignalExit(process, '__signal_exit_emitter__')
  );
}

/** *signal-exit 4 and 3 tell there how many listeners of theirs each signal has.* */
function ofSignalExit(holder: object, name: symbol | string): number {
  const emitter: unknown = Reflect.get(holder, name);
  const count: unknown = typeof emitter === 'object' && emitter !== null && 'count' in emitter ? emitter.count : 0;
  return typeof count === 'number' ? count : 0;
}

function warnOf(results: readonly PromiseSettledResult<void>[]): void {
  for (const result of results) {
    if (result.status === 'rejected') process.emitWarning(String(result.reason), 'LazuliWarning');
  }
}
