import { MlflowError } from '@lazuli/contract';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { authenticateChallenge } from '../access/authenticate.ts';

/**
 * Turns whatever was thrown into an answer, and is alone in doing so. What is not an `MlflowError` and not the web
 * framework's own refusal is a defect: the caller learns nothing of it but the request's number, the log everything.
 */
export function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toMlflowError(thrown, request);
  if (error.status >= 500 && !(thrown instanceof MlflowError && thrown.cause === undefined)) {
    request.log.error({ reqId: request.id, err: thrown }, 'request failed');
  }
  if (error.status === 401) reply.header('www-authenticate', authenticateChallenge);
  if (error.status === 503) reply.header('retry-after', '1');
  return reply.code(error.status).type('application/json').send(JSON.stringify(error));
}

function toMlflowError(thrown: unknown, request: FastifyRequest): MlflowError {
  if (thrown instanceof MlflowError) return thrown;
  const { statusCode, code } = thrown as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = request.routeOptions.bodyLimit;
    return new MlflowError(
      'BAD_REQUEST',
      `The request body is larger than the ${limit} bytes that this server takes.`,
      {
        status: 413,
      },
    );
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new MlflowError('INVALID_PARAMETER_VALUE', wrongContentType);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new MlflowError('BAD_REQUEST', (thrown as Error).message, { status: statusCode });
  }
  return new MlflowError(
    'INTERNAL_ERROR',
    `The server failed to answer; its log has the reason under request ${request.id}.`,
  );
}

/** *MLflow's texts.* */
export const wrongContentType = "Bad Request. Content-Type must be one of ['application/json'].";
export const missingContentType = 'Bad Request. Content-Type header is missing.';
