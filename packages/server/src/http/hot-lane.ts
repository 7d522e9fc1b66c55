import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Endpoint } from '@lazuli/contract';
import type { FastifyBaseLogger } from 'fastify';
import type { RequestMeter, RouteMeter } from '../telemetry/request-meter.ts';
import { addressOf } from './addressing.ts';
import type { Admission, AdmittedRequest } from './admission.ts';
import type { BodyWatch } from './body-watch.ts';
import { decodeContent, isOffered } from './content-coding.ts';
import { safetyHeaders } from './connections.ts';
import type { Answer, ShowAnswer } from './endpoint-route.ts';
import { answerToError, bodyTooLarge, contentOffer } from './error-response.ts';
import type { HostGuard } from './host-guard.ts';
import { checkContentType, decodeText } from './json-text.ts';
import { logRequest } from './request-log.ts';

/**
 * The lane of the logging verbs. A training loop sends little else, and for a body of a hundred bytes the web framework
 * costs more than the logging: routing, its request and reply objects, hooks. So a POST to exactly one of these paths is
 * answered straight from Node's request, through the same guard, admission, reader, handler and error table in the same
 * order. Everything else, a trailing slash included, is the framework's, which serves these endpoints too: what it
 * answers and what this lane answers must be the same.
 */
export interface HotLane {
  /** Takes a request, or leaves it to the framework. */
  take(request: IncomingMessage, response: ServerResponse): boolean;
}

export interface HotEndpoint {
  /** Without the static prefix. */
  readonly paths: readonly string[];
  readonly definition: Endpoint;
  readonly answer: Answer;
  readonly show: ShowAnswer;
}

export interface HotLaneParts {
  readonly endpoints: readonly HotEndpoint[];
  readonly hostGuard: HostGuard;
  readonly admission: Admission;
  readonly bodies: BodyWatch;
  readonly logger: FastifyBaseLogger;
  readonly maxBodySize: number;
  readonly requestIdOf: (request: IncomingMessage) => string;
  readonly requests: RequestMeter;
  readonly staticPrefix: string;
}

interface HotRoute {
  readonly definition: Endpoint;
  readonly answer: Answer;
  readonly show: ShowAnswer;
  readonly meter: RouteMeter;
}

const safety = Object.entries(safetyHeaders).flat();

export function createHotLane(parts: HotLaneParts): HotLane {
  const { hostGuard, admission, bodies, logger, maxBodySize, requestIdOf, requests, staticPrefix } = parts;
  const byPath = new Map(
    parts.endpoints.flatMap(({ paths, definition, answer, show }) =>
      paths.map((path): [string, HotRoute] => [
        staticPrefix + path,
        { definition, answer, show, meter: requests.route('POST', path) },
      ]),
    ),
  );

  async function serve(request: IncomingMessage, response: ServerResponse, url: string, route: HotRoute) {
    const start = performance.now();
    const id = requestIdOf(request);
    const address = addressOf(request);
    const admitted: AdmittedRequest = { headers: request.headers, address, caller: undefined };
    const end = (status: number, headers: Readonly<Record<string, string>>, body: string | Uint8Array): void => {
      const length = String(typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength);
      const fields = ['x-request-id', id, ...safety, ...Object.entries(headers).flat(), 'content-length', length];
      // Headers and body leave in one write.
      response.writeHead(status, fields).end(body);
      const ms = performance.now() - start;
      route.meter.answered(status, ms);
      logRequest(logger, { id, method: 'POST', url, status, ms, caller: admitted.caller });
    };
    try {
      const verdict = hostGuard('POST', url, request.headers.host, request.headers.origin);
      if (verdict !== undefined) {
        end(verdict.status, textHeaders, verdict.text);
        return;
      }
      checkContentType('POST', request.headers);
      const { definition, answer, show } = route;
      const caller = admission.admit(admitted, definition.actions, definition.scope ?? 'workspace');
      const known = caller instanceof Promise ? await caller : caller;
      const content = decodeContent(await readBody(request), request.headers, maxBodySize);
      const text = decodeText(content instanceof Promise ? await content : content);
      const body = await answer({ method: 'POST', url, text, params: noParams }, known);
      end(
        200,
        isOffered(request.headers) ? offeringHeaders : jsonHeaders,
        address === undefined ? body : show(body, known),
      );
    } catch (error) {
      // Whoever hung up gets no answer.
      if (response.destroyed) return;
      const { status, headers, body } = answerToError(error, id, { logger, address });
      end(status, headers, body);
    }
  }

  function readBody(request: IncomingMessage): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (Number(request.headers['content-length'] ?? 0) > maxBodySize) {
        reject(bodyTooLarge(maxBodySize));
        return;
      }
      bodies.begin(request);
      const chunks: Buffer[] = [];
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size > maxBodySize) reject(bodyTooLarge(maxBodySize));
        else chunks.push(chunk);
      });
      request.on('end', () => {
        bodies.end(request);
        resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
      });
      request.on('error', (error) => {
        bodies.end(request);
        reject(error);
      });
    });
  }

  return {
    take(request, response) {
      const url = request.url ?? '';
      const route = request.method === 'POST' ? byPath.get(url) : undefined;
      if (route === undefined) return false;
      void serve(request, response, url, route);
      return true;
    },
  };
}

const jsonHeaders = { 'content-type': 'application/json' };
const offeringHeaders = { ...jsonHeaders, ...contentOffer };
const textHeaders = { 'content-type': 'text/plain; charset=utf-8' };
const noParams = {};
