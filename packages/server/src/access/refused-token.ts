import { MlflowError } from '@lazuli/contract';

/** Why a credential is refused: for the log, and for protocols that tell an old token from a wrong one. */
export class RefusedToken extends Error {
  override readonly name = 'RefusedToken';
  readonly reason: 'missing' | 'invalid' | 'expired';
  /** Where clients may sign in, if they can. */
  readonly authorizationUri: string | undefined;

  constructor(
    reason: RefusedToken['reason'],
    message: string,
    options: ErrorOptions & { authorizationUri?: string } = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.authorizationUri = options.authorizationUri;
  }
}

/** Undefined where the error is about something else than who calls. */
export function refusalOf(error: unknown): RefusedToken | undefined {
  return error instanceof MlflowError && error.cause instanceof RefusedToken ? error.cause : undefined;
}

/**
 * What a 401 says in `WWW-Authenticate`. *Azure: clients read authorization_uri; RFC 6750: an error only where a token was
 * sent.*
 */
export function challengeFor(error: MlflowError): string {
  const refused = refusalOf(error);
  const bearer = [
    'realm="lazuli"',
    ...(refused?.authorizationUri === undefined ? [] : [`authorization_uri="${refused.authorizationUri}"`]),
    ...(refused === undefined || refused.reason === 'missing'
      ? []
      : ['error="invalid_token"', `error_description="${error.message.replaceAll(/[^\x20-\x7e]|["\\]/g, '?')}"`]),
  ];
  return `Bearer ${bearer.join(', ')}, Basic realm="lazuli", charset="UTF-8"`;
}
