import { invalidParameter } from '@lazuli/contract';
import type { CallOptions } from '../transport.ts';
import { digestIn, type ContentDigest } from './content-digest.ts';

/** A file or folder; paths are relative to the root of the run or model, with `/` between names. */
export interface ArtifactEntry {
  readonly path: string;
  readonly isFolder: boolean;
  /** Bytes, where the server tells. */
  readonly size?: number;
}

export interface Upload {
  readonly path: string;
  readonly content: Blob;
}

export interface TransferProgress {
  readonly path: string;
  /** Bytes of this file that have arrived. */
  readonly bytes: number;
  /** Bytes of this file, where they are known. */
  readonly total?: number;
}

export interface TransferOptions extends CallOptions {
  /** Files, or parts of one, that travel at once; default 4. */
  readonly parallel?: number;
  readonly onProgress?: (progress: TransferProgress) => void;
  /**
   * Whether files are held against digests. Uploads are, by default, where the server takes digests, and downloads where the
   * store tells one by itself. With `true` one is asked for, for which the server reads the file, and where none is told, or
   * nothing can be hashed, as in browsers, the transfer fails. `false` checks nothing.
   */
  readonly verify?: boolean;
}

export interface OpenedArtifact {
  /** The bytes from `offset` on. */
  readonly body: ReadableStream<Uint8Array>;
  /** The first byte of `body` within the file: what was asked for, or 0 where the server gives no ranges. */
  readonly offset: number;
  /** Bytes of the whole file, where the server tells. */
  readonly size?: number;
  /** What tells this content from a later one under the same path. */
  readonly etag?: string;
  /** Of the whole file, where the store tells one. */
  readonly digest?: ContentDigest;
}

/** Where the files of a run or model lie. */
export interface ArtifactStore {
  /** The entries of a folder, `''` for the root; empty for a folder that is not there. */
  list(folder: string, options?: CallOptions): Promise<ArtifactEntry[]>;
  upload(uploads: readonly Upload[], options?: TransferOptions): Promise<void>;
  open(
    path: string,
    options?: CallOptions & {
      readonly offset?: number;
      readonly etag?: string;
      /** Asks for the digest of the whole file. */
      readonly digest?: 'wanted';
    },
  ): Promise<OpenedArtifact>;
}

/** Refuses a path that leaves its root or that another system would read otherwise. Servers' answers go through it, too. */
export function checkArtifactPath(path: string): string {
  const isPlain =
    path !== '' &&
    !/[\\\0]|^[a-z]:/i.test(path) &&
    path.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
  if (!isPlain) throw invalidParameter(`'${path}' is not a relative path of an artifact.`);
  return path;
}

export function joinPath(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join('/');
}

export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** All files below a folder. */
export async function* filesBelow(
  store: ArtifactStore,
  folder: string,
  options?: CallOptions,
): AsyncGenerator<ArtifactEntry> {
  for (const entry of await store.list(folder, options)) {
    checkArtifactPath(entry.path);
    if (entry.isFolder) yield* filesBelow(store, entry.path, options);
    else yield entry;
  }
}

/** Works on items, so many at once; the first failure ends it. */
export async function inParallel<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  let hasFailed = false;
  const worker = async (): Promise<void> => {
    while (!hasFailed) {
      const next = rest.next() as IteratorResult<T, undefined>;
      if (next.done === true) return;
      try {
        await work(next.value);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** Reads `Content-Range: bytes 5-9/10` and its kin of an answer. */
export function openedFrom(response: Response): OpenedArtifact {
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  const length = response.headers.get('content-length');
  // A length of what travels compressed is not that of the file.
  const isPlain = !response.headers.has('content-encoding');
  const size = range !== null ? Number(range[2]) : length !== null && isPlain ? Number(length) : undefined;
  const etag = response.headers.get('etag');
  const digest = digestIn(response);
  return {
    body: response.body ?? new Blob([]).stream(),
    offset: response.status === 206 && range !== null ? Number(range[1]) : 0,
    ...(size === undefined ? {} : { size }),
    ...(etag === null ? {} : { etag }),
    ...(digest === undefined ? {} : { digest }),
  };
}
