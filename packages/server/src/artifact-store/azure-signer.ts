import {
  BlobSASPermissions,
  generateBlobSASQueryParameters,
  RestError,
  StorageSharedKeyCredential,
  type BlobServiceClient,
  type UserDelegationKey,
} from '@azure/storage-blob';

/**
 * Signs what a client may do with one blob. That takes the account's key, or an identity for which Azure makes keys of a
 * week (*user delegation keys: the identity needs the role Storage Blob Delegator*). A SAS token signs nothing, and is not
 * handed on itself: it is good for everything that lies in the container, for the files of all workspaces.
 */
export type SignBlob = (wanted: WantedSignature) => Promise<string>;

export interface WantedSignature {
  readonly containerName: string;
  readonly blobName: string;
  /** What is allowed, as SAS writes it. */
  readonly letters: string;
  readonly seconds: number;
  /** What the store answers a download with. */
  readonly contentDisposition?: string;
  readonly contentType?: string;
}

/** Undefined where the server has nothing to sign with. */
export async function signerOf(service: BlobServiceClient): Promise<SignBlob | undefined> {
  const { credential } = service;
  if (credential instanceof StorageSharedKeyCredential) {
    return async (wanted) => generateBlobSASQueryParameters(valuesOf(wanted, Infinity), credential).toString();
  }
  if (!('getToken' in credential)) return undefined;
  const keyFor = delegationKeys(service);
  try {
    await keyFor(0);
  } catch (error) {
    // Without the right to it, files go through the server. Who cannot be reached now is asked again when there is need.
    if (error instanceof RestError && error.statusCode === 403) return undefined;
  }
  return async (wanted) => {
    const key = await keyFor(wanted.seconds);
    const values = valuesOf(wanted, key.signedExpiresOn.getTime());
    return generateBlobSASQueryParameters(values, key, service.accountName).toString();
  };
}

function valuesOf({ letters, seconds, ...values }: WantedSignature, latestEnd: number) {
  const end = Math.min(Date.now() + seconds * 1000, latestEnd);
  return { ...values, version, permissions: BlobSASPermissions.parse(letters), expiresOn: new Date(end) };
}

/** Of the protocol. Stores that are a while behind Azure, as its emulator is, cannot check signatures of the newest. */
const version = '2020-12-06';

/** *Azure: at most a week from its start*, which lies back a little because clocks differ. */
const keyMs = 7 * 24 * 60 * 60 * 1000;
const skewMs = 15 * 60 * 1000;

/** A key that lives for so many seconds more, or as long as keys do; one is kept until it is too old. */
function delegationKeys(service: BlobServiceClient): (seconds: number) => Promise<UserDelegationKey> {
  let kept: UserDelegationKey | undefined;
  return async (seconds) => {
    const wantedEnd = Date.now() + seconds * 1000;
    if (kept !== undefined && kept.signedExpiresOn.getTime() > wantedEnd) return kept;
    const start = Date.now() - skewMs;
    kept = await service.getUserDelegationKey(new Date(start), new Date(start + keyMs));
    return kept;
  };
}
