import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { artifacts, directTransfers, MlflowError } from '@lazuli/contract';
import { afterEach, beforeEach } from 'vitest';
import Fastify, { type FastifyReply } from 'fastify';
import type { Caller, WorkspaceRef } from '../../src/access/caller.ts';
import { openRoot, type ArtifactRoot } from '../../src/artifact-store/artifact-root.ts';
import type { ArtifactStore } from '../../src/artifact-store/artifact-store.ts';
import { openLocalFolder, stagingFolder } from '../../src/artifact-store/local-folder.ts';
import { artifactHandlers, type ArtifactRoom } from '../../src/artifacts/artifact-handlers.ts';
import { artifactTransfers } from '../../src/artifacts/artifact-transfers.ts';
import { directTransferHandlers } from '../../src/artifacts/direct-transfer-handlers.ts';
import type { Admission, AdmittedRequest } from '../../src/http/admission.ts';
import { artifactTransferRoutes } from '../../src/http/artifact-transfer.ts';
import { createBodyWatch } from '../../src/http/body-watch.ts';
import { asItIs, endpointRoutes } from '../../src/http/endpoint-route.ts';
import { takeJsonText } from '../../src/http/json-text.ts';

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
  /** Artifact URIs by id of a run or a model, or by name and version, of the first workspace. */
  readonly runs: Map<string, string>;
  /** The actions that were asked for, in the order of the requests. */
  readonly decided: (readonly string[])[];
  staged(): Promise<string[]>;
}

export const first = aWorkspace(1, '11111111-1111-4111-8111-111111111111');
export const second = aWorkspace(2, '22222222-2222-4222-8222-222222222222');

export async function anArtifactServer(
  options: {
    maxUploadBytes?: number;
    store?: ArtifactStore;
    roots?: readonly ArtifactRoot[];
    directTransfers?: 'on' | 'off';
  } = {},
): Promise<ArtifactServer> {
  const outside = await mkdtemp(join(tmpdir(), 'artifact-server-'));
  const destination = join(outside, 'artifacts');
  const localRoot = join(outside, 'mlruns');
  await mkdir(join(localRoot, first.guid), { recursive: true });
  await writeFile(join(outside, 'secret'), 'secret');
  const runs = new Map([['run', 'mlflow-artifacts:/0/run/artifacts']]);
  const room: ArtifactRoom = {
    store: options.store ?? (await openLocalFolder({ root: destination, staleBefore: () => 0 })),
    roots: [
      await openRoot({ destination: localRoot, staleBefore: () => 0, environment: {} }),
      ...(options.roots ?? []),
    ],
    directTransfers: options.directTransfers ?? 'on',
    async findRun({ workspaceId }, runId) {
      const uri = workspaceId === first.workspaceId ? runs.get(runId) : undefined;
      if (uri === undefined) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `Run with id=${runId} not found`);
      return { artifact_uri: uri };
    },
    findModel: (workspace, modelId) => room.findRun(workspace, modelId),
    findVersion: (workspace, name, version) => room.findRun(workspace, `${name}/${version}`),
  };
  const decided: (readonly string[])[] = [];
  const app = Fastify({
    forceCloseConnections: true,
    routerOptions: { ignoreDuplicateSlashes: true, maxParamLength: 8_192 },
    frameworkErrors: (error, _request, reply: FastifyReply) =>
      void reply.code(error.statusCode ?? 400).send({ message: error.message }),
  });
  app.decorateRequest('caller', undefined);
  app.setErrorHandler(async (error, _request, reply) => {
    const known = error instanceof MlflowError ? error : undefined;
    const status = known?.status ?? (error as { statusCode?: number }).statusCode ?? 500;
    return await reply.code(status).send(known?.toJSON() ?? { error_code: 'OTHER', message: String(error) });
  });
  const authorize = async (asked: AdmittedRequest, actions: readonly string[]): Promise<Caller> => {
    decided.push(actions);
    if (asked.headers.authorization === 'nobody') throw new MlflowError('PERMISSION_DENIED', 'no');
    const workspace = asked.headers['x-workspace'] === 'second' ? second : first;
    return {
      principal: { objectId: first.guid, name: 'anonymous', kind: 'Anonymous', groups: [], grants: [] },
      workspace,
    };
  };
  await app.register(artifactTransferRoutes, { transfers: artifactTransfers(room), authorize, ...options });
  await app.register(async (api) => {
    const bodies = createBodyWatch();
    api.addHook('onClose', async () => bodies.close());
    takeJsonText(api, bodies);
    const admission: Admission = {
      async admit(asked, actions) {
        asked.caller = await authorize(asked, actions);
        return asked.caller;
      },
      identify: (asked) => authorize(asked, []),
    };
    const admitted = { admission, showLocations: asItIs };
    endpointRoutes(api, artifacts, artifactHandlers(room), admitted);
    endpointRoutes(api, directTransfers, directTransferHandlers(room), admitted);
  });
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

/** A server for each test of a file, and what its proxy is asked most. */
export function aServerForEachTest(): {
  readonly server: ArtifactServer;
  readonly put: (name: string, body: string | Uint8Array, headers?: OutgoingHttpHeaders) => Promise<Answer>;
  readonly get: (name: string, headers?: OutgoingHttpHeaders) => Promise<Answer>;
} {
  let server: ArtifactServer;
  beforeEach(async () => {
    server = await anArtifactServer();
  });
  afterEach(() => server[Symbol.asyncDispose]());
  return {
    get server() {
      return server;
    },
    put: (name, body, headers = {}) => send(server, 'PUT', `${proxy}/${name}`, { body, headers }),
    get: (name, headers = {}) => send(server, 'GET', `${proxy}/${name}`, { headers }),
  };
}

export const proxy = '/api/2.0/mlflow-artifacts/artifacts';

export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function aWorkspace(workspaceId: number, guid: string): WorkspaceRef {
  const place = { subscriptionId: '00000000-0000-0000-0000-000000000000', resourceGroup: 'default' };
  return {
    workspaceId,
    guid,
    name: `workspace-${workspaceId}`,
    defaultArtifactRoot: null,
    region: 'local',
    privateLink: false,
    ...place,
  };
}
