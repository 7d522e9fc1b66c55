/** The points that W-client logs, by their number: every one is another, so that a missing one is found. */
import type { Point } from './stored-points.ts';

export const KEY = 'loss';

export function pointOfNumber(number: number): Point {
  return { timestamp: 1_700_000_000_000 + number, step: number, value: number / 8 };
}
