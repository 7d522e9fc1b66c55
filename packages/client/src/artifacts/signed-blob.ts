import { MlflowError } from '@lazuli/contract';
import type { CallOptions, Transport } from '../transport.ts';
import { inParallel, openedFrom, type TransferOptions, type Upload } from './artifact-store.ts';
import { md5Header, type DigestOf } from './content-digest.ts';

/** A blob of Azure Blob Storage behind a signed URL: written at once or in blocks, read in ranges. */
export const blobVersion = '2025-11-05';
/** *Azure ML's own client sends more than this in blocks of 4 MiB.* */
const largestPut = 64 * 1024 ** 2;
const blockSize = 4 * 1024 ** 2;
/** *Azure: a blob has no more blocks than these.* */
const mostBlocks = 50_000;
const rangeSize = 32 * 1024 ** 2;

export interface BlobUpload extends Upload {
  readonly url: string;
  /** What becomes of a blob that is there already. */
  readonly existing: 'refused' | 'replaced';
}

export async function putBlob(
  transport: Transport,
  { url, path, content, existing }: BlobUpload,
  { signal, parallel = 4, onProgress }: TransferOptions,
  hashes: DigestOf | undefined,
): Promise<void> {
  const md5Of = (piece: Blob) => md5Header(piece, hashes);
  const common = { signed: 'by URL', ...(signal === undefined ? {} : { signal }) } as const;
  const headers = { 'x-ms-version': blobVersion };
  const whole = existing === 'refused' ? { ...headers, 'if-none-match': '*' } : headers;
  const told = (bytes: number): void => onProgress?.({ path, bytes, total: content.size });
  if (content.size <= largestPut) {
    const response = await transport.exchange('PUT', url, {
      ...common,
      body: content.size === 0 ? new Uint8Array() : content,
      headers: {
        ...whole,
        ...(await md5Of(content)),
        'x-ms-blob-type': 'BlockBlob',
        'content-type': 'application/octet-stream',
      },
      accept: [409],
    });
    await confirm(response);
    told(content.size);
    return;
  }
  const size = Math.max(blockSize, Math.ceil(content.size / mostBlocks));
  const blocks = Array.from({ length: Math.ceil(content.size / size) }, (_, index) => ({
    id: btoa(String(index).padStart(8, '0')),
    start: index * size,
  }));
  let bytes = 0;
  await inParallel(blocks, parallel, async ({ id, start }) => {
    const body = content.slice(start, start + size);
    const response = await transport.exchange('PUT', withQuery(url, { comp: 'block', blockid: id }), {
      ...common,
      headers: { ...headers, ...(await md5Of(body)) },
      body,
    });
    await response.body?.cancel();
    bytes += body.size;
    told(bytes);
  });
  const list = blocks.map(({ id }) => `<Latest>${id}</Latest>`).join('');
  const response = await transport.exchange('PUT', withQuery(url, { comp: 'blocklist' }), {
    ...common,
    headers: { ...whole, 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`,
    accept: [409],
  });
  await confirm(response);
}

/** *Blob storage answers 409 to a write of what must be new and is there.* */
async function confirm(response: Response): Promise<void> {
  const text = await response.text();
  if (response.status !== 409) return;
  const code = response.headers.get('x-ms-error-code') ?? 'Conflict';
  throw new MlflowError('RESOURCE_ALREADY_EXISTS', `The artifact is there already (${code}). ${text.slice(0, 200)}`, {
    status: 409,
  });
}

/** *The names come before those of the signature.* */
function withQuery(url: string, names: Record<string, string>): string {
  const [address = '', query = ''] = url.split('?');
  return `${address}?${new URLSearchParams(names).toString()}${query === '' ? '' : `&${query}`}`;
}

/** Reads a blob in ranges, so that a connection that breaks costs one of them. */
export async function openBlob(
  transport: Transport,
  url: string,
  offset: number,
  etag: string | undefined,
  options: CallOptions,
) {
  const range = (start: number, known: string | undefined): Promise<Response> =>
    transport.exchange('GET', url, {
      signed: 'by URL',
      headers: {
        'x-ms-version': blobVersion,
        'x-ms-range': `bytes=${start}-${start + rangeSize - 1}`,
        ...(known === undefined ? {} : { 'if-match': known }),
      },
      accept: [416],
      ...options,
    });
  const first = await range(offset, etag);
  if (first.status === 416) return { ...openedFrom(new Response()), offset: 0, size: 0 };
  const opened = openedFrom(first);
  const { size } = opened;
  if (first.status !== 206 || size === undefined) return opened;
  const version = etag ?? opened.etag;
  let at = opened.offset;
  let reader = opened.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const { done, value } = await reader.read();
        if (!done) {
          at += value.byteLength;
          controller.enqueue(value);
          return;
        }
        if (at >= size) {
          controller.close();
          return;
        }
        reader = openedFrom(await range(at, version)).body.getReader();
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { ...opened, body };
}
