import { reasonOf, untilAborted, type AccessToken, type TokenCredential, type TokenSource } from './credential.ts';
import type { SignInContext } from './sign-in-context.ts';
import type { StoredToken } from './token-store.ts';

/**
 * A credential that asks its source seldom: a token is used until 5 minutes before it expires, or until its issuer wants
 * it refreshed; callers that meet share one refresh; and while a refresh fails, a token that is still good goes on being
 * used.
 */
const refreshLead = 5 * 60_000;
const pauseAfterFailure = 30_000;

interface Flight {
  readonly token: Promise<AccessToken>;
  readonly controller: AbortController;
  waiting: number;
}

export interface CacheOptions {
  /** Who signs in: tokens of equal keys are the same identity's. */
  readonly key: string;
  readonly now?: () => number;
}

export function cachedCredential(
  source: TokenSource,
  { log, store }: Pick<SignInContext, 'log' | 'store'>,
  { key, now = Date.now }: CacheOptions,
): TokenCredential {
  const flights = new Map<string, Flight>();
  const pausedUntil = new Map<string, number>();

  const takeOff = (scope: string): Flight => {
    const controller = new AbortController();
    const token = source(scope, controller.signal)
      .then(async (given) => {
        log.hide(given.token);
        await store.set(`${key} ${scope}`, toStore(given, now()));
        return given;
      })
      .finally(() => flights.delete(scope));
    const flight = { token, controller, waiting: 0 };
    flights.set(scope, flight);
    return flight;
  };

  return {
    async getToken(scopes, { abortSignal } = {}) {
      abortSignal?.throwIfAborted();
      const scope = [scopes].flat().join(' ');
      const known = await store.get(`${key} ${scope}`);
      if (known !== undefined) log.hide(known.token);
      if (
        known !== undefined &&
        now() < Math.max(known.refreshAt, pausedUntil.get(scope) ?? 0) &&
        now() < known.expiresAt
      )
        return fromStore(known);
      try {
        return await landing(flights.get(scope) ?? takeOff(scope), abortSignal);
      } catch (error) {
        if (known === undefined || now() >= known.expiresAt || abortSignal?.aborted === true) throw error;
        pausedUntil.set(scope, now() + pauseAfterFailure);
        log.warning(`The token could not be refreshed and is used until it expires: ${reasonOf(error)}`);
        return fromStore(known);
      }
    },
  };
}

/** Waits for a flight that others may share; it is called off when nobody waits for it any more. */
async function landing(flight: Flight, signal: AbortSignal | undefined): Promise<AccessToken> {
  flight.waiting++;
  try {
    return await untilAborted(flight.token, signal);
  } finally {
    if (--flight.waiting === 0) flight.controller.abort(signal?.reason);
  }
}

function toStore(
  { token, expiresOnTimestamp, refreshAfterTimestamp = Infinity }: AccessToken,
  now: number,
): StoredToken {
  // A short-lived token would otherwise be refreshed at each use.
  const lead = Math.min(refreshLead, (expiresOnTimestamp - now) / 2);
  return {
    token,
    expiresAt: expiresOnTimestamp,
    refreshAt: Math.min(refreshAfterTimestamp, expiresOnTimestamp - lead),
  };
}

function fromStore({ token, expiresAt, refreshAt }: StoredToken): AccessToken {
  return { token, expiresOnTimestamp: expiresAt, refreshAfterTimestamp: refreshAt };
}
