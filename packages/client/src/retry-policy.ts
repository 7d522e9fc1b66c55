/**
 * When a request is sent again, and after how long: the rules of MLflow's own client, whose numbers these are.
 * *MLflow repeats any method after 408, 429, 500, 502, 503 and 504 and after a lost connection, up to
 * MLFLOW_HTTP_REQUEST_MAX_RETRIES times, waits factor · 2^(n-1) seconds before the n-th repetition from the second one on,
 * at most 120 s, and obeys Retry-After.*
 */
export interface RetryPolicy {
  /** Repetitions after the first try; default 7. 0 switches them off. */
  readonly maxRetries?: number;
  /** Seconds; default 2. */
  readonly backoffFactor?: number;
  /** Seconds; a random share of them is added to each wait; default 1. */
  readonly backoffJitter?: number;
  /** Default true. */
  readonly respectRetryAfter?: boolean;
}

const longestWaitMs = 120_000;
const transientStatuses = new Set([408, 429, 500, 502, 503, 504]);

export function isTransientStatus(status: number): boolean {
  return transientStatuses.has(status);
}

/** What is wrong with the address or the certificate will be so again. */
const lasting =
  /^(?:ENOTFOUND|ERR_INVALID_URL|CERT_\w+|\w*SELF_SIGNED\w*|UNABLE_TO_\w+|ERR_TLS_CERT\w*|ERR_SSL\w*|EPROTO)$/;

/** Whether a request that got no answer may get one when it is sent again. */
export function isTransientFailure(error: unknown): boolean {
  return !lasting.test(failureCode(error) ?? '');
}

/** The system's name for what went wrong: `ECONNREFUSED`. `fetch` hides it in the cause. */
export function failureCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && code !== '' ? code : failureCode(error.cause);
}

/** Milliseconds to wait before the n-th repetition, `n` counting from 1. */
export function waitBefore(
  n: number,
  policy: RetryPolicy,
  retryAfter: string | undefined,
  random = Math.random,
): number {
  const { backoffFactor = 2, backoffJitter = 1, respectRetryAfter = true } = policy;
  const asked = respectRetryAfter ? secondsOf(retryAfter) : undefined;
  if (asked !== undefined) return Math.min(asked * 1000, longestWaitMs);
  const steady = n === 1 ? 0 : backoffFactor * 2 ** (n - 1);
  return Math.min((steady + backoffJitter * random()) * 1000, longestWaitMs);
}

/** `Retry-After` is a number of seconds or a date. */
function secondsOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined || retryAfter === '') return undefined;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter);
  const time = Date.parse(retryAfter);
  return Number.isNaN(time) ? undefined : Math.max(0, (time - Date.now()) / 1000);
}
