import { errors } from 'jose';

/** A signed token that came too late or too early. Mostly a clock is wrong, and only both times together tell whose. */
export interface OutOfTime {
  readonly isLate: boolean;
  /** As ISO 8601 writes them; `from` where the token says it. */
  readonly from: string | undefined;
  readonly until: string | undefined;
  readonly now: string;
}

/** Undefined where a token is refused for something else than its times. */
export function outOfTime(error: unknown, time: number): OutOfTime | undefined {
  const isLate = error instanceof errors.JWTExpired;
  const isEarly = error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf';
  if (!isLate && !isEarly) return undefined;
  const { nbf, iat, exp } = error.payload;
  return { isLate, from: moment(nbf ?? iat), until: moment(exp), now: moment(time / 1000) ?? '' };
}

function moment(seconds: number | undefined): string | undefined {
  const date = new Date(Math.floor(seconds ?? NaN) * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().replace('.000', '');
}
