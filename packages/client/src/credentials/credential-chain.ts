import {
  reasonOf,
  resourceOf,
  SignInError,
  type AccessToken,
  type SignInAttempt,
  untilAborted,
  type TokenCredential,
} from './credential.ts';
import type { SignInLog } from './sign-in-log.ts';

/**
 * Credentials that are tried one by one. The first that gives a token is remembered. One that is not set up, or that stays
 * silent, leaves it to the next; one that is set up and refused ends the chain, because going on would sign in somebody
 * else than was meant.
 */
export interface ChainStep {
  readonly name: string;
  readonly credential: TokenCredential;
  /** The command or setting that would make it work. */
  readonly fix: string;
}

export interface ChainOptions {
  readonly log: SignInLog;
  readonly onRejected: 'stop' | 'go on';
}

export function credentialChain(steps: readonly ChainStep[], { log, onRejected }: ChainOptions): TokenCredential {
  let chosen: TokenCredential | undefined;
  /** One choice at a time: callers that come meanwhile use its outcome. */
  let choosing: Promise<unknown> = Promise.resolve();

  async function choose(scope: string, options: { abortSignal?: AbortSignal }): Promise<AccessToken> {
    const attempts: SignInAttempt[] = [];
    for (const { name, credential, fix } of steps) {
      const start = performance.now();
      const note = (state: SignInAttempt['state'], words = ''): void => {
        const milliseconds = Math.round(performance.now() - start);
        const reason = log.mask(words);
        attempts.push({ credential: name, state, milliseconds, reason, fix });
        log.debug(`${name}: ${state} after ${milliseconds} ms. ${reason}`);
      };
      log.debug(`trying ${name} for ${scope}`);
      try {
        const token = await credential.getToken(scope, options);
        if (token !== null) {
          note('succeeded');
          log.info(`signed in by ${name}`);
          chosen = credential;
          return token;
        }
        note('unavailable', 'It has no token.');
      } catch (error) {
        options.abortSignal?.throwIfAborted();
        // One of a foreign class was given to be used, so that it fails is not passed over.
        const failure = error instanceof SignInError ? error.failure : 'rejected';
        note(failure, reasonOf(error));
        if (failure === 'rejected' && onRejected === 'stop') throw chainError(scope, attempts, error);
      }
    }
    throw chainError(scope, attempts, undefined);
  }

  return {
    async getToken(scopes, options = {}) {
      const scope = [scopes].flat().join(' ');
      if (chosen === undefined) {
        const turn = choosing.then(() => (chosen === undefined ? choose(scope, options) : undefined));
        choosing = turn.catch(() => undefined);
        const token = await untilAborted(turn, options.abortSignal);
        if (token !== undefined) return token;
      }
      return await (chosen as TokenCredential).getToken(scope, options);
    },
  };
}

/** Every step with its state, its time and what would fix it; the reason of a refusal comes first. */
function chainError(scope: string, attempts: readonly SignInAttempt[], cause: unknown): SignInError {
  const last = attempts.at(-1);
  const isRefused = cause !== undefined && last !== undefined;
  const head = isRefused
    ? `Signing in by ${last.credential} was refused: ${last.reason}`
    : `Nothing here can sign in to ${resourceOf(scope)}.`;
  const width = Math.max(...attempts.map(({ credential }) => credential.length));
  const lines = attempts.map(
    ({ credential, state, milliseconds, reason, fix }) =>
      `  ${credential.padEnd(width)}  ${state}, ${milliseconds} ms. ${reason}\n  ${' '.repeat(width)}  To use it: ${fix}`,
  );
  const tail = isRefused ? ['The credentials after it were not tried; continueOnRejected tries them.'] : [];
  return new SignInError(isRefused ? 'rejected' : 'unavailable', [head, ...lines, ...tail].join('\n'), {
    attempts,
    cause,
  });
}
