import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../access/caller.ts';
import { armErrorOf, ArmError } from '../azure/arm-error.ts';
import type { ArmService, FoundRoute } from '../azure/arm-service.ts';
import type { Admission } from './admission.ts';
import type { BodyWatch } from './body-watch.ts';
import { answerToError } from './error-response.ts';
import { checkContentType, takeJsonText } from './json-text.ts';

/**
 * Azure Resource Manager behind the web framework. Its paths are of any depth and in any case, so they are the service's
 * to read; who calls and whether they may is settled before the body is read, as everywhere.
 */
export interface ArmRouteOptions {
  readonly arm: ArmService;
  readonly admission: Pick<Admission, 'identify'>;
  readonly bodies: BodyWatch;
  readonly staticPrefix: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    armRoute: FoundRoute | undefined;
  }
}

/** What ARM's paths begin with. */
const roots = ['subscriptions', 'tenants', 'providers', 'metadata', 'discovery', 'mferp'] as const;
const otherCase = new RegExp(`^/+(${roots.join('|')})(?=[/?]|$)`, 'i');

/** The first word of a path as the router knows it; the service reads the others in any case. */
export function armUrl(url: string): string {
  return url.replace(otherCase, (text) => text.toLowerCase());
}

/** A Fastify plugin that must stay encapsulated: its errors have ARM's shape. */
export async function armRoutes(app: FastifyInstance, options: ArmRouteOptions): Promise<void> {
  const { arm, admission, staticPrefix } = options;
  takeJsonText(app, options.bodies);
  app.decorateRequest('armRoute', undefined);
  app.setErrorHandler(sendArmError);

  async function admit(request: FastifyRequest): Promise<void> {
    const { pathname, searchParams } = urlOf(request, staticPrefix);
    const found = arm.find(request.method, pathname, searchParams);
    request.armRoute = found;
    if (found.access === 'anonymous') return;
    const { principal } = await admission.identify(request);
    await arm.admit(found, principal);
    // An action without a body says no type.
    if (hasBody(request)) checkContentType(request.method, request.headers);
  }

  for (const root of roots) {
    for (const url of [`/${root}`, `/${root}/*`]) {
      app.route({
        method: ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'],
        url,
        onRequest: admit,
        handler: async (request, reply) => {
          const found = request.armRoute as FoundRoute;
          const principal = request.caller?.principal ?? nobody;
          const {
            status = 200,
            headers = {},
            body,
          } = await arm.answer(found, principal, typeof request.body === 'string' ? request.body : '');
          reply.code(status).headers(headers);
          if (body === undefined) return reply.send();
          return reply.type('application/json; charset=utf-8').send(JSON.stringify(body));
        },
      });
    }
  }
}

/** Who asks what anybody may ask. */
const nobody: Principal = {
  objectId: '00000000-0000-0000-0000-000000000000',
  name: 'nobody',
  kind: 'Anonymous',
  groups: [],
  grants: [],
};

function hasBody({ headers }: FastifyRequest): boolean {
  return (
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length'] ?? 0) > 0 ||
    'content-type' in headers
  );
}

function urlOf(
  { raw: { url = '/' } }: FastifyRequest,
  staticPrefix: string,
): { pathname: string; searchParams: URLSearchParams } {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  // As text: a path that begins with two slashes would have a URL's reader take its first word for a host.
  return {
    pathname: path.slice(staticPrefix.length),
    searchParams: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
  };
}

function sendArmError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, headers, error } = armAnswerTo(thrown, request);
  return reply
    .code(status)
    .headers({ ...headers, 'x-ms-failure-cause': 'gateway', 'x-ms-request-id': request.id })
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(error));
}

/** What is no word of ARM's is answered as everywhere, and logged there where it is a defect; its shape alone is ARM's. */
function armAnswerTo(thrown: unknown, { id, log }: FastifyRequest) {
  if (thrown instanceof ArmError) return { status: thrown.status, headers: {}, error: thrown };
  const { status, headers, body } = answerToError(thrown, id, { logger: log, address: undefined });
  const { message } = JSON.parse(body) as { message: string };
  const error =
    armErrorOf(thrown) ?? new ArmError(status, status < 500 ? 'BadRequest' : 'InternalServerError', message);
  return { status, headers, error };
}
