import type { Upload } from '@lazuli/client';
import type { Resources } from '../../resource-manager.ts';
import type { LocalFiles } from './local-files.ts';
import { wrong } from './job-file.ts';

/**
 * How files come into a workspace of Azure ML. Code has an upload of its own: the service signs a container for one version.
 * All else goes where `az ml` puts it, into the workspace's blob store below `LocalUpload`, with the signature that the
 * resource manager gives for the store; *in a workspace, unlike in a registry, data and environments have no upload*. Folders are
 * named by a hash of what they hold, and what is there is not sent again.
 */
export interface JobWorkspace extends Resources {
  /** `/subscriptions/…/workspaces/{name}` */
  readonly scope: string;
  /** Puts files into a container, by its signed address; gives the bytes that were sent. */
  readonly upload: (address: string, files: readonly Upload[]) => Promise<number>;
  readonly remark: (text: string) => void;
}

const blobStore = 'workspaceblobstore';

interface PendingUpload {
  readonly blobReferenceForConsumption: {
    readonly blobUri: string;
    readonly credential: { readonly credentialType?: string; readonly sasUri?: string };
  };
}

/** Uploads what a version of code is to hold; gives the address of the folder. */
export async function uploadCode(workspace: JobWorkspace, version: string, files: LocalFiles): Promise<string> {
  const { blobReferenceForConsumption } = (await workspace.send('POST', `${version}/startPendingUpload`, {
    pendingUploadType: 'TemporaryBlobReference',
  })) as PendingUpload;
  const { blobUri, credential } = blobReferenceForConsumption;
  if (credential.sasUri === undefined) {
    throw wrong(files.field, `the workspace gives no signed address for it, but ${String(credential.credentialType)}`);
  }
  await upload(workspace, credential.sasUri, files, files.name);
  return `${blobUri.replace(/\/+$/, '')}/${files.name}`;
}

interface BlobDatastore {
  readonly properties: {
    readonly datastoreType?: string;
    readonly accountName?: string;
    readonly containerName?: string;
    readonly endpoint?: string;
    readonly protocol?: string;
  };
}

/** Where a file or folder lies in the workspace's blob store, as a path in it and by its address. */
export interface StoredFiles {
  readonly datastorePath: string;
  readonly url: string;
}

export async function uploadToBlobStore(
  workspace: JobWorkspace,
  files: LocalFiles,
  hash: string,
): Promise<StoredFiles> {
  const { send, scope } = workspace;
  const store = `${scope}/datastores/${blobStore}`;
  const { properties } = (await send('GET', store)) as BlobDatastore;
  const { datastoreType, accountName, containerName, endpoint = 'core.windows.net', protocol = 'https' } = properties;
  if (datastoreType !== 'AzureBlob' || accountName === undefined || containerName === undefined) {
    throw wrong(
      files.field,
      `files go to the datastore ${blobStore}, which is ${String(datastoreType)} and not AzureBlob`,
    );
  }
  const container = `${protocol}://${accountName}.blob.${endpoint}/${containerName}`;
  // *azure-ai-ml: that the answer is a signature and not the account's key; the version that knows these fields.*
  const secrets = (await send('POST', `${store}/listSecrets?api-version=2025-12-01`, {
    expirableSecret: true,
    expireAfterHours: 1,
  })) as { readonly secretsType?: string; readonly sasToken?: string };
  if (secrets.sasToken === undefined) {
    throw wrong(
      files.field,
      `the datastore ${blobStore} gives no signature to write with, but ${String(secrets.secretsType)}; upload data by other means, and give their address`,
    );
  }
  const folder = `LocalUpload/${hash}`;
  const below = files.isFile ? folder : `${folder}/${files.name}`;
  await upload(workspace, `${container}?${secrets.sasToken.replace(/^\?/, '')}`, files, below);
  const path = files.isFile ? `${folder}/${files.files[0]?.path ?? ''}` : below;
  return { datastorePath: `azureml://datastores/${blobStore}/paths/${path}`, url: `${container}/${path}` };
}

async function upload(
  workspace: JobWorkspace,
  address: string,
  { path, files, bytes }: LocalFiles,
  folder: string,
): Promise<void> {
  const sent = await workspace.upload(
    address,
    files.map((file) => ({ ...file, path: `${folder}/${file.path}` })),
  );
  const count = files.length === 1 ? '1 file' : `${files.length} files`;
  workspace.remark(`lazuli: ${path}: ${count}, ${megabytes(bytes)}; uploaded ${megabytes(sent)}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
