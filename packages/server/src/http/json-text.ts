import { invalidParameter, MlflowError } from '@lazuli/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { missingContentType, wrongContentType } from './error-response.ts';

/** A body that trickles in for longer than this is given up, so that slow senders cannot pile up. */
const slowestBodyMs = 60_000;

/** Lets the routes of this scope have their body as text, whatever its type; `checkContentType` speaks of the type. */
export function takeJsonText(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, utf8.decode(body as Buffer));
    } catch {
      done(invalidParameter('The request body is not UTF-8 text.'));
    }
  });
  app.addHook('preParsing', (request, _reply, payload, done) => {
    // A small body is here with its headers; only one that is not needs watching.
    if (!request.raw.complete) {
      const timer = setTimeout(
        () => request.raw.destroy(new MlflowError('BAD_REQUEST', 'The body came too slowly.')),
        slowestBodyMs,
      );
      timer.unref();
      request.raw.once('close', () => clearTimeout(timer));
    }
    done(null, payload);
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A request that changes something must say that it is JSON: a page in a browser cannot say so without asking the server
 * first. *MLflow checks POST and PUT*; here whatever carries a body is checked.
 */
export function checkContentType({ method, headers }: FastifyRequest): void {
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
