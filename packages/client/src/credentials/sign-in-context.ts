import { createSignInLog, type SignInLog } from './sign-in-log.ts';
import { createTokenStore, type TokenStore } from './token-store.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface SignInOptions {
  /** Default: the process's own, read at the first operation. */
  readonly environment?: Environment;
  /** What sends requests to authorities; default: the runtime's own `fetch`. */
  readonly fetch?: typeof fetch;
  /** Keeps tokens in this file, which only its owner can read, beside memory. */
  readonly cacheFile?: string;
  /** Takes the lines of the log; default: standard error. */
  readonly writeLog?: (line: string) => void;
}

/** What every credential works with. */
export interface SignInContext {
  readonly environment: Environment;
  readonly fetch: typeof fetch;
  readonly log: SignInLog;
  readonly store: TokenStore;
}

export function createSignInContext(options: SignInOptions = {}): SignInContext {
  const environment = options.environment ?? process.env;
  const log = createSignInLog(environment, options.writeLog);
  return {
    environment,
    log,
    // Looked up late, so that what replaces the global one counts.
    fetch: options.fetch ?? ((...parameters) => fetch(...parameters)),
    store: createTokenStore(options.cacheFile, log),
  };
}
