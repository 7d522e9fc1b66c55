import { MlflowError } from '@lazuli/client';
import { createRandom, type Random } from './random.ts';

/** How long races are repeated: enough for each change, and at length where the night is long. */
const isNightly = process.env['LAZULI_NIGHTLY'] === '1';

export interface Repetition {
  readonly most: number;
  readonly seconds: number;
}

/** A race is decided anew in every round; a window that is hit once in fifty rounds is hit within these. */
export const usual: Repetition = { most: 300, seconds: 2.5 };
const least = 5;

const factor = isNightly ? 20 : 1;
/** Time for the rounds, and as much again for what comes before and after them. */
export const raceLimitMs = 60_000 * (isNightly ? 10 : 1);

/** Rounds until there were enough of them, or their time is over. */
export async function repeat(
  round: (random: Random, index: number) => Promise<void>,
  { most, seconds }: Repetition = usual,
): Promise<void> {
  const end = performance.now() + seconds * factor * 1000;
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = createRandom(seed);
  for (let index = 0; index < least || (index < most * factor && performance.now() < end); index++) {
    try {
      await round(random, index);
    } catch (error) {
      if (error instanceof Error) error.message = `round ${index} of seed ${seed}: ${error.message}`;
      throw error;
    }
  }
}

/** What came of one request. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: MlflowError };

/**
 * Sends requests at the same moment, up to a few turns of the event loop apart and in any order, so that over many rounds
 * each comes first, and each meets the other at every stage of its way. Gives the outcomes in the order of the arguments.
 */
export async function race<T extends readonly unknown[]>(
  random: Random,
  ...requests: { [K in keyof T]: () => Promise<T[K]> }
): Promise<{ [K in keyof T]: Outcome<T[K]> }> {
  const outcomes = requests.map(async (request) => {
    await turns(random.below(4));
    return outcomeOf(request);
  });
  return (await Promise.all(outcomes)) as { [K in keyof T]: Outcome<T[K]> };
}

/** The outcome of a request; what is no answer of the server, or a 5xx, is no outcome and fails the test. */
export async function outcomeOf<T>(request: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await request() };
  } catch (error) {
    if (error instanceof MlflowError && error.status < 500) return { ok: false, error };
    throw error;
  }
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
