import type { IncomingMessage } from 'node:http';
import { invalidParameter } from '@lazuli/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { missingContentType, wrongContentType } from './error-response.ts';

/** A body that trickles in for longer than this is given up, so that slow senders cannot pile up. */
const slowestBodyMs = 60_000;

/** Lets the routes of this scope have their body as text, whatever its type; `checkContentType` speaks of the type. */
export function takeJsonText(app: FastifyInstance): void {
  const awaited = watchBodies(app);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    awaited.delete(request.raw);
    try {
      done(null, utf8.decode(body as Buffer));
    } catch {
      done(invalidParameter('The request body is not UTF-8 text.'));
    }
  });
}

/** The requests whose bodies are on their way, each with the time it began. One timer watches all: one each would cost more. */
function watchBodies(app: FastifyInstance): Map<IncomingMessage, number> {
  const awaited = new Map<IncomingMessage, number>();
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (request.raw.method !== 'GET') awaited.set(request.raw, performance.now());
    done(null, payload);
  });
  const timer = setInterval(() => {
    const latestStart = performance.now() - slowestBodyMs;
    for (const [request, start] of awaited) {
      // They are in the order in which they began.
      if (start > latestStart && !request.destroyed) break;
      awaited.delete(request);
      request.destroy();
    }
  }, slowestBodyMs / 6).unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });
  return awaited;
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
