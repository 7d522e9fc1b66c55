/**
 * The log of sign-ins, on standard error: which credential was tried, from what source, for which audience, and why it
 * failed. Secrets that were read are registered and masked, and whatever looks like a token is cut.
 */
export type LogLevel = 'silent' | 'error' | 'warning' | 'info' | 'debug';

export interface SignInLog {
  warning(message: string): void;
  info(message: string): void;
  debug(message: string): void;
  /** Masks this text in all that is logged or thrown from now on. */
  hide(secret: string): void;
  /** The text without secrets. */
  mask(text: string): string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const ranks: Readonly<Record<LogLevel, number>> = { silent: 0, error: 1, warning: 2, info: 3, debug: 4 };

let chosenLevel: LogLevel | undefined;

/** Sets how much sign-ins tell on standard error; `undefined` leaves it to `AZURE_LOG_LEVEL` and `DEBUG` again. */
export function setLogLevel(level: LogLevel | undefined): void {
  chosenLevel = level;
}

export function createSignInLog(
  environment: Environment,
  write: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): SignInLog {
  const secrets = new Set<string>();
  const mask = (text: string): string => {
    let masked = text.replaceAll(/\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g, 'eyJ…');
    for (const secret of secrets) masked = masked.replaceAll(secret, '…');
    return masked;
  };
  const log = (level: LogLevel, message: string): void => {
    if (ranks[level] <= ranks[chosenLevel ?? levelOf(environment)]) write(`lazuli sign-in ${level}: ${mask(message)}`);
  };
  return {
    warning: (message) => log('warning', message),
    info: (message) => log('info', message),
    debug: (message) => log('debug', message),
    hide(secret) {
      // A shorter one would blot out ordinary words.
      if (secret.length >= 4) secrets.add(secret);
    },
    mask,
  };
}

/** *Azure SDK: AZURE_LOG_LEVEL is verbose, info, warning or error. DEBUG lists patterns of names.* */
function levelOf({ AZURE_LOG_LEVEL = '', DEBUG = '' }: Environment): LogLevel {
  if (/^(verbose|debug)$/i.test(AZURE_LOG_LEVEL)) return 'debug';
  if (DEBUG.split(/[\s,]+/).some((pattern) => /^(\*|lazuli\b.*|azure\b.*|@azure\b.*)$/.test(pattern))) return 'debug';
  const named = (['info', 'warning', 'error'] as const).find((name) => name === AZURE_LOG_LEVEL.toLowerCase());
  return named ?? 'warning';
}
