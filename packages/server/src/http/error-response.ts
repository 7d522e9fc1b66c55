import { MlflowError } from '@lazuli/contract';
import type { FastifyBaseLogger, FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { challengeFor } from '../access/refused-token.ts';
import type { Address } from './addressing.ts';

/** *RFC 9110 section 12.5.3: in an answer it says what is taken in requests.* */
export const contentOffer = { 'accept-encoding': 'gzip' } as const;

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Turns whatever was thrown into an answer, and is alone in doing so. What is not an `MlflowError` and not the web
 * framework's own refusal is a defect: the caller learns nothing of it but the request's number, the log everything.
 */
export function answerToError(
  thrown: unknown,
  requestId: string,
  { logger, address }: { readonly logger: FastifyBaseLogger; readonly address: Address | undefined },
): ErrorAnswer {
  const error = toMlflowError(thrown, requestId);
  if (error.status >= 500 && !(thrown instanceof MlflowError && thrown.cause === undefined)) {
    logger.error({ reqId: requestId, err: thrown }, 'request failed');
  }
  return {
    status: error.status,
    headers: {
      'content-type': 'application/json',
      ...(error.status === 401 ? { 'www-authenticate': challengeFor(error) } : {}),
      ...(error.status === 415 ? contentOffer : {}),
      ...(error.status === 503 ? { 'retry-after': '1' } : {}),
    },
    body: JSON.stringify(address === undefined ? error : { ...error.toJSON(), ...azureShape(error) }),
  };
}

/** *Azure's clients read `error.code` and `error.message`*; MLflow's read its own fields, and both come by an address of Azure's form. */
function azureShape({ status, errorCode, message }: MlflowError): object {
  const code = status < 500 ? 'UserError' : 'ServiceError';
  return { error: { code, message, innerError: { code: errorCode } } };
}

export function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, headers, body } = answerToError(asBodyError(thrown, request), request.id, {
    logger: request.log,
    address: request.address,
  });
  return reply.code(status).headers(headers).send(body);
}

export function bodyTooLarge(limit: number): MlflowError {
  const message = `The request body is larger than the ${limit} bytes that this server takes.`;
  return new MlflowError('BAD_REQUEST', message, { status: 413 });
}

function asBodyError(thrown: unknown, request: FastifyRequest): unknown {
  const { code } = thrown as Partial<FastifyError>;
  return code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? bodyTooLarge(request.routeOptions.bodyLimit) : thrown;
}

function toMlflowError(thrown: unknown, requestId: string): MlflowError {
  if (thrown instanceof MlflowError) return thrown;
  const { statusCode, code } = thrown as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new MlflowError('INVALID_PARAMETER_VALUE', wrongContentType);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new MlflowError('BAD_REQUEST', (thrown as Error).message, { status: statusCode });
  }
  return new MlflowError(
    'INTERNAL_ERROR',
    `The server failed to answer; its log has the reason under request ${requestId}.`,
  );
}

/** *MLflow's texts.* */
export const wrongContentType = "Bad Request. Content-Type must be one of ['application/json'].";
export const missingContentType = 'Bad Request. Content-Type header is missing.';
