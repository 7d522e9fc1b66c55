import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NotFound,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import { contentDisposition } from './content-disposition.ts';
import { folderPath, invalidPath } from './artifact-path.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { objectStore, replacedMeanwhile, type DirectRequests, type ObjectBucket } from './object-store.ts';
import type { S3Place } from '../settings/store-location.ts';
import { partUrls } from './s3-part-urls.ts';
import { partsOf, sendParts } from './upload-parts.ts';

/**
 * Artifacts in a bucket of S3 or of a store that speaks its protocol. Credentials and region come from where the AWS tools
 * look for them. Where an endpoint is named, buckets stand in its path: few such stores have a host name for each.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

export async function openS3({ bucket, path }: S3Place, environment: Environment): Promise<ArtifactStore> {
  const endpoint =
    environment.MLFLOW_S3_ENDPOINT_URL || environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL || undefined;
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || (endpoint && 'us-east-1');
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(region === undefined ? {} : { region }),
    // Many stores of the same protocol do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...keysOf(environment),
  });
  const place = `s3://${bucket}`;
  try {
    await client.config.credentials();
  } catch (cause) {
    const wanted = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE) or a role of the machine';
    throw new Error(`No AWS credentials were found for ${place}: give ${wanted}`, { cause });
  }
  try {
    await client.config.region();
  } catch (cause) {
    throw new Error(`No AWS region is known for ${place}: set AWS_REGION`, { cause });
  }
  await checkAccess(client, bucket, place);
  return objectStore(s3Bucket(client, bucket), folderPath(path));
}

/** Named here and not left to the provider, which reads the environment of the process. */
function keysOf({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN }: Environment) {
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return {};
  const keys = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  return { credentials: AWS_SESSION_TOKEN ? { ...keys, sessionToken: AWS_SESSION_TOKEN } : keys };
}

/** What stays wrong is said at the start; a store that cannot be reached just now may be back soon. */
async function checkAccess(client: S3Client, bucket: string, place: string): Promise<void> {
  try {
    await client.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }));
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined || status >= 500 || status === 429) return;
    const { name, message } = error as S3ServiceException;
    throw new Error(`${place} cannot be used for artifacts: ${name}: ${message}`, { cause: error });
  }
}

export function s3Bucket(client: S3Client, bucket: string): ObjectBucket {
  const at = (key: string) => ({ Bucket: bucket, Key: key });
  return {
    async head(key) {
      try {
        const { ContentLength = 0, LastModified, ETag = '' } = await client.send(new HeadObjectCommand(at(key)));
        return { size: ContentLength, modifiedMs: LastModified?.getTime() ?? 0, version: ETag.replaceAll('"', '') };
      } catch (error) {
        if (error instanceof NotFound || statusOf(error) === 404) return undefined;
        throw error;
      }
    },

    async read(key, version, { start, end }) {
      try {
        const answer = await client.send(
          new GetObjectCommand({ ...at(key), Range: `bytes=${start}-${end}`, IfMatch: `"${version}"` }),
        );
        // Not every store of this protocol looks at If-Match.
        if (answer.ETag?.replaceAll('"', '') === version && answer.Body instanceof Readable) return answer.Body;
        if (answer.Body instanceof Readable) answer.Body.destroy();
      } catch (error) {
        const status = statusOf(error);
        if (status !== 412 && status !== 404 && status !== 416) throw error;
        throw replacedMeanwhile(error);
      }
      throw replacedMeanwhile(undefined);
    },

    write: (key, content, expectedBytes) => write(client, at(key), partsOf(content, expectedBytes)),

    async list({ prefix, depth, limit, token }) {
      const answer = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          MaxKeys: limit,
          ContinuationToken: token,
          Delimiter: depth === 'folder' ? '/' : undefined,
        }),
      );
      return {
        keys: (answer.Contents ?? []).map(({ Key = '', Size = 0 }) => ({ key: Key, size: Size })),
        folders: (answer.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix),
        next: answer.IsTruncated === true ? answer.NextContinuationToken : undefined,
      };
    },

    async removeAll(keys) {
      const Objects = keys.map((Key) => ({ Key }));
      const { Errors = [] } = await client.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
      );
      const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
      if (failed !== undefined) throw new Error(`${failed.Code}: ${failed.Message}`);
    },

    explain,
    direct: directRequests(client, at),
  };
}

interface ObjectAt {
  readonly Bucket: string;
  readonly Key: string;
}

/** A file of one part goes in one request; a longer one is an upload in parts that is given up where anything fails. */
async function write(client: S3Client, at: ObjectAt, parts: AsyncGenerator<Buffer, void>): Promise<void> {
  const first = (await parts.next()).value ?? Buffer.alloc(0);
  const second = await parts.next();
  if (second.done === true) {
    await client.send(new PutObjectCommand({ ...at, Body: first }));
    return;
  }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(at));
  const all = async function* (): AsyncGenerator<Buffer> {
    yield first;
    yield second.value;
    yield* parts;
  };
  try {
    const etags: string[] = [];
    const count = await sendParts(all(), async (Body, index) => {
      const { ETag = '' } = await client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: index + 1, Body }));
      etags[index] = ETag;
    });
    const Parts = Array.from({ length: count }, (_, index) => ({ PartNumber: index + 1, ETag: etags[index] }));
    await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
  } catch (error) {
    // What cannot be given up either is invisible, and the bucket's rules for incomplete uploads end it.
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => undefined);
    throw error;
  }
}

function directRequests(client: S3Client, at: (key: string) => ObjectAt): DirectRequests {
  const signed = async (url: Promise<string>) => ({ url: await url, headers: {} });
  return {
    signedDownload: (key, expiresIn) => {
      const command = new GetObjectCommand({
        ...at(key),
        // A link that someone opens must not show a page in the store's origin either.
        ResponseContentDisposition: contentDisposition(key.slice(key.lastIndexOf('/') + 1)),
        ResponseContentType: 'application/octet-stream',
      });
      return signed(getSignedUrl(client, command, { expiresIn }));
    },
    signedUpload: (key, expiresIn) => signed(getSignedUrl(client, new PutObjectCommand(at(key)), { expiresIn })),
    async createUpload(key, count, expiresIn) {
      const { UploadId = '' } = await client.send(new CreateMultipartUploadCommand(at(key)));
      const urls = await partUrls(client, { ...at(key), UploadId }, { count, expiresIn });
      const parts = urls.map((url) => ({ url, headers: {} }));
      return { uploadId: UploadId, parts };
    },
    async completeUpload(key, UploadId, parts) {
      const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }));
      await client.send(new CompleteMultipartUploadCommand({ ...at(key), UploadId, MultipartUpload: { Parts } }));
    },
    async abortUpload(key, UploadId) {
      try {
        await client.send(new AbortMultipartUploadCommand({ ...at(key), UploadId }));
      } catch (error) {
        // What is not there has been given up already.
        if (!(error instanceof Error && error.name === 'NoSuchUpload')) throw error;
      }
    },
  };
}

const faultsOfCallers: Readonly<Record<string, string>> = {
  NoSuchUpload: 'There is no such upload: it was completed or aborted, or it is of another file',
  InvalidPart: 'A part was not uploaded, or its ETag is another one',
  InvalidPartOrder: 'The parts are not in the order of their numbers',
  EntityTooSmall: 'A part other than the last one is smaller than the artifact store allows',
};

function explain(error: unknown, path: string): Error {
  const name = error instanceof Error ? error.name : '';
  const fault = faultsOfCallers[name];
  if (fault !== undefined) return invalidParameter(fault);
  if (name === 'KeyTooLongError') return invalidPath('it is too long for the artifact store');
  if (name === 'InvalidArgument' && /continuation/i.test(String(error))) return invalidParameter('Invalid page token');
  const status = statusOf(error);
  const isPassing = status === undefined ? isOfNetwork(error) : status >= 500 || status === 429;
  return isPassing
    ? new MlflowError('TEMPORARILY_UNAVAILABLE', 'The artifact store cannot be reached or is busy', { cause: error })
    : new MlflowError('INTERNAL_ERROR', `The artifact store failed on '${path}'`, { cause: error });
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

function isOfNetwork(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return /^(E[A-Z]+|UND_ERR_\w+)$/.test(code) || error.name === 'TimeoutError';
}
