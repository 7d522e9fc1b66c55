import { invalidParameter, MlflowError } from '@lazuli/contract';
import { isLoopback } from '../loopback.ts';
import type { CallOptions, Transport } from '../transport.ts';
import { checkArtifactPath, encodePath, inParallel, type TransferOptions, type Upload } from './artifact-store.ts';
import { hashing, type DigestOf } from './content-digest.ts';
import { blobVersion, putBlob } from './signed-blob.ts';

/**
 * Puts files into a container of Azure Blob Storage, by one signed address for all of them. A blob that is there in the size of
 * its file stays as it is, so that an upload that was broken off goes on where it was: folders are to be named by their content.
 * Gives the bytes that were sent.
 */
export async function putInContainer(
  transport: Transport,
  address: string,
  uploads: readonly Upload[],
  options: TransferOptions,
  digestOf: DigestOf | undefined,
): Promise<number> {
  let sent = 0;
  const urlOf = addressing(address);
  const hashes = hashing(options.verify, digestOf);
  await inParallel(uploads, options.parallel ?? 4, async ({ path, content }) => {
    const url = urlOf(path);
    try {
      if ((await sizeOf(transport, url, options)) === content.size) {
        options.onProgress?.({ path, bytes: content.size, total: content.size });
      } else {
        await putBlob(transport, { url, path, content, existing: 'replaced' }, options, hashes);
        sent += content.size;
      }
    } catch (cause) {
      if (isUnreadable(cause)) throw invalidParameter(`'${path}' cannot be read, or has changed meanwhile.`);
      if (!(cause instanceof MlflowError)) throw cause;
      const { errorCode, status, message } = cause;
      throw new MlflowError(errorCode, `'${path}' could not be uploaded: ${message}`, { status, cause });
    }
  });
  return sent;
}

/** *A Blob of a file that is not any more what it was when it was opened.* */
function isUnreadable(error: unknown): boolean {
  return error instanceof Error && error.name === 'NotReadableError';
}

/** The address of a file: the signature of the container goes with each. */
function addressing(address: string): (path: string) => string {
  const container = URL.canParse(address) ? new URL(address) : undefined;
  // Who reads the signature on its way may write, too.
  const isSafe = container?.protocol === 'https:' || (container !== undefined && isLoopback(container.hostname));
  if (!isSafe)
    throw invalidParameter('The signed address of a container of Azure Blob Storage must begin with https://.');
  const { origin, pathname, search } = container;
  return (path) => `${origin}${pathname.replace(/\/+$/, '')}/${encodePath(checkArtifactPath(path))}${search}`;
}

/** Bytes of a blob; of none where it is not there, or where the signature does not let one look. */
async function sizeOf(transport: Transport, url: string, { signal }: CallOptions): Promise<number | undefined> {
  const { ok, headers } = await transport.exchange('HEAD', url, {
    signed: 'by URL',
    headers: { 'x-ms-version': blobVersion, 'accept-encoding': 'identity' },
    accept: [403, 404],
    ...(signal === undefined ? {} : { signal }),
  });
  return ok ? Number(headers.get('content-length') ?? Number.NaN) : undefined;
}
