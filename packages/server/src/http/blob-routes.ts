import { blobTransfers } from '@lazuli/contract';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BlobRequest, BlobTransfers } from '../azure/blob-transfers.ts';
import { discardRest, sendDownload, uploadOf } from './artifact-transfer.ts';
import { answerToError } from './error-response.ts';
import { readSmallText } from './small-text.ts';

/** Routes for signed URLs. They take no `Authorization`: the URL is the credential, and errors have the shape of Azure's blobs. */
export async function blobRoutes(app: FastifyInstance, blobs: BlobTransfers): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });
  const url = `${blobTransfers.path}/:workspace/*`;
  app.route({
    method: ['GET', 'HEAD'],
    url,
    errorHandler: (error, request, reply) => void sendBlobError(error, request, reply),
    async handler(request, reply) {
      const { headers } = request;
      const answer = await blobs.get(requestOf(request), {
        part: request.method === 'HEAD' ? 'headers' : 'content',
        // *Azure's clients send their own header, which goes before the usual one.*
        range: one(headers['x-ms-range']) ?? headers.range,
        ifMatch: headers['if-match'],
        ifNoneMatch: headers['if-none-match'],
        ifModifiedSince: headers['if-modified-since'],
      });
      const code = codes[answer.status];
      if (answer.status > 400 && code !== undefined) reply.header('x-ms-error-code', code);
      return await sendDownload(reply.header('x-ms-blob-type', 'BlockBlob'), answer);
    },
  });
  app.route({
    method: 'PUT',
    url,
    errorHandler: (error, request, reply) => void sendBlobError(error, request, reply),
    async onRequest({ raw }) {
      delete raw.headers['content-type'];
    },
    async handler(request, reply) {
      try {
        await put(blobs, request);
      } catch (error) {
        discardRest(request);
        throw error;
      }
      return reply.code(201).send();
    },
  });
}

async function put(blobs: BlobTransfers, request: FastifyRequest): Promise<void> {
  const asked = requestOf(request);
  switch (asked.query.get('comp')) {
    case 'block':
      await blobs.putBlock(asked, asked.query.get('blockid') ?? '', uploadOf(request));
      break;
    case 'blocklist':
      await blobs.putBlockList(asked, await readSmallText(request));
      break;
    default:
      await blobs.put(asked, uploadOf(request));
  }
}

function requestOf(request: FastifyRequest): BlobRequest {
  const { workspace, '*': path } = request.params as { readonly workspace: string; readonly '*': string };
  const { url = '' } = request.raw;
  const query = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  return {
    workspaceGuid: workspace,
    path,
    query,
    host: request.headers.host,
    admitted: (caller) => (request.caller = caller),
  };
}

/** *Azure's clients tell errors apart by `x-ms-error-code`.* */
const codes: Readonly<Record<number, string>> = {
  400: 'InvalidInput',
  403: 'AuthenticationFailed',
  404: 'BlobNotFound',
  409: 'BlobAlreadyExists',
  412: 'ConditionNotMet',
  413: 'RequestBodyTooLarge',
  416: 'InvalidRange',
  503: 'ServerBusy',
};

function sendBlobError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, headers, body } = answerToError(error, request.id, { logger: request.log, address: undefined });
  const { message } = JSON.parse(body) as { readonly message: string };
  const code = codes[status] ?? 'InternalError';
  const xml = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${escaped(message)}</Message></Error>`;
  return reply
    .code(status)
    .headers({ ...headers, 'content-type': 'application/xml', 'x-ms-error-code': code })
    .send(request.method === 'HEAD' ? undefined : xml);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
