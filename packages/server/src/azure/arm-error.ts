import { MlflowError } from '@lazuli/contract';
import { refusalOf } from '../access/refused-token.ts';

/** A failure in the words of Azure Resource Manager: `{"error": {"code", "message"}}`, by whose code clients choose. */
export class ArmError extends Error {
  override readonly name = 'ArmError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  toJSON(): { error: { code: string; message: string } } {
    return { error: { code: this.code, message: this.message } };
  }
}

export function invalidContent(message: string): ArmError {
  return new ArmError(400, 'InvalidRequestContent', message);
}

export function resourceNotFound(id: string): ArmError {
  return new ArmError(404, 'ResourceNotFound', `The Resource '${id}' was not found.`);
}

const codes: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  403: 'AuthorizationFailed',
  404: 'ResourceNotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  413: 'RequestEntityTooLarge',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
};

/** *Azure tells a token that has expired from one that was never good.* */
const refusalCodes = {
  missing: 'AuthenticationFailed',
  invalid: 'InvalidAuthenticationToken',
  expired: 'ExpiredAuthenticationToken',
} as const;

/** What other rooms threw, in ARM's words; undefined for what is a defect of the server. */
export function armErrorOf(thrown: unknown): ArmError | undefined {
  if (thrown instanceof ArmError) return thrown;
  if (!(thrown instanceof MlflowError)) return undefined;
  const { status, message } = thrown;
  const refused = refusalOf(thrown);
  if (refused !== undefined) return new ArmError(status, refusalCodes[refused.reason], message);
  const code = codes[status];
  return code === undefined ? undefined : new ArmError(status, code, message);
}
