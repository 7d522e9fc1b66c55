import type { ArtifactPath } from './artifact-path.ts';

/**
 * The bytes of artifacts: named files in folders, over a local folder here and over object stores elsewhere.
 *
 * Every store keeps these promises, which `artifact-store-suite.ts` tests: a file is seen whole or not at all; an upload
 * that fails leaves nothing; of two uploads of one name one stays, whole; what `put` has acknowledged is durable; a store
 * never reads or writes outside its own root. Failures are `MlflowError`s that name the path as the caller gave it and
 * never the server's own folders.
 */
export interface ReadableArtifacts {
  /** One version of a file for reading, or undefined where no file has this name. The caller sends it or closes it. */
  open(path: ArtifactPath): Promise<OpenArtifact | undefined>;
  stat(path: ArtifactPath): Promise<ArtifactStat | undefined>;
  /** What lies directly in a folder, in the order of its names by code point; nothing for what is not a folder. */
  list(folder: ArtifactPath): Promise<ArtifactEntry[]>;
  /** A part of that; over all pages each entry comes once, in an order of the store's own. */
  listPage(folder: ArtifactPath, request: PageRequest): Promise<ArtifactPage>;
}

export interface ArtifactStore extends ReadableArtifacts {
  /**
   * Writes a file, with the folders above it, or replaces one. Takes the content as fast as the store can write it; a piece
   * of it need be valid only until the next one is asked for. Where the length is known beforehand, object stores cut the
   * content into parts accordingly.
   */
  put(path: ArtifactPath, content: AsyncIterable<Uint8Array>, expectedBytes?: number): Promise<void>;
  /** Removes a file or a folder with all that is in it. What is not there is removed already. */
  remove(path: ArtifactPath): Promise<void>;
  /** The store that sees only what lies below this folder, whether it exists yet or not. */
  within(folder: ArtifactPath): ArtifactStore;
  /** Where clients can be sent to the store itself. */
  readonly direct?: DirectTransfers | undefined;
}

/** Transfers between a client and the store, for which the server only signs. */
export interface DirectTransfers {
  signedDownload(path: ArtifactPath, seconds: number): Promise<SignedRequest>;
  signedUpload(path: ArtifactPath, seconds: number): Promise<SignedRequest>;
  /** An upload in parts, which are numbered from 1 and shown as one file when it is completed. */
  createUpload(path: ArtifactPath, parts: number, seconds: number): Promise<UploadPlan>;
  completeUpload(path: ArtifactPath, uploadId: string, parts: readonly UploadedPart[]): Promise<void>;
  abortUpload(path: ArtifactPath, uploadId: string): Promise<void>;
}

export interface SignedRequest {
  readonly url: string;
  /** What the client has to send with it. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface UploadPlan {
  readonly uploadId: string;
  /** In the order of the parts. */
  readonly parts: readonly SignedRequest[];
}

export interface UploadedPart {
  readonly number: number;
  /** Empty where the store has none for parts. */
  readonly etag: string;
}

export interface ArtifactStat {
  readonly kind: 'file' | 'folder';
  /** Bytes; 0 for a folder. */
  readonly size: number;
  readonly modifiedMs: number;
}

export interface ArtifactEntry {
  /** The last segment of its path. */
  readonly name: string;
  readonly isFolder: boolean;
  /** Bytes; 0 for a folder. */
  readonly size: number;
}

export interface PageRequest {
  readonly limit: number;
  /** `next` of the page before. */
  readonly token?: string | undefined;
}

export interface ArtifactPage {
  readonly entries: readonly ArtifactEntry[];
  /** Undefined at the end. */
  readonly next: string | undefined;
}

/** UTF-8 sorts as code points do; JavaScript's own order differs beyond the basic plane. */
export function byCodePoint(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

export interface ByteRange {
  readonly start: number;
  /** The last byte, inclusive, as HTTP counts. */
  readonly end: number;
}

export type TakeBytes = (piece: Uint8Array) => Promise<void>;

export interface OpenArtifact {
  readonly size: number;
  readonly modifiedMs: number;
  /** Differs for every version of the content; without quotes. */
  readonly version: string;
  /**
   * Hands over the bytes, or a range of them, piece by piece. A piece is valid until the promise that took it resolves:
   * its memory is used again then. Once; the file is closed at the end, whatever it was.
   */
  sendTo(take: TakeBytes, range?: ByteRange): Promise<void>;
  close(): Promise<void>;
}
