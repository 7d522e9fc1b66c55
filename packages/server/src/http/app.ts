import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import {
  contract,
  MlflowError,
  routesOf,
  transferRoutes,
  transfers,
  type Contract,
  type Endpoint,
} from '@lazuli/contract';
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Authenticator } from '../access/authenticate.ts';
import type { Handlers } from '../access/caller.ts';
import type { ArtifactTransfers } from '../artifacts/artifact-transfers.ts';
import type { AuthorityEndpoints } from '../identity/authority-endpoints.ts';
import type { ArmService } from '../azure/arm-service.ts';
import type { BlobTransfers } from '../azure/blob-transfers.ts';
import type { Readiness } from '../telemetry/readiness.ts';
import type { RequestMeter } from '../telemetry/request-meter.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { addressOf, takeAddress } from './addressing.ts';
import { createAdmission, type AddressedWorkspaces, type AdmissionParts } from './admission.ts';
import { armRoutes, armUrl } from './arm-routes.ts';
import { artifactTransferRoutes } from './artifact-transfer.ts';
import { authorityRoutes } from './authority-routes.ts';
import { safetyHeaders, watchConnections } from './connections.ts';
import { answerOf, asItIs, endpointRoutes, routerPath, showsLocations, type ShowAnswer } from './endpoint-route.ts';
import { sendError } from './error-response.ts';
import type { HostGuard } from './host-guard.ts';
import { blobRoutes } from './blob-routes.ts';
import { createBodyWatch } from './body-watch.ts';
import { createHotLane, type HotEndpoint } from './hot-lane.ts';
import { takeJsonText } from './json-text.ts';
import { probeRoutes } from './probe-routes.ts';
import { createRequestIds } from './request-id.ts';
import { logRequest } from './request-log.ts';
import { createTlsListener, type ListenerCredentials, type TlsListener } from './tls-listener.ts';
import type { WelcomePage } from './welcome-page.ts';

/** What a server answers with, handed over by the composition: this room imports no store. */
export interface AppParts {
  readonly handlers: {
    readonly [Group in keyof Contract]: Group extends 'runs'
      ? Handlers<Contract['runs'], 'logBatch'>
      : Handlers<Contract[Group]>;
  };
  readonly showLocations: ShowAnswer;
  readonly transfers: ArtifactTransfers;
  readonly arm: ArmService;
  readonly authority: AuthorityEndpoints;
  readonly blobs: BlobTransfers;
  readonly authenticator: Authenticator;
  readonly workspaces: AddressedWorkspaces;
  readonly decider: AdmissionParts['decider'];
  readonly catchUp: AdmissionParts['catchUp'];
  readonly hostGuard: HostGuard;
  readonly welcomePage: () => WelcomePage;
  readonly readiness: Pick<Readiness, 'hindrance'>;
  readonly telemetry: Telemetry;
  readonly logger: FastifyBaseLogger;
  readonly version: string;
  readonly staticPrefix: string;
  readonly maxBodySize: number;
}

/** Longer than clients and balancers keep an idle connection, so that they close it and never meet a closed one. */
const keepAliveMs = 75_000;

const connectionTimeoutMs = 2 * 60_000;
const headersTimeoutMs = 30_000;
const nodeOptions = {
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 32 * 1024,
  // A second Host, Authorization or Content-Type is seen by the checks instead of being dropped.
  joinDuplicateHeaders: true,
  // The guard refuses a request without a Host.
  requireHostHeader: false,
};

export interface App {
  readonly app: FastifyInstance;
  /** A listener for HTTPS in front of the same app, which closes with it. */
  readonly listenerFor: (credentials: ListenerCredentials) => TlsListener;
}

export async function createApp(parts: AppParts): Promise<App> {
  const requestIdOf = createRequestIds();
  const { requests } = parts.telemetry;
  const app = fastify({
    loggerInstance: parts.logger,
    genReqId: requestIdOf,
    // The framework calls this for every request, also for those that came by no socket.
    rewriteUrl: (request) => armUrl(takeAddress(request, parts.staticPrefix)),
    logController: new LogController({ disableRequestLogging: true }),
    // One line a request, written below, names the request itself: a logger for each would cost more than the line.
    childLoggerFactory: (logger) => logger,
    bodyLimit: parts.maxBodySize,
    keepAliveTimeout: keepAliveMs,
    connectionTimeout: connectionTimeoutMs,
    // Uploads may take as long as they move; bodies of messages are watched on their own.
    requestTimeout: 0,
    http: { headersTimeout: headersTimeoutMs, ...nodeOptions },
    clientErrorHandler: (error, socket) => connections.refuse(error, socket),
    forceCloseConnections: 'idle',
    routerOptions: { ignoreDuplicateSlashes: true, maxParamLength: 8_192 },
    frameworkErrors: (error, request, reply) => refuseUnroutable(error, request, reply, requests),
  });
  // A client that has said all it wants to say still gets its answer.
  (app.server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  const connections = watchConnections(app.server);
  parts.telemetry.watchConnections(() => connections.count());
  // What Node and the framework call when they close.
  app.server.closeIdleConnections = () => connections.end();
  // *MLflow reads a JSON body of a GET without a query.*
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  app.decorateRequest('caller', undefined);
  app.decorateRequest('address', {
    getter() {
      return addressOf(this.raw);
    },
  });
  app.setErrorHandler(sendError);
  app.setNotFoundHandler(() => {
    throw new MlflowError('ENDPOINT_NOT_FOUND', 'No endpoint of this server has this path.');
  });
  guardEveryRequest(app, parts);
  const admission = createAdmission(parts);
  const bodies = createBodyWatch();
  app.addHook('onClose', (_app, done) => {
    bodies.close();
    done();
  });
  const listeners: TlsListener[] = [];
  let closing: Promise<unknown> | undefined;
  app.addHook('preClose', (done) => {
    closing = Promise.all(listeners.map((listener) => listener.close()));
    done();
  });
  app.addHook('onClose', async () => {
    connections.end();
    await closing;
  });
  const paths = methodsByPath();

  const azureRoutes = (staticPrefix: string) => async (api: FastifyInstance) => {
    await api.register(armRoutes, { ...parts, staticPrefix, admission, bodies });
    await api.register(authorityRoutes, { authority: parts.authority, bodies });
    await api.register((blobs) => blobRoutes(blobs, parts.blobs));
  };

  await app.register(
    async (prefixed) => {
      await prefixed.register(async (api) => {
        takeJsonText(api, bodies);
        for (const noun of Object.keys(contract) as (keyof Contract)[]) {
          endpointRoutes(api, contract[noun], parts.handlers[noun] as never, { ...parts, admission });
        }
        refuseOtherMethods(api, paths);
      });
      await prefixed.register(artifactTransferRoutes, {
        transfers: parts.transfers,
        authorize: async (request, actions) => admission.admit(request, actions as [string, ...string[]], 'workspace'),
      });
      await prefixed.register(azureRoutes(parts.staticPrefix));
      await prefixed.register(probeRoutes, { ...parts, admission });
      prefixed.get('/', async (_request, reply) => {
        const { html, headers } = parts.welcomePage();
        return reply.headers(headers).send(html);
      });
    },
    { prefix: parts.staticPrefix },
  );
  // *Azure's clients take hosts for addresses, and ask for their own paths there*; a path before them they would drop.
  if (parts.staticPrefix !== '') await app.register(azureRoutes(''));
  const hotLane = createHotLane({
    ...parts,
    endpoints: hotEndpoints(parts),
    admission,
    bodies,
    requestIdOf,
    requests,
  });
  leadPast(app, (request, response) => {
    takeAddress(request, parts.staticPrefix);
    return hotLane.take(request, response);
  });
  return {
    app,
    listenerFor(credentials) {
      const listener = createTlsListener(app, connections, credentials, {
        ...nodeOptions,
        headersTimeout: headersTimeoutMs,
        keepAliveTimeout: keepAliveMs,
        requestTimeout: 0,
        connectionTimeout: connectionTimeoutMs,
      });
      listeners.push(listener);
      return listener;
    },
  };
}

/** What training loops send: the logging verbs, which share commits, too. */
const hotNames = ['createRun', 'logMetric', 'logParam', 'setTag', 'logBatch'] as const;

function hotEndpoints({ handlers, showLocations }: AppParts): HotEndpoint[] {
  return hotNames.map((name) => ({
    paths: routesOf(contract.runs[name]).map(({ path }) => path),
    definition: contract.runs[name],
    answer: answerOf(contract.runs[name], handlers.runs[name]),
    show: showsLocations(contract.runs[name]) ? showLocations : asItIs,
  }));
}

/** Lets `take` have each request first; what it leaves is the framework's. */
function leadPast(app: FastifyInstance, take: (request: IncomingMessage, response: ServerResponse) => boolean): void {
  const [framework, ...watchers] = app.server.listeners('request') as RequestListener[];
  if (framework === undefined) throw new TypeError('The framework listens for requests.');
  app.server.removeAllListeners('request');
  for (const watcher of watchers) app.server.on('request', watcher);
  app.server.on('request', (request, response) => {
    if (!take(request, response)) framework(request, response);
  });
}

/** Before anything else of a request: is it meant for this server; after it: one line in the log, and one more to count. */
function guardEveryRequest(app: FastifyInstance, { hostGuard, staticPrefix, telemetry: { requests } }: AppParts): void {
  const templateOf = createTemplates(staticPrefix);
  app.addHook('onRequest', (request, reply, done) => {
    const { raw, headers } = request;
    reply.header('x-request-id', request.id).headers(safetyHeaders);
    const verdict = hostGuard(request.method, raw.url ?? '', headers.host, headers.origin);
    if (verdict !== undefined) {
      void reply.code(verdict.status).type('text/plain; charset=utf-8').send(verdict.text);
      return;
    }
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { id, method, caller, raw } = request;
    const { statusCode: status, elapsedTime: ms } = reply;
    requests.route(method, templateOf(request.routeOptions.url)).answered(status, ms);
    logRequest(request.log, { id, method, url: raw.url ?? '', status, ms, caller });
    done();
  });
}

/** A path that the router cannot read passes no hook: it is refused, logged and counted here. */
function refuseUnroutable(error: Error, request: FastifyRequest, reply: FastifyReply, requests: RequestMeter): void {
  const { id, method, raw } = request;
  const start = performance.now();
  reply.raw.once('finish', () => {
    const ms = performance.now() - start;
    requests.route(method, undefined).answered(reply.statusCode, ms);
    logRequest(request.log, { id, method, url: raw.url ?? '', status: reply.statusCode, ms, caller: undefined });
  });
  sendError(error, request, reply.header('x-request-id', id).headers(safetyHeaders));
}

/** From the router's spelling of a path to the contract's, without the static prefix. */
function createTemplates(staticPrefix: string): (url: string | undefined) => string | undefined {
  const known = new Map<string, string>();
  return (url) => {
    if (url === undefined) return undefined;
    let template = known.get(url);
    if (template === undefined) {
      template = url.slice(staticPrefix.length).replaceAll(/:(\w+)/g, '{$1}') || '/';
      known.set(url, template);
    }
    return template;
  };
}

function methodsByPath(): Map<string, Set<string>> {
  const methods = new Map<string, Set<string>>();
  const note = (path: string, method: string): void => {
    const url = routerPath(path);
    methods.set(url, (methods.get(url) ?? new Set()).add(method));
  };
  for (const group of Object.values(contract)) {
    for (const definition of Object.values<Endpoint>(group)) {
      for (const { method, path } of routesOf(definition)) note(path, method);
    }
  }
  for (const { method, path } of Object.values(transfers).flatMap(transferRoutes)) note(path, method);
  return methods;
}

/** A known path with another method is 405, and says which methods it has. */
function refuseOtherMethods(app: FastifyInstance, paths: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, methods] of paths) {
    const allowed = methods.has('GET') ? new Set([...methods, 'HEAD']) : methods;
    const others = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) => !allowed.has(method));
    app.route({
      method: others,
      url,
      onRequest: async (request, reply) => {
        const list = [...allowed].join(', ');
        reply.header('allow', list);
        throw new MlflowError('BAD_REQUEST', `${request.method} is not a method of this endpoint; it takes ${list}.`, {
          status: 405,
        });
      },
      handler: async () => undefined,
    });
  }
}
