import type { IncomingHttpHeaders } from 'node:http';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BodyWatch } from './body-watch.ts';
import { decodeContent } from './content-coding.ts';
import { missingContentType, wrongContentType } from './error-response.ts';

/** Lets the routes of this scope have their body as text, whatever its type; `checkContentType` speaks of the type. */
export function takeJsonText(app: FastifyInstance, bodies: BodyWatch): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    bodies.end(request.raw);
    return decodeText(await decodeContent(body, request.headers, request.routeOptions.bodyLimit));
  });
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (request.raw.method !== 'GET') bodies.begin(request.raw);
    done(null, payload);
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new MlflowError('INVALID_PARAMETER_VALUE', 'The request body is not UTF-8 text.', { cause });
  }
}

/**
 * A request that changes something must say that it is JSON: a page in a browser cannot say so without asking the server
 * first. *MLflow checks POST and PUT*; here whatever carries a body is checked.
 */
export function checkContentType(method: string, headers: IncomingHttpHeaders): void {
  if (method === 'GET' || method === 'HEAD') return;
  const type = headers['content-type'];
  if (type === undefined || type === '') {
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (method === 'POST' || method === 'PUT' || hasBody) throw invalidParameter(missingContentType);
    return;
  }
  if (type === 'application/json' || type.split(';', 1)[0]?.trim().toLowerCase() === 'application/json') return;
  throw invalidParameter(wrongContentType);
}
