import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  AnonymousCredential,
  BlobServiceClient,
  RestError,
  StorageSharedKeyCredential,
  type BlockBlobClient,
  type ContainerClient,
} from '@azure/storage-blob';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import { folderPath, invalidPath } from './artifact-path.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { blockId, directRequests } from './azure-direct.ts';
import { signerOf, type SignBlob } from './azure-signer.ts';
import { objectStore, replacedMeanwhile, type ObjectBucket } from './object-store.ts';
import type { AzurePlace } from '../settings/store-location.ts';
import { partsOf, sendParts } from './upload-parts.ts';

/**
 * Artifacts in a container of Azure Blob Storage, or of ADLS Gen2 through the same protocol. Credentials come from where
 * Azure's tools and MLflow look for them: a connection string, the account's key, a SAS token, and last what
 * `@azure/identity` finds, where that package is installed.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

export async function openAzure(
  place: AzurePlace,
  environment: Environment,
  importIdentity: ImportIdentity = importInstalled,
): Promise<ArtifactStore> {
  const service = await serviceOf(place, environment, importIdentity);
  return await openContainer(service, place);
}

export async function openContainer(service: BlobServiceClient, place: AzurePlace): Promise<ArtifactStore> {
  const container = service.getContainerClient(place.container);
  await checkAccess(container, place);
  return objectStore(azureContainer(container, await signerOf(service)), folderPath(place.path));
}

async function serviceOf(
  { account, domain, container }: AzurePlace,
  environment: Environment,
  importIdentity: ImportIdentity,
): Promise<BlobServiceClient> {
  const url = `https://${account}.blob.${domain}`;
  const connection = environment.AZURE_STORAGE_CONNECTION_STRING;
  if (connection) {
    const service = connected(connection);
    if (service.accountName !== account) {
      throw new Error(
        `AZURE_STORAGE_CONNECTION_STRING is for the account '${service.accountName}', the artifacts are in '${account}'`,
      );
    }
    return service;
  }
  const key =
    environment.AZURE_STORAGE_ACCESS_KEY || environment.AZURE_STORAGE_ACCOUNT_KEY || environment.AZURE_STORAGE_KEY;
  if (key) return new BlobServiceClient(url, new StorageSharedKeyCredential(account, key));
  const token = environment.AZURE_STORAGE_SAS_TOKEN;
  if (token) return new BlobServiceClient(`${url}?${token.replace(/^\?/, '')}`, new AnonymousCredential());
  return new BlobServiceClient(url, await identityCredential(`${container} of ${url}`, importIdentity));
}

function connected(connection: string): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(connection);
  } catch (cause) {
    // The cause is not shown: it may hold the key.
    throw new Error('AZURE_STORAGE_CONNECTION_STRING is not a connection string of a storage account', { cause });
  }
}

/** What `@azure/identity` hands out. */
interface TokenCredential {
  getToken(scopes: string | string[]): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

interface Identity {
  readonly DefaultAzureCredential: new () => TokenCredential;
}

type ImportIdentity = () => Promise<Identity>;

/** The package is large, needed by some only, and therefore not among the server's own. */
async function importInstalled(): Promise<Identity> {
  const name = '@azure/identity';
  return (await import(name)) as Identity;
}

async function identityCredential(place: string, importIdentity: ImportIdentity): Promise<TokenCredential> {
  const wanted =
    'AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCESS_KEY or AZURE_STORAGE_SAS_TOKEN, or install @azure/identity ' +
    'for managed identities and logins';
  let identity: Identity;
  try {
    identity = await importIdentity();
  } catch (cause) {
    throw new Error(`No Azure credentials were found for ${place}: give ${wanted}`, { cause });
  }
  const credential = new identity.DefaultAzureCredential();
  try {
    await credential.getToken('https://storage.azure.com/.default');
  } catch (cause) {
    throw new Error(`@azure/identity found no Azure credentials for ${place}: log in, or give ${wanted}`, { cause });
  }
  return credential;
}

/** What stays wrong is said at the start; a store that cannot be reached just now may be back soon. */
async function checkAccess(container: ContainerClient, place: AzurePlace): Promise<void> {
  try {
    await container.listBlobsFlat().byPage({ maxPageSize: 1 }).next();
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined || status >= 500 || status === 429) return;
    const name = `the container '${place.container}' of the account '${place.account}'`;
    throw new Error(`${name} cannot be used for artifacts: ${codeOf(error) ?? status}`, { cause: error });
  }
}

function azureContainer(container: ContainerClient, sign: SignBlob | undefined): ObjectBucket {
  const blob = (key: string): BlockBlobClient => container.getBlockBlobClient(key);
  return {
    head: (key) => head(blob(key)),

    async read(key, version, { start, end }) {
      try {
        const answer = await blob(key).download(start, end - start + 1, {
          conditions: { ifMatch: `"${version}"` },
          maxRetryRequests: 3,
        });
        return answer.readableStreamBody as AsyncIterable<Uint8Array>;
      } catch (error) {
        const status = statusOf(error);
        if (status === 412 || status === 404 || status === 416) throw replacedMeanwhile(error);
        throw error;
      }
    },

    write: (key, content, expectedBytes) => write(blob(key), partsOf(content, expectedBytes)),

    async list({ prefix, depth, limit, token }) {
      const settings = { maxPageSize: limit, ...(token === undefined ? {} : { continuationToken: token }) };
      const options = { prefix, includeMetadata: true };
      const pages: AsyncIterableIterator<ListedPage> =
        depth === 'folder'
          ? container.listBlobsByHierarchy('/', options).byPage(settings)
          : container.listBlobsFlat(options).byPage(settings);
      const page = await pages.next();
      if (page.done === true) return { keys: [], folders: [], next: undefined };
      const { segment, continuationToken } = page.value;
      // A hierarchical namespace shows its folders as empty blobs of this mark.
      const isShown = ({ metadata }: ListedBlob): boolean =>
        depth === 'everything below' || metadata?.hdi_isfolder !== 'true';
      return {
        keys: segment.blobItems
          .filter(isShown)
          .map(({ name, properties }) => ({ key: name, size: properties.contentLength ?? 0 })),
        folders: (segment.blobPrefixes ?? []).map(({ name }) => name),
        next: continuationToken || undefined,
      };
    },

    async removeAll(keys) {
      for (let start = 0; start < keys.length; start += 16) {
        await Promise.all(keys.slice(start, start + 16).map((key) => removeBlob(blob(key))));
      }
    },

    explain,
    direct: sign && directRequests(container, sign),
  };
}

interface ListedBlob {
  readonly name: string;
  readonly properties: { readonly contentLength?: number };
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What a page of either listing holds. */
interface ListedPage {
  readonly segment: { readonly blobItems: readonly ListedBlob[]; readonly blobPrefixes?: readonly { name: string }[] };
  readonly continuationToken?: string;
}

async function head(blob: BlockBlobClient) {
  try {
    const { contentLength = 0, lastModified, etag = '', metadata } = await blob.getProperties();
    if (metadata?.hdi_isfolder === 'true') return undefined;
    return { size: contentLength, modifiedMs: lastModified?.getTime() ?? 0, version: etag.replaceAll('"', '') };
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** A folder of a hierarchical namespace goes after what is in it; its neighbours may be on their way just now. */
async function removeBlob(blob: BlockBlobClient): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await blob.deleteIfExists({ deleteSnapshots: 'include' });
      return;
    } catch (error) {
      if (codeOf(error) !== 'DirectoryIsNotEmpty' || attempt === 10) throw error;
      await pause(50 * attempt);
    }
  }
}

/**
 * A file of one part goes in one request. A longer one is staged in blocks of names that are this upload's own, and shown
 * by committing their list. A commit throws away the blocks that rivals have staged for the same name: whose blocks are
 * gone then has been overwritten by the rival, as if it had come first.
 */
async function write(blob: BlockBlobClient, parts: AsyncGenerator<Buffer, void>): Promise<void> {
  const first = (await parts.next()).value ?? Buffer.alloc(0);
  const second = await parts.next();
  if (second.done === true) {
    await blob.upload(first, first.byteLength);
    return;
  }
  const before = (await head(blob))?.version;
  const uploadId = randomUUID();
  const all = async function* (): AsyncGenerator<Buffer> {
    yield first;
    yield second.value;
    yield* parts;
  };
  const count = await sendParts(all(), async (part, index) => {
    await blob.stageBlock(blockId(uploadId, index + 1), part, part.byteLength);
  });
  try {
    await blob.commitBlockList(Array.from({ length: count }, (_, index) => blockId(uploadId, index + 1)));
  } catch (error) {
    const now = codeOf(error) === 'InvalidBlockList' ? await head(blob) : undefined;
    if (now === undefined || now.version === before) throw error;
  }
}

function explain(error: unknown, path: string): Error {
  switch (codeOf(error)) {
    case 'InvalidBlockList':
    case 'InvalidBlockId':
      return invalidParameter('A part was not uploaded, or the upload was completed already');
    case 'InvalidResourceName':
      return invalidPath('the artifact store does not take this name');
    case 'OutOfRangeQueryParameterValue':
    case 'InvalidQueryParameterValue':
      return invalidParameter('Invalid page token');
    default: {
      const status = statusOf(error);
      const isPassing = status === undefined ? error instanceof RestError : status >= 500 || status === 429;
      return isPassing
        ? new MlflowError('TEMPORARILY_UNAVAILABLE', 'The artifact store cannot be reached or is busy', {
            cause: error,
          })
        : new MlflowError('INTERNAL_ERROR', `The artifact store failed on '${path}'`, { cause: error });
    }
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof RestError ? error.statusCode : undefined;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof RestError)) return undefined;
  const details = error.details as { readonly errorCode?: string } | undefined;
  return details?.errorCode ?? error.code;
}
