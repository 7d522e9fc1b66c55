/** Ctrl-C, and a request to end, undo what the bench has started as any other end of it does. */
import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Whether a signal is ending the bench; what fails from then on fails because of that. */
  happened(): boolean;
}

/**
 * The first signal counts and no later one: under `npm run`, Ctrl-C arrives from the terminal and from npm. Undoing has
 * limits of time of its own.
 */
export function undoOnSignal(undo: AsyncDisposableStack): Interruption {
  let first: NodeJS.Signals | undefined;
  function onSignal(signal: NodeJS.Signals): void {
    if (first !== undefined) return;
    first = signal;
    process.stderr.write(`\n${signal}: stopping what was started\n`);
    undo
      .disposeAsync()
      .catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
      .finally(() => process.exit(128 + constants.signals[signal]));
  }
  for (const signal of signals) process.on(signal, onSignal);
  return { happened: () => first !== undefined };
}
