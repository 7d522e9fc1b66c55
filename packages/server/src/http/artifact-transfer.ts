import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { transferRoutes, transfers } from '@lazuli/contract';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../access/caller.ts';
import type { ArtifactTransfers, Download, Wanted } from '../artifacts/artifact-transfers.ts';
import type { UploadBody } from '../artifacts/upload-body.ts';

/**
 * Routes for the bytes of artifacts. A body is never held: it flows from the socket to the store and back at the pace of
 * the slower one. The router decodes the rest of the path exactly once; the transfers check it.
 */
export interface ArtifactTransferOptions {
  readonly transfers: ArtifactTransfers;
  /** Who calls, once it is clear that they may do one of these actions. */
  authorize(request: FastifyRequest, actions: readonly string[]): Promise<Caller>;
  /** No limit by default. */
  readonly maxUploadBytes?: number | undefined;
}

/** A Fastify plugin that must stay encapsulated: it takes every content type, for its own routes only. */
export async function artifactTransferRoutes(app: FastifyInstance, options: ArtifactTransferOptions): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });
  const download = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const caller = await options.authorize(request, transfers.downloadArtifact.actions);
    const answer = await options.transfers.download(caller, restOfPath(request), wantedOf(request));
    return sendDownload(reply, answer);
  };
  for (const prefix of ['/api', '/ajax-api']) {
    const path = `${prefix}${transfers.downloadArtifact.path.replace('{*artifact_path}', '*')}`;
    app.route({ method: ['GET', 'HEAD'], url: path, handler: download });
    app.route({ method: 'PUT', url: path, onRequest: takeAnyType, handler: uploadHandler(options) });
  }
  app.route({
    method: ['GET', 'HEAD'],
    url: '/get-artifact',
    async handler(request, reply) {
      const caller = await options.authorize(request, transfers.downloadArtifact.actions);
      const runId = queryValue(request, 'run_id') ?? queryValue(request, 'run_uuid');
      const path = queryValue(request, 'path');
      return sendDownload(reply, await options.transfers.downloadOfRun(caller, runId, path, wantedOf(request)));
    },
  });
  for (const { path } of transferRoutes(transfers.downloadModelFile)) {
    app.route({
      method: ['GET', 'HEAD'],
      url: path.replace('{model_id}', ':model_id'),
      async handler(request, reply) {
        const caller = await options.authorize(request, transfers.downloadModelFile.actions);
        const { model_id: modelId } = request.params as { readonly model_id: string };
        const path = queryValue(request, 'artifact_file_path');
        return sendDownload(reply, await options.transfers.downloadOfModel(caller, modelId, path, wantedOf(request)));
      },
    });
  }
}

function uploadHandler(options: ArtifactTransferOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    try {
      const caller = await options.authorize(request, transfers.uploadArtifact.actions);
      await options.transfers.upload(caller, restOfPath(request), {
        ...uploadOf(request),
        maxBytes: options.maxUploadBytes,
      });
    } catch (error) {
      discardRest(request);
      throw error;
    }
    return reply.code(200).send();
  };
}

/** The body of an upload, as it comes in. */
export function uploadOf(request: FastifyRequest): UploadBody {
  return {
    // An iterator that gives up would otherwise take the request with it, and nothing could be read on.
    content: request.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
    length: lengthOf(request),
    maxBytes: undefined,
  };
}

/** Any type is taken, one that is no type at all too: it is not kept. */
async function takeAnyType(request: FastifyRequest): Promise<void> {
  delete request.raw.headers['content-type'];
}

const maxDiscardedBytes = 64 * 1024 * 1024;
const maxDiscardingMs = 30_000;

/**
 * Clients read an answer only when they have sent all they had, so a refused upload is read on for a while; closing at
 * once would lose the answer. Only for a while, because nobody should be able to send for ever.
 */
export function discardRest({ raw }: FastifyRequest): void {
  if (raw.readableEnded || raw.destroyed) return;
  let discarded = 0;
  const timer = setTimeout(() => raw.destroy(), maxDiscardingMs).unref();
  raw.on('data', (chunk: Uint8Array) => {
    discarded += chunk.byteLength;
    if (discarded > maxDiscardedBytes) raw.destroy();
  });
  raw.once('close', () => clearTimeout(timer));
  raw.on('error', () => undefined);
  raw.resume();
}

export async function sendDownload(reply: FastifyReply, { status, headers, sendTo }: Download): Promise<FastifyReply> {
  reply.code(status).headers(headers);
  if (sendTo === undefined) return reply.send();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(status, reply.getHeaders() as OutgoingHttpHeaders);
  try {
    await sendTo((piece) => written(raw, piece));
    raw.end();
  } catch (error) {
    // The status is on its way already; what tells the client is a body that ends too early.
    if (!raw.destroyed) reply.log.error({ err: error }, 'a download failed');
    raw.destroy();
  }
  return reply;
}

/** Resolves when the socket has let go of the memory; a response that is cut off calls back for some writes only. */
function written(raw: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const cutOff = (): void => reject(new Error('the client went away'));
    if (raw.destroyed) {
      cutOff();
      return;
    }
    raw.once('close', cutOff);
    raw.write(piece, (error) => {
      raw.off('close', cutOff);
      if (error) reject(error);
      else resolve();
    });
  });
}

function wantedOf({ method, headers }: FastifyRequest): Wanted {
  return {
    part: method === 'HEAD' ? 'headers' : 'content',
    range: headers.range,
    ifRange: headers['if-range']?.toString(),
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
  };
}

function restOfPath(request: FastifyRequest): string {
  return (request.params as { readonly '*': string })['*'];
}

/** *A repeated parameter: the first one counts.* */
function queryValue(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, string | string[] | undefined>>)[name];
  return Array.isArray(value) ? value[0] : value;
}

function lengthOf({ headers }: FastifyRequest): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}
