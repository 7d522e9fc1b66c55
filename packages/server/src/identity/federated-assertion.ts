import { invalidParameter } from '@lazuli/contract';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { createRemoteKeys, type RemoteKeys } from '../access/remote-keys.ts';
import { outOfTime } from '../access/token-times.ts';
import { signatureAlgorithms } from '../access/verify-token.ts';
import { isLoopback } from '../settings/loopback.ts';
import { assertionOutOfTime, OAuthError } from './oauth-error.ts';

/**
 * Workload identity federation: an application signs in with a token that its platform (Kubernetes, a CI service, another
 * cloud) has given it, so it needs no secret of its own. Which issuer may speak for it, and under which subject and
 * audience, its federated credentials say; all three are compared to the letter. *Entra: matching is case-sensitive.*
 *
 * Such a token is used again until it ends (*a pod has one for an hour*), so it is no single-use assertion.
 */
export interface Federation {
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
}

/** *Entra: what platforms ask a token for that is to be exchanged.* */
export const exchangeAudience = 'api://AzureADTokenExchange';

const longestText = 600;
const skewSeconds = 60;

/** The keys of issuers, which are fetched where a federated credential names one and are kept for all of them. */
export type IssuerKeys = (issuer: string) => RemoteKeys;

export function createIssuerKeys(now: () => number, onFailure: (issuer: string, error: unknown) => void): IssuerKeys {
  const known = new Map<string, RemoteKeys>();
  return (issuer) => {
    const found = known.get(issuer);
    if (found !== undefined) return found;
    const discoveryUrl = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const onOwnFailure = (error: unknown): void => onFailure(issuer, error);
    const keys = createRemoteKeys({ issuer, discoveryUrl, now, fetch, onFailure: onOwnFailure });
    known.set(issuer, keys);
    return keys;
  };
}

export function readFederation(given: {
  readonly issuer: string;
  readonly subject: string;
  readonly audiences?: readonly string[] | undefined;
}): Federation {
  const { issuer, subject, audiences = [exchangeAudience] } = given;
  const url = URL.parse(issuer);
  const isSecure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (url === null || !isSecure || url.username !== '' || url.password !== '' || /[?#\s]/.test(issuer)) {
    throw invalidParameter(
      `Invalid value for parameter 'issuer': it must be an https URL without user, query and fragment, as tokens have it in 'iss'.`,
    );
  }
  const texts = {
    issuer,
    subject,
    ...Object.fromEntries(audiences.map((text, index) => [`audiences[${index}]`, text])),
  };
  for (const [name, text] of Object.entries(texts)) {
    if (text.trim() !== text || text === '' || text.length > longestText || /\p{C}/u.test(text)) {
      throw invalidParameter(
        `Invalid value for parameter '${name}': it must be 1 to ${longestText} characters, without control characters and blanks around it.`,
      );
    }
  }
  return { issuer, subject, audiences };
}

/** The issuer that an assertion says it is from, and that one of the application's credentials names. */
export function federatedIssuer(assertion: string, federations: readonly Federation[]): string | undefined {
  try {
    const { iss } = decodeJwt(assertion);
    return federations.find(({ issuer }) => issuer === iss)?.issuer;
  } catch {
    return undefined;
  }
}

/** Throws where the assertion is not one of those that the application's credentials speak of. */
export async function checkFederatedAssertion(
  assertion: string,
  issuer: string,
  { federations, keys, now }: { federations: readonly Federation[]; keys: RemoteKeys; now: () => number },
): Promise<void> {
  const claims = await verified(assertion, issuer, { keys, now });
  const ofIssuer = federations.filter((federation) => federation.issuer === issuer);
  const ofSubject = ofIssuer.filter(({ subject }) => subject === claims.sub);
  if (ofSubject.length === 0) {
    throw new OAuthError('unknown_subject', noMatch('subject', String(claims.sub)));
  }
  const given = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
  if (!ofSubject.some(({ audiences }) => audiences.some((audience) => given.includes(audience)))) {
    throw new OAuthError('unknown_audience', noMatch('audience', given.join(', ')));
  }
}

async function verified(
  assertion: string,
  issuer: string,
  { keys, now }: { readonly keys: RemoteKeys; readonly now: () => number },
): Promise<JWTPayload> {
  const { kid } = decodeProtectedHeader(assertion);
  if (kid === undefined) throw refused('it names no key');
  const key = await keys.find(kid).catch((cause: unknown) => {
    throw new OAuthError('failed', `The issuer '${printable(issuer)}' cannot be reached.`, { cause });
  });
  if (key === undefined) throw refused(`its issuer has no key '${printable(kid)}'`);
  try {
    const { payload } = await jwtVerify(assertion, key, {
      algorithms: signatureAlgorithms,
      issuer,
      clockTolerance: skewSeconds,
      currentDate: new Date(now()),
      requiredClaims: ['sub', 'aud', 'exp'],
    });
    return payload;
  } catch (cause) {
    const times = outOfTime(cause, now());
    if (times !== undefined) throw assertionOutOfTime(times, cause);
    // A key of another kind than the algorithm's is a TypeError.
    if (cause instanceof errors.JOSEError || cause instanceof TypeError) throw refused(printable(cause.message), cause);
    throw cause;
  }
}

/** *Entra's words; people search for them.* */
function noMatch(what: string, value: string): string {
  return `No matching federated identity record found for presented assertion ${what} '${printable(value)}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.`;
}

function refused(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('bad_assertion', `The client assertion is refused: ${reason}.`, { cause });
}

function printable(text: string): string {
  return text.slice(0, 200).replaceAll(/[^\x20-\x7e]/g, '?');
}
