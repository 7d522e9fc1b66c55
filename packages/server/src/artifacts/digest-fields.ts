import { invalidParameter } from '@lazuli/contract';

/**
 * Digests in the headers of a request (RFC 9530): `Repr-Digest: sha-256=:…:` says what a file has to be, and
 * `Want-Repr-Digest: sha-256=10` asks what it is. Nothing that is sent here is compressed or put together of parts, so
 * `Content-Digest` of an upload is about the same bytes. `Content-MD5` is older, and what Azure's clients send.
 */
export type DigestAlgorithm = 'sha-256' | 'sha-512' | 'md5';

export interface NamedDigest {
  readonly algorithm: DigestAlgorithm;
  /** Base64. */
  readonly value: string;
}

/** What an upload says of its digest, and wants to hear of it. */
export interface DigestWishes {
  readonly named: readonly NamedDigest[];
  readonly wanted: DigestAlgorithm | undefined;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** By the length of their values in Base64. *The others of RFC 9530 are only good for telling accidents.* */
const lengths: ReadonlyMap<string, number> = new Map([
  ['sha-256', 44],
  ['sha-512', 88],
  ['md5', 24],
]);

/** Undefined where a request says nothing of digests, as most do. */
export function digestWishes(headers: Headers): DigestWishes | undefined {
  const { 'content-md5': md5, 'want-repr-digest': repr, 'want-content-digest': content } = headers;
  const [reprDigest, contentDigest] = [headers['repr-digest'], headers['content-digest']];
  if ((reprDigest ?? contentDigest ?? md5 ?? repr ?? content) === undefined) return undefined;
  const named = [...digestsIn('Repr-Digest', reprDigest), ...digestsIn('Content-Digest', contentDigest)];
  if (md5 !== undefined) named.push(checked('Content-MD5', 'md5', String(md5).trim()));
  return { named, wanted: wantedDigest(repr) ?? wantedDigest(content) };
}

/** *A digest of another algorithm may be ignored; one that is misspelt would be taken for checked.* */
function digestsIn(field: string, header: Headers[string]): NamedDigest[] {
  if (header === undefined) return [];
  return String(header)
    .split(',')
    .flatMap((member) => {
      const [, name = '', value = ''] = /^\s*([^=\s]+)\s*=\s*([^;]*)/.exec(member) ?? [];
      const algorithm = name.toLowerCase();
      if (!lengths.has(algorithm)) return [];
      return [checked(field, algorithm as DigestAlgorithm, /^:(.*):\s*$/.exec(value)?.[1] ?? '')];
    });
}

function checked(field: string, algorithm: DigestAlgorithm, value: string): NamedDigest {
  if (value.length === lengths.get(algorithm) && /^[A-Za-z0-9+/]+={1,2}$/.test(value)) return { algorithm, value };
  const form = field === 'Content-MD5' ? 'the digest in Base64' : `${algorithm}=:the digest in Base64:`;
  throw invalidParameter(`The header ${field} holds no digest by ${algorithm}. Its form is '${form}'.`);
}

/** The algorithm that a `Want-…-Digest` prefers: *each has a number up to 10, and 0 is for those that will not do*. */
export function wantedDigest(header: Headers[string]): DigestAlgorithm | undefined {
  if (header === undefined) return undefined;
  let best: DigestAlgorithm | undefined;
  let preference = 0;
  for (const [, name = '', weight = ''] of String(header).matchAll(/(sha-256|sha-512)\s*=\s*(\d+)/gi)) {
    if (Number(weight) <= preference) continue;
    preference = Number(weight);
    best = name.toLowerCase() as DigestAlgorithm;
  }
  return best;
}

export function digestField({ algorithm, value }: NamedDigest): string {
  return `${algorithm}=:${value}:`;
}
