import { MlflowError } from '@lazuli/contract';
import { invalidPath, joinPaths, rootPath, type ArtifactPath } from './artifact-path.ts';
import type {
  ArtifactEntry,
  ArtifactPage,
  ArtifactStore,
  ByteRange,
  DirectTransfers,
  OpenArtifact,
  PageRequest,
  SignedRequest,
  TakeBytes,
  UploadedPart,
  UploadPlan,
} from './artifact-store.ts';
import { byCodePoint } from './artifact-store.ts';

/**
 * An artifact store over a flat space of keys, as S3 and Azure Blob Storage have: a folder is what keys with a common
 * beginning have in common, and ends with its last file. Names go into keys as they stand.
 *
 * Nothing of an upload shows before all of its parts are there and it is completed in one request, which the stores do at
 * once; a file is read by the version that was opened, and reading fails where that one has been replaced.
 */
export interface ObjectBucket {
  head(key: string): Promise<ObjectVersion | undefined>;
  /** Fails with `replacedMeanwhile` where the key has another version now. */
  read(key: string, version: string, range: ByteRange): Promise<AsyncIterable<Uint8Array>>;
  write(key: string, content: AsyncIterable<Uint8Array>, expectedBytes: number | undefined): Promise<void>;
  list(wanted: KeyListing): Promise<KeyPage>;
  /** In this order; a key that is not there is removed already. */
  removeAll(keys: readonly string[]): Promise<void>;
  /** Turns what the client of the store throws into an error with a sentence about it. */
  explain(error: unknown, path: string): Error;
  readonly direct: DirectRequests | undefined;
}

export interface ObjectVersion {
  readonly size: number;
  readonly modifiedMs: number;
  readonly version: string;
}

export interface KeyListing {
  readonly prefix: string;
  /** Whether keys are folded at the next slash behind the prefix. */
  readonly depth: 'folder' | 'everything below';
  readonly limit: number;
  readonly token?: string | undefined;
}

export interface KeyPage {
  readonly keys: readonly { readonly key: string; readonly size: number }[];
  /** Folded keys, which end with a slash. */
  readonly folders: readonly string[];
  readonly next: string | undefined;
}

/** What a bucket can sign, by key. */
export interface DirectRequests {
  signedDownload(key: string, seconds: number): Promise<SignedRequest>;
  signedUpload(key: string, seconds: number): Promise<SignedRequest>;
  createUpload(key: string, parts: number, seconds: number): Promise<UploadPlan>;
  completeUpload(key: string, uploadId: string, parts: readonly UploadedPart[]): Promise<void>;
  abortUpload(key: string, uploadId: string): Promise<void>;
}

/** S3: 1024 bytes of UTF-8; Azure: 1024 characters. */
const maxKeyBytes = 1024;
const listingLimit = 1000;

export function objectStore(bucket: ObjectBucket, base: ArtifactPath): ArtifactStore {
  const keyOf = (path: ArtifactPath): string => {
    const key = joinPaths(base, path);
    if (Buffer.byteLength(key) > maxKeyBytes) {
      throw invalidPath(`with the folders around it, it is longer than the ${maxKeyBytes} bytes of the artifact store`);
    }
    return key;
  };
  const prefixOf = (folder: ArtifactPath): string => {
    const key = keyOf(folder);
    return key === '' ? '' : `${key}/`;
  };
  const guarded = async <T>(path: ArtifactPath, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof MlflowError ? error : bucket.explain(error, path);
    }
  };
  const page = async (folder: ArtifactPath, { limit, token }: PageRequest): Promise<ArtifactPage> => {
    const prefix = prefixOf(folder);
    const { keys, folders, next } = await bucket.list({ prefix, depth: 'folder', limit, token });
    const entries: ArtifactEntry[] = [
      ...folders.map((key) => ({ name: key.slice(prefix.length, -1), isFolder: true, size: 0 })),
      // A key that ends with a slash is how other programs mark an empty folder.
      ...keys
        .filter(({ key }) => !key.endsWith('/') && key !== prefix)
        .map(({ key, size }) => ({ name: key.slice(prefix.length), isFolder: false, size })),
    ];
    return { entries: entries.filter(({ name }) => name !== '').sort(byName), next };
  };

  return {
    async open(path) {
      const found = await guarded(path, async () => bucket.head(keyOf(path)));
      return (
        found && openObject(found, async (range) => guarded(path, () => bucket.read(keyOf(path), found.version, range)))
      );
    },

    async stat(path) {
      return await guarded(path, async () => {
        const found = path === rootPath ? undefined : await bucket.head(keyOf(path));
        if (found !== undefined) return { kind: 'file', size: found.size, modifiedMs: found.modifiedMs };
        const below = await bucket.list({ prefix: prefixOf(path), depth: 'everything below', limit: 1 });
        return below.keys.length > 0 ? { kind: 'folder', size: 0, modifiedMs: 0 } : undefined;
      });
    },

    async list(folder) {
      return await guarded(folder, async () => {
        const entries: ArtifactEntry[] = [];
        let token: string | undefined;
        do {
          const next: ArtifactPage = await page(folder, { limit: listingLimit, token });
          entries.push(...next.entries);
          token = next.next;
        } while (token !== undefined);
        return entries.sort(byName);
      });
    },

    listPage: (folder, request) => guarded(folder, () => page(folder, request)),

    put: (path, content, expectedBytes) => guarded(path, async () => bucket.write(keyOf(path), content, expectedBytes)),

    async remove(path) {
      await guarded(path, async () => {
        if (path !== rootPath) await bucket.removeAll([keyOf(path)]);
        const wanted = { prefix: prefixOf(path), depth: 'everything below', limit: listingLimit } as const;
        // From the start again each time: what has been listed is gone.
        for (;;) {
          const { keys } = await bucket.list(wanted);
          if (keys.length === 0) return;
          await bucket.removeAll(keys.map(({ key }) => key).reverse());
        }
      });
    },

    within: (folder) => objectStore(bucket, joinPaths(base, folder)),

    direct: bucket.direct && directTransfers(bucket.direct, keyOf, guarded),
  };
}

function directTransfers(
  direct: DirectRequests,
  keyOf: (path: ArtifactPath) => string,
  guarded: <T>(path: ArtifactPath, work: () => Promise<T>) => Promise<T>,
): DirectTransfers {
  return {
    signedDownload: (path, seconds) => guarded(path, async () => direct.signedDownload(keyOf(path), seconds)),
    signedUpload: (path, seconds) => guarded(path, async () => direct.signedUpload(keyOf(path), seconds)),
    createUpload: (path, parts, seconds) => guarded(path, async () => direct.createUpload(keyOf(path), parts, seconds)),
    completeUpload: (path, uploadId, parts) =>
      guarded(path, async () => direct.completeUpload(keyOf(path), uploadId, parts)),
    abortUpload: (path, uploadId) => guarded(path, async () => direct.abortUpload(keyOf(path), uploadId)),
  };
}

function openObject(
  { size, modifiedMs, version }: ObjectVersion,
  read: (range: ByteRange) => Promise<AsyncIterable<Uint8Array>>,
): OpenArtifact {
  return {
    ...{ size, modifiedMs, version },
    async sendTo(take: TakeBytes, range = { start: 0, end: size - 1 }) {
      if (range.end < range.start) return;
      let sent = 0;
      for await (const piece of await read(range)) {
        sent += piece.byteLength;
        if (sent > range.end - range.start + 1) break;
        await take(piece);
      }
      if (sent !== range.end - range.start + 1)
        throw new Error('the artifact store sent another number of bytes than it has');
    },
    close: async () => undefined,
  };
}

export function replacedMeanwhile(cause: unknown): MlflowError {
  return new MlflowError('TEMPORARILY_UNAVAILABLE', 'The artifact was replaced while it was opened; ask again', {
    cause,
  });
}

function byName(one: ArtifactEntry, other: ArtifactEntry): number {
  return byCodePoint(one.name, other.name);
}
