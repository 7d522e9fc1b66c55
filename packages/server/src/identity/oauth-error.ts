import { randomUUID } from 'node:crypto';
import type { OutOfTime } from '../access/token-times.ts';

/**
 * The refusals of the authority, with Entra's numbers: clients and people look for these.
 * *Entra: AADSTS error codes.*
 */
const refusals = {
  missing_parameter: [900144, 'invalid_request', 400],
  malformed: [9002313, 'invalid_request', 400],
  unknown_tenant: [90002, 'invalid_request', 400],
  unknown_application: [700016, 'unauthorized_client', 400],
  disabled_application: [7000112, 'unauthorized_client', 400],
  bad_secret: [7000215, 'invalid_client', 401],
  expired_secret: [7000222, 'invalid_client', 401],
  missing_secret: [7000218, 'invalid_client', 401],
  bad_assertion: [700027, 'invalid_client', 401],
  assertion_time: [700024, 'invalid_client', 401],
  unknown_audience: [700212, 'invalid_client', 401],
  unknown_subject: [700213, 'invalid_client', 401],
  unsupported_grant: [70003, 'unsupported_grant_type', 400],
  bad_scope: [70011, 'invalid_scope', 400],
  unknown_resource: [500011, 'invalid_resource', 400],
  redirect_mismatch: [50011, 'invalid_request', 400],
  unsupported_response_type: [70005, 'unsupported_response_type', 400],
  missing_challenge: [9002325, 'invalid_request', 400],
  wrong_verifier: [501481, 'invalid_grant', 400],
  redeemed_code: [54005, 'invalid_grant', 400],
  expired_code: [70008, 'invalid_grant', 400],
  bad_password: [50126, 'invalid_grant', 400],
  locked: [50053, 'invalid_grant', 400],
  disabled_user: [50057, 'invalid_grant', 400],
  pending: [70016, 'authorization_pending', 400],
  expired_device_code: [70019, 'expired_token', 400],
  declined_device: [65004, 'authorization_declined', 400],
  declined: [65004, 'access_denied', 400],
  no_session: [50058, 'login_required', 400],
  expired_refresh: [700082, 'invalid_grant', 400],
  revoked_refresh: [50173, 'invalid_grant', 400],
  failed: [90033, 'temporarily_unavailable', 503],
} as const satisfies Record<string, readonly [number, string, number]>;

export type Refusal = keyof typeof refusals;

/** Why the authority does not do what it was asked. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly number: number;
  /** *RFC 6749's word for it.* */
  readonly error: string;
  readonly status: number;

  constructor(refusal: Refusal, message: string, options?: ErrorOptions) {
    super(message, options);
    [this.number, this.error, this.status] = refusals[refusal];
  }
}

export function revoked(): OAuthError {
  return new OAuthError(
    'revoked_refresh',
    'The provided grant has expired due to it being revoked, a fresh auth token is needed.',
  );
}

/** *Entra's words; people search for them.* */
export function assertionOutOfTime({ from, until, now }: OutOfTime, cause: unknown): OAuthError {
  const begin = from === undefined ? '' : `assertion valid from ${from}, `;
  return new OAuthError(
    'assertion_time',
    `Client assertion is not within its valid time range. Current time: ${now}, ${begin}expiry time of assertion ${until}.`,
    { cause },
  );
}

/** The body of a refusal as Entra writes it. */
export function oauthErrorBody(
  { number, error, message }: OAuthError,
  correlationId: string | undefined,
  time: number,
) {
  const timestamp = `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')}Z`;
  const trace = randomUUID();
  const correlation = correlationId ?? randomUUID();
  return {
    error,
    error_description: `AADSTS${number}: ${message} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    error_codes: [number],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
  };
}
