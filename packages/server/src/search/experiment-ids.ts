import { invalidParameter, parseInt64 } from '@lazuli/contract';
import { quoted } from './syntax-error.ts';

/** The numbers of the experiments that a search looks in, each once, in order. */
export function readExperimentIds(texts: readonly string[]): number[] {
  const ids = new Set<number>();
  for (const text of texts) {
    const id = parseInt64(text);
    if (id === undefined) {
      throw invalidParameter(`Invalid experiment ID '${quoted(text)}'. Experiment ID must be a valid integer.`);
    }
    // No experiment has a number that a double cannot hold: *unknown experiments are passed over.*
    if (typeof id === 'number') ids.add(id);
  }
  return [...ids].sort((a, b) => a - b);
}
