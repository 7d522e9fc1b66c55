/** Ctrl-C arrives more than once: from the terminal, and passed on by npm or by the process that started this one. */
const sameSignalMs = 500;

/** What a signal asks for: to stop when what is under way is done, or at once. */
export interface StopHandlers {
  readonly gracefully: (signal: StopSignal) => void;
  readonly atOnce: (signal: StopSignal, status: 130 | 143) => void;
}

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** The first signal asks for a graceful stop, every further one for an end. */
export function onStopSignal({ gracefully, atOnce }: StopHandlers): void {
  let askedAt: number | undefined;
  const onSignal = (signal: StopSignal): void => {
    if (askedAt === undefined) {
      askedAt = performance.now();
      gracefully(signal);
    } else if (performance.now() - askedAt >= sameSignalMs) {
      atOnce(signal, signal === 'SIGINT' ? 130 : 143);
    }
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
}
