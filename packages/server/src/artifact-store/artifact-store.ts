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
}

export interface ArtifactStore extends ReadableArtifacts {
  /** Writes a file, with the folders above it, or replaces one. Takes the content as fast as the store can write it. */
  put(path: ArtifactPath, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Removes a file or a folder with all that is in it. What is not there is removed already. */
  remove(path: ArtifactPath): Promise<void>;
  /** The store that sees only what lies below this folder, whether it exists yet or not. */
  within(folder: ArtifactPath): ArtifactStore;
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
