import { createHash } from 'node:crypto';
import { MlflowError } from '@lazuli/contract';
import { digestField, type DigestAlgorithm, type DigestWishes, type NamedDigest } from './digest-fields.ts';

export interface CheckedBody {
  readonly content: AsyncIterable<Uint8Array>;
  /** The value of `Repr-Digest` for what has been stored, where that was asked for. */
  readonly stored: () => string | undefined;
}

/**
 * The content of an upload, which fails at its end where it has another digest than the request names: a store then keeps
 * nothing of it. Where a request says nothing of digests, the content is given back as it is.
 */
export function checkedBody(
  content: AsyncIterable<Uint8Array>,
  wishes: DigestWishes | undefined,
  file: string,
): CheckedBody {
  if (wishes === undefined) return { content, stored: () => undefined };
  const { named, wanted } = wishes;
  const algorithms = new Set<DigestAlgorithm>(named.map(({ algorithm }) => algorithm));
  if (wanted !== undefined) algorithms.add(wanted);
  const found = new Map<DigestAlgorithm, string>();

  async function* hashed(): AsyncGenerator<Uint8Array> {
    const hashes = [...algorithms].map((algorithm) => [algorithm, hashBy(algorithm)] as const);
    for await (const piece of content) {
      for (const [, hash] of hashes) hash.update(piece);
      yield piece;
    }
    for (const [algorithm, hash] of hashes) found.set(algorithm, hash.digest('base64'));
    for (const { algorithm, value } of named) {
      const actual = found.get(algorithm) ?? '';
      if (actual !== value) throw cameDamaged(file, { algorithm, value, actual });
    }
  }
  return {
    content: hashed(),
    stored() {
      const value = wanted && found.get(wanted);
      return wanted && value && digestField({ algorithm: wanted, value });
    },
  };
}

function cameDamaged(
  file: string,
  { algorithm, value, actual }: NamedDigest & { readonly actual: string },
): MlflowError {
  return new MlflowError(
    'BAD_REQUEST',
    `'${file}' came damaged, and nothing of it was stored: its ${algorithm} is ${actual}, the request says ${value}.`,
  );
}

export function hashBy(algorithm: DigestAlgorithm) {
  return createHash(algorithm.replace('-', ''));
}
