import { randomUUID } from 'node:crypto';
import type { BlockBlobClient, ContainerClient } from '@azure/storage-blob';
import { invalidParameter } from '@lazuli/contract';
import type { SignedRequest } from './artifact-store.ts';
import type { SignBlob } from './azure-signer.ts';
import { contentDisposition } from './content-disposition.ts';
import type { DirectRequests } from './object-store.ts';

/** Transfers between clients and Azure, by URLs each of which is good for one blob. */
export function directRequests(container: ContainerClient, sign: SignBlob): DirectRequests {
  const blob = (key: string): BlockBlobClient => container.getBlockBlobClient(key);
  const signed = async (
    key: string,
    letters: string,
    seconds: number,
    contentDisposition?: string,
  ): Promise<string> => {
    const query = await sign({
      ...{ containerName: container.containerName, blobName: key, letters, seconds },
      ...(contentDisposition === undefined ? {} : { contentDisposition, contentType: 'application/octet-stream' }),
    });
    // Where the server has a token of its own in its URL, it is not handed on.
    return `${blob(key).url.split('?', 1)[0]}?${query}`;
  };
  return {
    async signedDownload(key, seconds) {
      // A link that someone opens must not show a page in the store's origin either.
      const name = contentDisposition(key.slice(key.lastIndexOf('/') + 1));
      return { url: await signed(key, 'r', seconds, name), headers: {} };
    },
    async signedUpload(key, seconds) {
      return { url: await signed(key, 'cw', seconds), headers: { 'x-ms-blob-type': 'BlockBlob' } };
    },
    async createUpload(key, count, seconds) {
      const uploadId = randomUUID();
      const url = await signed(key, 'cw', seconds);
      const parts = Array.from({ length: count }, (_, index): SignedRequest => {
        const block = encodeURIComponent(blockId(uploadId, index + 1));
        return { url: `${url}&comp=block&blockid=${block}`, headers: {} };
      });
      return { uploadId, parts };
    },
    async completeUpload(key, uploadId, parts) {
      await blob(key).commitBlockList(parts.map(({ number }) => blockId(checkUploadId(uploadId), number)));
    },
    async abortUpload(_key, uploadId) {
      // Azure forgets blocks that nobody commits within a week; nothing shows them meanwhile.
      checkUploadId(uploadId);
    },
  };
}

/** Of one length for all blocks of a blob, as Azure wants it. */
export function blockId(uploadId: string, number: number): string {
  return Buffer.from(`${uploadId}-${String(number).padStart(6, '0')}`).toString('base64');
}

function checkUploadId(uploadId: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uploadId)) throw invalidParameter('There is no such upload');
  return uploadId;
}
