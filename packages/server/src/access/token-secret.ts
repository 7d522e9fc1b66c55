import { hash, randomBytes } from 'node:crypto';

/**
 * A token's secret: `lzl_` and 256 random bits; a client secret of the directory begins with `lzs_`. The prefix lets scanners of source code recognise a leaked one. What is
 * kept is its SHA-256: nobody can guess 256 bits, so a slow hash would only slow the requests down, and looking a secret
 * up by its hash tells a stopwatch nothing about the secrets that exist.
 */
const wellFormed = /^lzl_[A-Za-z0-9_-]{43}$/;

export function createSecret(prefix: 'lzl' | 'lzs' = 'lzl'): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`;
}

export function isSecret(text: string): boolean {
  return wellFormed.test(text);
}

export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}
