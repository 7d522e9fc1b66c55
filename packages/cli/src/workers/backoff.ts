/** A worker that has served for less than this did not work. */
const soonMs = 10_000;
const firstWaitMs = 1_000;
const longestWaitMs = 30_000;

/**
 * How long to wait before a worker's successor starts, told after each end. One that has worked for a while is replaced at once; while
 * they keep ending soon, the wait doubles, so that what ails them all is not made worse by starts.
 */
export function createBackoff(): (servedMs: number) => number {
  let waitMs = 0;
  return (servedMs) => {
    waitMs = servedMs >= soonMs ? 0 : Math.min(longestWaitMs, Math.max(firstWaitMs, waitMs * 2));
    return waitMs;
  };
}
