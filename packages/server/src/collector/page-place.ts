import { invalidParameter } from '@lazuli/contract';

/**
 * Where a collection is: logged models go before runs, because a run that stays may keep a model; experiments go when
 * nothing is left in them; `rest` is the end of the list of removals.
 */
const phases = ['logged_models', 'runs', 'experiments', 'rest'] as const;
export type Phase = (typeof phases)[number];

export interface Place {
  readonly phase: Phase;
  /** The key of the last thing that was looked at. */
  readonly after: number;
  /** The record of this collection, once it has collected something. */
  readonly collectionId: number | undefined;
}

/** Experiments count from 0. */
const start = -1;

export function readPlace(token: string | undefined): Place {
  if (token === undefined || token === '') return { phase: 'logged_models', after: start, collectionId: undefined };
  const [, name, after, collection] = /^([a-z_]{1,20})\.(-1|\d{1,15})\.(\d{0,15})$/.exec(token) ?? [];
  const phase = phases.find((each) => each === name);
  if (phase === undefined) throw invalidPlace();
  return { phase, after: Number(after), collectionId: collection ? Number(collection) : undefined };
}

export function invalidPlace(): Error {
  return invalidParameter('Invalid page token: it is none that this collection gave');
}

export function writePlace({ phase, after, collectionId }: Place): string {
  return `${phase}.${after}.${collectionId ?? ''}`;
}

/** The place behind a page, or undefined at the end; `last` is the key at which a full page ended. */
export function placeBehind(
  { phase, collectionId }: Place,
  { last, left }: { last: number | undefined; left: 'removals' | 'nothing' },
): Place | undefined {
  if (last !== undefined) return { phase, after: last, collectionId };
  const next = phases[phases.indexOf(phase) + 1];
  if (next === undefined || (next === 'rest' && left === 'nothing')) {
    return left === 'nothing' ? undefined : { phase, after: start, collectionId };
  }
  return { phase: next, after: start, collectionId };
}
