import { invalidParameter } from '@lazuli/contract';

/** A digest of a whole file, as the store that keeps it tells. */
export interface ContentDigest {
  readonly algorithm: 'sha256' | 'md5';
  /** Base64. */
  readonly value: string;
}

/** Hashes content piece by piece; gives Base64. */
export type DigestOf = (content: Blob, algorithm: ContentDigest['algorithm']) => Promise<string>;

/** What hashes a transfer that is to be verified, or by default where that is possible. */
export function hashing(verify: boolean | undefined, digestOf: DigestOf | undefined): DigestOf | undefined {
  if (verify !== true || digestOf !== undefined) return verify === false ? undefined : digestOf;
  throw invalidParameter(
    "'verify: true' cannot be had here: files are hashed in Node, Deno and Bun alone, not in browsers. Without it they are sent as they are.",
  );
}

/** *RFC 9530: the answer then tells the digest of the whole file, if the server can.* */
export const wantDigest = { 'want-repr-digest': 'sha-256=10' } as const;

/** *S3 and Azure refuse content of another MD5, also behind signed addresses, whose signature says nothing of it.* */
export async function md5Header(content: Blob, digestOf: DigestOf | undefined): Promise<Record<string, string>> {
  return digestOf === undefined ? {} : { 'content-md5': await digestOf(content, 'md5') };
}

/**
 * The best digest among the headers of a download. An ETag is none: stores with keys of their own, and those that put
 * parts together, give one that only looks like an MD5.
 */
export function digestIn({ status, headers }: Response): ContentDigest | undefined {
  // *RFC 9530, and RFC 3230 before it: of the whole, also with a range of it.*
  const listed = [headers.get('repr-digest'), headers.get('digest')].join(',');
  // *S3: of the whole object, unless it says `COMPOSITE` or ends in the number of its parts.*
  const ofS3 = headers.get('x-amz-checksum-type') === 'COMPOSITE' ? null : headers.get('x-amz-checksum-sha256');
  const sha256 = /\bsha-256=:?([A-Za-z0-9+/]{43}=)/i.exec(listed)?.[1] ?? ofS3;
  if (sha256 !== null && /^[A-Za-z0-9+/]{43}=$/.test(sha256)) return { algorithm: 'sha256', value: sha256 };
  // *Azure's blobs: `Content-MD5` of a range is that of the range.*
  const md5 = headers.get('x-ms-blob-content-md5') ?? (status === 200 ? headers.get('content-md5') : null);
  return md5 !== null && /^[A-Za-z0-9+/]{22}==$/.test(md5) ? { algorithm: 'md5', value: md5 } : undefined;
}
