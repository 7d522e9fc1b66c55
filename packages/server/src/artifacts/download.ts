import type { TakeBytes } from '../artifact-store/artifact-store.ts';
import type { DigestAlgorithm } from './digest-fields.ts';

/** What a request says beside the name: its method and its conditional headers. */
export interface Wanted {
  readonly part: 'headers' | 'content';
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
  /** By which algorithm the answer should tell the digest of the whole file, and of what it sends of it. */
  readonly reprDigest?: DigestAlgorithm | undefined;
  readonly contentDigest?: DigestAlgorithm | undefined;
}

export interface Download {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly headers: Readonly<Record<string, string>>;
  /** Has to be called where it is there: it closes the file. */
  readonly sendTo: ((take: TakeBytes) => Promise<void>) | undefined;
}
