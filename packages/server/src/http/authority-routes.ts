import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { jsonAnswer, type AuthorityAnswer, type AuthorityRequest } from '../identity/authority.ts';
import type { AuthorityEndpoints } from '../identity/authority-endpoints.ts';
import { OAuthError, oauthErrorBody } from '../identity/oauth-error.ts';
import type { BodyWatch } from './body-watch.ts';
import { decodeText } from './json-text.ts';

/** The routes of the built-in authority. They ask for no credential: they are where one is got. */
export interface AuthorityRouteOptions {
  readonly authority: AuthorityEndpoints;
  readonly bodies: BodyWatch;
}

const largestForm = 64 * 1024;

export async function authorityRoutes(
  app: FastifyInstance,
  { authority, bodies }: AuthorityRouteOptions,
): Promise<void> {
  takeForms(app, bodies);
  app.setErrorHandler((error, request, reply) => {
    const refusal = asRefusal(error);
    // What is a defect is answered, and logged, as everywhere.
    if (refusal === undefined) throw error;
    request.log.debug({ code: `AADSTS${refusal.number}`, reason: refusal.message }, 'sign-in refused');
    const given = request.headers['client-request-id'];
    const correlationId = typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : undefined;
    return send(reply, request, jsonAnswer(oauthErrorBody(refusal, correlationId, Date.now()), refusal.status));
  });

  const serve = (
    method: 'GET' | 'POST',
    path: string,
    version: 'v1' | 'v2',
    answer: (request: AuthorityRequest) => AuthorityAnswer | Promise<AuthorityAnswer>,
  ): void => {
    app.route({
      method: method === 'GET' ? ['GET', 'HEAD'] : method,
      url: path,
      bodyLimit: largestForm,
      handler: async (request, reply) => send(reply, request, await answer(requestOf(request, method, version))),
    });
  };

  for (const [version, part] of [
    ['v1', ''],
    ['v2', '/v2.0'],
  ] as const) {
    serve('GET', `/:tenant${part}/.well-known/openid-configuration`, version, authority.openidConfiguration);
    serve('GET', `/:tenant/discovery${part}/keys`, version, authority.jsonWebKeySet);
    serve('POST', `/:tenant/oauth2${part}/token`, version, authority.token);
    serve('POST', `/:tenant/oauth2${part}/devicecode`, version, authority.deviceCode);
    serve('GET', `/:tenant/oauth2${part}/authorize`, version, authority.authorize);
    serve('POST', `/:tenant/oauth2${part}/authorize`, version, authority.authorize);
    serve('GET', `/:tenant/oauth2${part}/logout`, version, authority.logout);
  }
  serve('GET', '/:tenant/oauth2/deviceauth', 'v1', authority.deviceAuth);
  serve('POST', '/:tenant/oauth2/deviceauth', 'v1', authority.deviceAuth);
  serve('GET', '/common/discovery/instance', 'v1', authority.instanceDiscovery);
  serve('GET', '/common/userrealm/:user', 'v1', authority.userRealm);
  serve('GET', '/msi/token', 'v1', authority.managedIdentity);
  serve('POST', '/msi/token', 'v1', authority.managedIdentity);
  const { instanceMetadata } = authority;
  if (instanceMetadata !== undefined) {
    // *MSAL for JavaScript ends the path with a slash, MSAL for Python does not.*
    for (const end of ['', '/']) serve('GET', `/metadata/identity/oauth2/token${end}`, 'v1', instanceMetadata);
  }
}

/** A body that cannot be read, and a server that has too much to do, in the authority's words. */
function asRefusal(error: unknown): OAuthError | undefined {
  if (error instanceof OAuthError) return error;
  const { status, statusCode = status, message } = error as { status?: number; statusCode?: number; message: string };
  if (statusCode === 503) return new OAuthError('failed', message, { cause: error });
  const isCallers = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  return isCallers ? new OAuthError('malformed', message, { cause: error }) : undefined;
}

function takeForms(app: FastifyInstance, bodies: BodyWatch): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, (request, body, done) => {
    bodies.end(request.raw);
    try {
      done(null, decodeText(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (request.raw.method === 'POST') bodies.begin(request.raw);
    done(null, payload);
  });
}

function requestOf(request: FastifyRequest, method: 'GET' | 'POST', version: 'v1' | 'v2'): AuthorityRequest {
  const { url = '' } = request.raw;
  const mark = url.indexOf('?');
  return {
    method,
    tenant: (request.params as { tenant?: string }).tenant ?? 'common',
    version,
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    form: new URLSearchParams(typeof request.body === 'string' ? request.body : ''),
    headers: request.headers,
    remoteAddress: request.socket.remoteAddress,
  };
}

function send(reply: FastifyReply, request: FastifyRequest, { status, headers, body }: AuthorityAnswer): FastifyReply {
  const correlationId = request.headers['client-request-id'];
  if (typeof correlationId === 'string' && /^[\w-]{1,64}$/.test(correlationId)) {
    reply.header('client-request-id', correlationId);
  }
  return reply.code(status).headers(headers).send(body);
}
