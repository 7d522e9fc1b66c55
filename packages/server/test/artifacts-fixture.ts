import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { MlflowError } from '@lazuli/contract';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Caller, WorkspaceRef } from '../src/access/caller.ts';
import type { ArtifactStore } from '../src/artifact-store/artifact-store.ts';
import { openLocalFolder, stagingFolder } from '../src/artifact-store/local-folder.ts';
import { artifactHandlers, type ArtifactRoom } from '../src/artifacts/artifact-handlers.ts';
import { artifactTransfers } from '../src/artifacts/artifact-transfers.ts';
import { artifactTransferRoutes } from '../src/http/artifact-transfer.ts';

/**
 * The artifact room behind its routes on a socket, with nothing else around it: two workspaces, chosen by a header, and
 * runs that the test makes up. Requests are raw HTTP, because clients tidy up paths before they send them.
 */
export interface ArtifactServer extends AsyncDisposable {
  readonly port: number;
  /** The folder around the artifact root; holds the file `secret` beside it. */
  readonly outside: string;
  readonly destination: string;
  readonly localRoot: string;
  /** Artifact URIs by run id, of the first workspace. */
  readonly runs: Map<string, string>;
  /** The actions that were asked for, in the order of the requests. */
  readonly decided: (readonly string[])[];
  staged(): Promise<string[]>;
}

export const first = aWorkspace(1, '11111111-1111-4111-8111-111111111111');
export const second = aWorkspace(2, '22222222-2222-4222-8222-222222222222');

export async function anArtifactServer(
  options: { maxUploadBytes?: number; store?: ArtifactStore } = {},
): Promise<ArtifactServer> {
  const outside = await mkdtemp(join(tmpdir(), 'artifact-server-'));
  const destination = join(outside, 'artifacts');
  const localRoot = join(outside, 'mlruns');
  await mkdir(join(localRoot, first.guid), { recursive: true });
  await writeFile(join(outside, 'secret'), 'secret');
  const runs = new Map([['run', 'mlflow-artifacts:/0/run/artifacts']]);
  const room: ArtifactRoom = {
    store: options.store ?? (await openLocalFolder({ root: destination, staleBefore: 0 })),
    localRoots: [localRoot],
    async findRun({ workspaceId }, runId) {
      const uri = workspaceId === first.workspaceId ? runs.get(runId) : undefined;
      if (uri === undefined) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `Run with id=${runId} not found`);
      return { artifact_uri: uri };
    },
    async findModel(_workspace, modelId) {
      throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `Logged model with ID '${modelId}' not found.`);
    },
  };
  const decided: (readonly string[])[] = [];
  const app = Fastify({
    forceCloseConnections: true,
    routerOptions: { ignoreDuplicateSlashes: true, maxParamLength: 8_192 },
    frameworkErrors: (error, _request, reply: FastifyReply) =>
      void reply.code(error.statusCode ?? 400).send({ message: error.message }),
  });
  app.setErrorHandler(async (error, _request, reply) => {
    const known = error instanceof MlflowError ? error : undefined;
    const status = known?.status ?? (error as { statusCode?: number }).statusCode ?? 500;
    return await reply.code(status).send(known?.toJSON() ?? { error_code: 'OTHER', message: String(error) });
  });
  const authorize = async (asked: FastifyRequest, actions: readonly string[]): Promise<Caller> => {
    decided.push(actions);
    if (asked.headers.authorization === 'nobody') throw new MlflowError('PERMISSION_DENIED', 'no');
    const workspace = asked.headers['x-workspace'] === 'second' ? second : first;
    return {
      principal: { objectId: first.guid, name: 'anonymous', kind: 'Anonymous', groups: [], grants: [] },
      workspace,
    };
  };
  await app.register(artifactTransferRoutes, { transfers: artifactTransfers(room), authorize, ...options });
  routeHandlers(app, room, authorize);
  await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    port: (app.server.address() as AddressInfo).port,
    ...{ outside, destination, localRoot, runs, decided },
    staged: () => readdir(join(destination, stagingFolder)),
    async [Symbol.asyncDispose]() {
      await app.close();
      await rm(outside, { recursive: true, force: true });
    },
  };
}

function routeHandlers(
  app: FastifyInstance,
  room: ArtifactRoom,
  authorize: (request: FastifyRequest, actions: readonly string[]) => Promise<Caller>,
): void {
  const handlers = artifactHandlers(room);
  for (const prefix of ['/api/2.0', '/ajax-api/2.0']) {
    app.get(`${prefix}/mlflow/artifacts/list`, async (asked) =>
      handlers.listArtifacts(asked.query as Record<string, string>, await authorize(asked, [])),
    );
    app.get(`${prefix}/mlflow-artifacts/artifacts`, async (asked) =>
      handlers.listProxiedArtifacts(asked.query as Record<string, string>, await authorize(asked, [])),
    );
    app.delete(`${prefix}/mlflow-artifacts/artifacts/*`, async (asked) => {
      const { '*': artifact_path } = asked.params as { '*': string };
      return await handlers.deleteProxiedArtifacts({ artifact_path }, await authorize(asked, []));
    });
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  readonly json: unknown;
}

/** Sends the path exactly as it is given. */
export async function send(
  { port }: ArtifactServer,
  method: string,
  path: string,
  given: { readonly headers?: OutgoingHttpHeaders; readonly body?: string | Uint8Array } = {},
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = request({ port, method, path, headers: given.headers ?? {}, agent: false }, (response) => {
      buffer(response).then((body) => {
        const text = body.toString();
        const isJson = response.headers['content-type']?.startsWith('application/json') === true;
        const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, text, json });
      }, reject);
    });
    sent.on('error', reject);
    sent.end(given.body);
  });
}

function aWorkspace(workspaceId: number, guid: string): WorkspaceRef {
  const place = { subscriptionId: '00000000-0000-0000-0000-000000000000', resourceGroup: 'default' };
  return {
    workspaceId,
    guid,
    name: `workspace-${workspaceId}`,
    defaultArtifactRoot: null,
    privateLink: false,
    ...place,
  };
}
