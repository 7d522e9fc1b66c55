import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type CryptoKey,
  type JWTPayload,
  type KeyObject,
} from 'jose';
import type { Audiences } from './audiences.ts';
import type { Principal } from './caller.ts';
import { RefusedToken } from './refused-token.ts';
import { outOfTime } from './token-times.ts';

/**
 * Access tokens: JWTs that an issuer has signed whom this server trusts. A token only says who claims to have issued it and
 * with which key; the key is then that issuer's, by its id, and of no other kind than the algorithm's. Whatever else a header
 * offers (`jwk`, `jku`, `x5u`) is not looked at.
 */
export interface Issuer {
  /** Whether a token with this issuer is this one's to judge. */
  issues(issuer: string): boolean;
  /** Undefined where it has no such key. */
  keyFor(keyId: string): Promise<VerificationKey | undefined>;
  /** Who the claims of a verified token speak of; throws `RefusedToken` where that is nobody. */
  identify(claims: JWTPayload): Principal | Promise<Principal>;
}

export type VerificationKey = CryptoKey | KeyObject;

export interface VerifiedToken {
  readonly principal: Principal;
  /** Unix milliseconds. */
  readonly expiryTime: number;
}

/** Signatures with a key that others may know, and nothing that a shared secret could make. */
export const signatureAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];
/** Clocks differ. */
const skewSeconds = 60;

export interface TokenVerifierParts {
  readonly issuers: readonly Issuer[];
  readonly audiences: Audiences;
  readonly now: () => number;
}

export type TokenVerifier = (token: string) => Promise<VerifiedToken>;

export function createTokenVerifier({ issuers, audiences, now }: TokenVerifierParts): TokenVerifier {
  return async (token) => {
    const { keyId, issuer: name } = readClaimed(token);
    const issuer = issuers.find((candidate) => candidate.issues(name));
    if (issuer === undefined) throw new RefusedToken('invalid', `the issuer ${printable(name)} is not trusted`);
    const key = await issuer.keyFor(keyId);
    if (key === undefined)
      throw new RefusedToken('invalid', `the issuer ${printable(name)} has no key ${printable(keyId)}`);
    const claims = await verify(token, key, name, now());
    const given = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
    if (!given.some((audience) => audiences.accepts(audience))) {
      throw new RefusedToken('invalid', `it is meant for ${given.map(printable).join(', ')}`);
    }
    const principal = await issuer.identify(claims);
    return { principal, expiryTime: ((claims.exp ?? 0) + skewSeconds) * 1000 };
  };
}

/** Whether it is worth the look: three parts in base64url. */
export function looksLikeJwt(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);
}

function readClaimed(token: string): { keyId: string; issuer: string } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    const { iss } = decodeJwt(token);
    if (typeof alg !== 'string' || !signatureAlgorithms.includes(alg)) {
      throw new RefusedToken('invalid', `its algorithm is ${printable(String(alg))}`);
    }
    if (typeof kid !== 'string' || typeof iss !== 'string') {
      throw new RefusedToken('invalid', 'it names no key or no issuer');
    }
    return { keyId: kid, issuer: iss };
  } catch (cause) {
    if (cause instanceof RefusedToken) throw cause;
    throw new RefusedToken('invalid', 'it is no signed JWT', { cause });
  }
}

export interface ClaimedNames {
  /** The id of a principal, and of the application that it signed in with. */
  readonly object?: string;
  readonly application?: string;
}

/** Whose a token says that it is, whether or not that is so: for the log, where somebody looks for their own. */
export function claimedNames(token: string): ClaimedNames {
  try {
    const { oid, sub, azp, appid } = decodeJwt<Record<string, unknown>>(token);
    const [object, application] = [oid ?? sub, appid ?? azp];
    return {
      ...(typeof object === 'string' ? { object: printable(object) } : {}),
      ...(typeof application === 'string' ? { application: printable(application) } : {}),
    };
  } catch {
    return {};
  }
}

async function verify(token: string, key: VerificationKey, issuer: string, time: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: signatureAlgorithms,
      issuer,
      clockTolerance: skewSeconds,
      currentDate: new Date(time),
      requiredClaims: ['aud', 'exp'],
    });
    return payload;
  } catch (cause) {
    const times = outOfTime(cause, time);
    if (times?.isLate === true) {
      throw new RefusedToken('expired', `it has expired: it was good until ${times.until}, and now is ${times.now}`, {
        cause,
      });
    }
    if (times !== undefined) {
      throw new RefusedToken('invalid', `it is good only from ${times.from} on, and now is ${times.now}`, { cause });
    }
    // A key of another kind than the algorithm's is a TypeError.
    if (cause instanceof errors.JOSEError || cause instanceof TypeError) {
      throw new RefusedToken('invalid', printable(cause.message), { cause });
    }
    throw cause;
  }
}

function printable(text: string): string {
  return text.slice(0, 200).replaceAll(/[^\x20-\x7e]/g, '?');
}
