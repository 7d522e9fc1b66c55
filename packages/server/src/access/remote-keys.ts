import { MlflowError } from '@lazuli/contract';
import { importJWK, type JWK } from 'jose';
import type { VerificationKey } from './verify-token.ts';

/**
 * The public keys of an issuer elsewhere. They are fetched when the first token comes and once an hour, and at once for a
 * key that is not known, but not more than once in half a minute: whoever makes up key ids makes no traffic. While the issuer
 * cannot be reached, what was last fetched goes on being used.
 */
export interface RemoteKeys {
  find(keyId: string): Promise<VerificationKey | undefined>;
}

export interface RemoteKeysParts {
  /** What its discovery document must call it, and where that document is. */
  readonly issuer: string;
  readonly discoveryUrl: string;
  readonly now: () => number;
  readonly fetch: typeof fetch;
  readonly onFailure: (error: unknown) => void;
}

const freshMs = 3_600_000;
const retryMs = 30_000;
const timeoutMs = 10_000;
const longestBody = 2 ** 20;

export function createRemoteKeys(parts: RemoteKeysParts): RemoteKeys {
  const { issuer, discoveryUrl, now, onFailure } = parts;
  let keys: ReadonlyMap<string, VerificationKey> | undefined;
  let fetchedAt = -Infinity;
  let triedAt = -Infinity;
  let fetching: Promise<void> | undefined;

  async function load(): Promise<void> {
    triedAt = now();
    try {
      const { issuer: named, jwks_uri: place } = await getJson(parts.fetch, discoveryUrl);
      if (named !== issuer) throw new Error(`${discoveryUrl} is the document of ${String(named)}, not of ${issuer}.`);
      if (typeof place !== 'string') throw new Error(`${discoveryUrl} has no jwks_uri.`);
      const { keys: listed } = await getJson(parts.fetch, checkPlace(place, discoveryUrl));
      keys = await importKeys(Array.isArray(listed) ? (listed as JWK[]) : []);
      fetchedAt = now();
    } catch (error) {
      onFailure(error);
    }
  }

  async function refresh(): Promise<void> {
    fetching ??= load().finally(() => (fetching = undefined));
    await fetching;
  }

  return {
    async find(keyId) {
      const isOld = now() - fetchedAt > freshMs;
      const mayTry = now() - triedAt > retryMs;
      if ((isOld || keys?.has(keyId) !== true) && (mayTry || fetching !== undefined)) {
        const done = refresh();
        // A key that is known need not wait for the news.
        if (keys?.has(keyId) !== true) await done;
      }
      if (keys === undefined) {
        throw new MlflowError(
          'TEMPORARILY_UNAVAILABLE',
          `The issuer ${issuer} cannot be reached; its tokens cannot be checked.`,
        );
      }
      return keys.get(keyId);
    },
  };
}

async function getJson(get: typeof fetch, url: string): Promise<Readonly<Record<string, unknown>>> {
  const response = await get(url, {
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`${url} answers ${response.status}.`);
  const text = await response.text();
  if (text.length > longestBody) throw new Error(`${url} answers with more than ${longestBody} characters.`);
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`${url} does not answer with an object.`);
  return parsed as Readonly<Record<string, unknown>>;
}

/** A document that came over TLS does not lead to one that did not. */
function checkPlace(place: string, from: string): string {
  const url = new URL(place);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && from.startsWith('http:'))) return place;
  throw new Error(`The keys of ${from} lie at ${place}, which is not https.`);
}

/** Keys of kinds that are not known here, and those that are not for signatures, are left out. */
async function importKeys(listed: readonly JWK[]): Promise<ReadonlyMap<string, VerificationKey>> {
  const found = new Map<string, VerificationKey>();
  for (const jwk of listed) {
    if (typeof jwk.kid !== 'string' || jwk.use === 'enc' || jwk.kty === 'oct') continue;
    try {
      const key = await importJWK(jwk, jwk.alg ?? defaultAlgorithm(jwk));
      if (!(key instanceof Uint8Array)) found.set(jwk.kid, key);
    } catch {
      // The others may still do.
    }
  }
  return found;
}

/** *Entra's keys name no algorithm; it signs with RS256.* */
function defaultAlgorithm({ kty, crv }: JWK): string {
  if (kty === 'RSA') return 'RS256';
  if (kty === 'OKP') return 'EdDSA';
  return crv === 'P-384' ? 'ES384' : crv === 'P-521' ? 'ES512' : 'ES256';
}
