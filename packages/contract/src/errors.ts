/**
 * The error codes of MLflow's protocol with their HTTP status, and the one error class of both sides of the wire.
 * Codes that upstream leaves unmapped are 500 there; the statuses here follow mlflow's table, with 400 where upstream
 * answers 500 to a caller's mistake (docs/reference/compatibility.md lists them).
 */
interface ErrorCodeEntry {
  readonly status: number;
  readonly sqlstate?: string;
  /** The error class where it is not the code's own name. */
  readonly errorClass?: string;
}

const codes = {
  INVALID_PARAMETER_VALUE: { status: 400, sqlstate: 'KAM00' },
  BAD_REQUEST: { status: 400, sqlstate: 'KAM00', errorClass: 'INVALID_PARAMETER_VALUE' },
  RESOURCE_ALREADY_EXISTS: { status: 400, sqlstate: 'KAM00' },
  INVALID_STATE: { status: 400, sqlstate: 'XXM00', errorClass: 'CLIENT_INTERNAL_ERROR' },
  FEATURE_DISABLED: { status: 400, sqlstate: 'KAM00' },
  UNAUTHENTICATED: { status: 401 },
  PERMISSION_DENIED: { status: 403, sqlstate: 'KAM00' },
  RESOURCE_DOES_NOT_EXIST: { status: 404, sqlstate: 'KAM00', errorClass: 'RESOURCE_NOT_FOUND' },
  ENDPOINT_NOT_FOUND: { status: 404 },
  RESOURCE_CONFLICT: { status: 409 },
  REQUEST_LIMIT_EXCEEDED: { status: 429 },
  INTERNAL_ERROR: { status: 500, sqlstate: 'XXM00', errorClass: 'CLIENT_INTERNAL_ERROR' },
  NOT_IMPLEMENTED: { status: 501 },
  TEMPORARILY_UNAVAILABLE: { status: 503 },
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof codes;
export const errorCodes: Readonly<Record<ErrorCode, ErrorCodeEntry>> = codes;

export interface MlflowErrorOptions extends ErrorOptions {
  /** HTTP status, where it is not the code's own (413 for a body that is too large, 405 for a wrong method). */
  status?: number;
  /** The server's name for the request, where a response carried one. */
  requestId?: string;
}

/** A failure in MLflow's terms: what the server throws, what its bodies say and what the client rejects with. */
export class MlflowError extends Error {
  override readonly name = 'MlflowError';
  readonly errorCode: ErrorCode;
  readonly status: number;
  readonly requestId: string | undefined;

  constructor(errorCode: ErrorCode, message: string, options: MlflowErrorOptions = {}) {
    super(message, options);
    this.errorCode = errorCode;
    this.status = options.status ?? errorCodes[errorCode].status;
    this.requestId = options.requestId;
  }

  /** The body of an error response. *MLflow ≥ 3.11: sqlstate and error_class only for codes that have a class.* */
  toJSON(): { error_code: string; message: string; sqlstate?: string; error_class?: string } {
    const { sqlstate, errorClass = this.errorCode } = errorCodes[this.errorCode];
    const body = { error_code: this.errorCode, message: this.message };
    return sqlstate === undefined ? body : { ...body, sqlstate, error_class: errorClass };
  }
}

export function invalidParameter(message: string): MlflowError {
  return new MlflowError('INVALID_PARAMETER_VALUE', message);
}

/** The error that a response with this status and body stands for; a body of another shape still gives a usable error. */
export function errorFromResponse(status: number, body: string, requestId?: string): MlflowError {
  const options: MlflowErrorOptions = requestId === undefined ? { status } : { status, requestId };
  const parsed = parseErrorBody(body);
  if (parsed !== undefined) return new MlflowError(parsed.error_code ?? codeForStatus(status), parsed.message, options);
  const text = body.length > 500 ? `${body.slice(0, 500)}…` : body;
  return new MlflowError(codeForStatus(status), text === '' ? `The server answered ${status}` : text, options);
}

function parseErrorBody(body: string): { error_code?: ErrorCode; message: string } | undefined {
  // Object stores, behind signed URLs: `<Error><Code>AuthenticationFailed</Code><Message>…</Message></Error>`.
  const [, code, words] = /^[^{]*<Code>([^<]+)<\/Code>\s*(?:<Message>([^<]*)<\/Message>)?/.exec(body) ?? [];
  if (code !== undefined) return { message: words === undefined ? code : `${code}: ${words}` };
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null) return undefined;
    const { error_code, message, error } = value as { error_code?: unknown; message?: unknown; error?: unknown };
    if (typeof error_code === 'string' && Object.hasOwn(errorCodes, error_code)) {
      return { error_code: error_code as ErrorCode, message: typeof message === 'string' ? message : '' };
    }
    // The services of Azure ML beside MLflow's endpoints: `{"error":{"code":"UserError","message":"…"}}`.
    if (typeof error !== 'object' || error === null || !('message' in error)) return undefined;
    return typeof error.message === 'string' ? { message: error.message } : undefined;
  } catch {
    return undefined;
  }
}

function codeForStatus(status: number): ErrorCode {
  const exact = (Object.keys(errorCodes) as ErrorCode[]).find((code) => errorCodes[code].status === status);
  return exact ?? (status >= 500 ? 'INTERNAL_ERROR' : 'BAD_REQUEST');
}
