import { MlflowError } from '@lazuli/contract';

/**
 * What a credential gives and takes is the shape of the Azure SDKs' `TokenCredential`, so a credential of
 * `@azure/identity` serves here, and one made here serves wherever an Azure SDK takes one.
 */
export interface AccessToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresOnTimestamp: number;
  /** When the issuer wants it refreshed, in milliseconds since 1970. */
  readonly refreshAfterTimestamp?: number;
}

export interface TokenCredential {
  getToken(scopes: string | string[], options?: { abortSignal?: AbortSignal }): Promise<AccessToken | null>;
}

/** A credential before caching: asks somebody for a token, each time. */
export type TokenSource = (scope: string, signal: AbortSignal) => Promise<AccessToken>;

/** Not set up on this machine; set up and refused; or without an answer in time. */
export type SignInFailure = 'unavailable' | 'rejected' | 'timed out';

/** How one credential of a chain fared. */
export interface SignInAttempt {
  readonly credential: string;
  readonly state: SignInFailure | 'succeeded';
  readonly milliseconds: number;
  readonly reason: string;
  /** The command or setting that would make it work. */
  readonly fix: string;
}

/** A sign-in that failed. One of a chain lists every attempt; its own `failure` is that of the last. */
export class SignInError extends MlflowError {
  readonly failure: SignInFailure;
  readonly attempts: readonly SignInAttempt[];

  constructor(
    failure: SignInFailure,
    message: string,
    options: ErrorOptions & { attempts?: readonly SignInAttempt[] } = {},
  ) {
    super('UNAUTHENTICATED', message, options);
    this.failure = failure;
    this.attempts = options.attempts ?? [];
  }
}

export const unavailable = (message: string, cause?: unknown): SignInError =>
  new SignInError('unavailable', message, { cause });

export const rejected = (message: string, cause?: unknown): SignInError =>
  new SignInError('rejected', message, { cause });

/** The resource of a scope: `https://management.azure.com` of `https://management.azure.com/.default`. */
export function resourceOf(scope: string): string {
  return scope.replace(/\/\.default$/, '');
}

/** What went wrong, in words: `fetch` hides it in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof MlflowError) return error.message;
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

/** The outcome, or the signal's reason where that comes first; what was under way goes on for others. */
export async function untilAborted<T>(outcome: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await outcome;
  let leave = (): void => undefined;
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
  });
  try {
    return await Promise.race([outcome, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
