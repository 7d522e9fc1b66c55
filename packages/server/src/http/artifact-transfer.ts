import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { invalidParameter, transferRoutes, transfers } from '@lazuli/contract';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../access/caller.ts';
import type { ArtifactTransfers, TransferFields } from '../artifacts/artifact-transfers.ts';
import type { Download, Wanted } from '../artifacts/download.ts';
import { bodyPieces } from './body-pieces.ts';
import { routerPath } from './endpoint-route.ts';
import { digestWishes, wantedDigest } from '../artifacts/digest-fields.ts';
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
  const { downloads, uploads } = options.transfers;
  for (const [name, fetchFor] of entriesOf(downloads)) {
    for (const { path } of transferRoutes(transfers[name])) {
      app.route({
        method: ['GET', 'HEAD'],
        url: routerPath(path),
        async handler(request, reply) {
          const caller = await options.authorize(request, transfers[name].actions);
          return sendDownload(reply, await fetchFor(caller, fieldsOf(request), wantedOf(request)));
        },
      });
    }
  }
  for (const [name, take] of entriesOf(uploads)) {
    for (const { method, path } of transferRoutes(transfers[name])) {
      app.route({
        ...{ method, url: routerPath(path) },
        onRequest: method === 'POST' ? [refuseSimpleType, takeAnyType] : takeAnyType,
        async handler(request, reply) {
          try {
            const caller = await options.authorize(request, transfers[name].actions);
            const body = { ...uploadOf(request), maxBytes: options.maxUploadBytes };
            const digest = await take(caller, fieldsOf(request), body);
            if (digest !== undefined && method === 'PUT') reply.headers(digestHeaders(digest, request));
          } catch (error) {
            discardRest(request);
            throw error;
          }
          return reply.code(200).send();
        },
      });
    }
  }
}

function entriesOf<Of extends object>(of: Of): (readonly [keyof Of, Of[keyof Of]])[] {
  return Object.entries(of) as unknown as (readonly [keyof Of, Of[keyof Of]])[];
}

/** The body of an upload, as it comes in. */
export function uploadOf(request: FastifyRequest): UploadBody {
  const length = lengthOf(request);
  const digests = digestWishes(request.headers);
  return { content: bodyPieces(request.raw, length), length, maxBytes: undefined, digests };
}

/** *RFC 9530: in the answer to a PUT a digest is that of the file where `Content-Location` says that the file is meant.* */
function digestHeaders(digest: string, { url }: FastifyRequest): Readonly<Record<string, string>> {
  const [path = ''] = url.split('?', 1);
  return { 'repr-digest': digest, 'content-location': `.${path.slice(path.lastIndexOf('/'))}` };
}

const simpleTypes = new Set(['', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']);

/** A page of another origin sends a POST of these types without asking; a PUT of any type it has to ask for. */
async function refuseSimpleType({ headers }: FastifyRequest): Promise<void> {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!simpleTypes.has(type)) return;
  throw invalidParameter(
    `An upload by POST needs a Content-Type such as application/octet-stream, not '${type}', which any web page may send.`,
  );
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

/** The head goes with the first bytes: a store that fails before it has sent any is answered for as any error is. */
export async function sendDownload(reply: FastifyReply, { status, headers, sendTo }: Download): Promise<FastifyReply> {
  const { raw } = reply;
  const begin = (): void => {
    reply.hijack();
    raw.writeHead(status, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...headers });
  };
  try {
    await sendTo?.((piece) => {
      if (!raw.headersSent) begin();
      return written(raw, piece);
    });
  } catch (error) {
    if (!raw.headersSent) throw error;
    // The status is on its way already; what tells the client is a body that ends too early.
    if (!raw.destroyed) reply.log.error({ err: error }, 'a download failed');
    raw.destroy();
    return reply;
  }
  if (!raw.headersSent) return reply.code(status).headers(headers).send();
  raw.end();
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
    reprDigest: wantedDigest(headers['want-repr-digest']),
    contentDigest: wantedDigest(headers['want-content-digest']),
  };
}

/** The query and, before it, what the path holds. *A repeated parameter: the first one counts.* */
function fieldsOf(request: FastifyRequest): TransferFields {
  const query = request.query as Readonly<Record<string, string | string[] | undefined>>;
  const { '*': rest, ...params } = request.params as Readonly<Record<string, string>>;
  const given = Object.entries(query).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value] as const);
  return {
    ...Object.fromEntries<string | undefined>(given),
    ...params,
    ...(rest === undefined ? {} : { artifact_path: rest }),
  };
}

function lengthOf({ headers }: FastifyRequest): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}
