import type { JWTPayload } from 'jose';
import type { Principal } from './caller.ts';
import { derivedId } from './derived-id.ts';
import { createRemoteKeys, type RemoteKeysParts } from './remote-keys.ts';
import { RefusedToken } from './refused-token.ts';
import type { Issuer } from './verify-token.ts';

/**
 * Issuers that the operator has named: tenants of Entra ID, or any other that speaks OpenID Connect.
 *
 * A tenant of Entra signs under two names, of version 1 and 2; a token must be of that tenant in its claim `tid` as well, so
 * that none of another tenant gets in, though they all share their keys. Its `oid` is the principal's object id. Any other
 * issuer only says who somebody is among its own, so the object id is made of its name and the subject: no issuer can
 * speak of another's principals.
 */
export type ForeignIssuerParts = Omit<RemoteKeysParts, 'discoveryUrl'>;

/** *Entra: the hosts of its clouds, and the issuer that version 1 names there.* */
const entraHosts: Readonly<Record<string, string>> = {
  'login.microsoftonline.com': 'https://sts.windows.net',
  'login.partner.microsoftonline.cn': 'https://sts.chinacloudapi.cn',
  'login.chinacloudapi.cn': 'https://sts.chinacloudapi.cn',
  'login.microsoftonline.us': 'https://sts.windows.net',
};

export function createForeignIssuer(parts: ForeignIssuerParts): Issuer {
  const url = new URL(parts.issuer);
  const sts = entraHosts[url.hostname];
  return sts === undefined ? openidIssuer(parts) : entraIssuer(parts, url, sts);
}

function entraIssuer(parts: ForeignIssuerParts, { origin, pathname }: URL, sts: string): Issuer {
  const tenant = (pathname.split('/')[1] ?? '').toLowerCase();
  const issuer = `${origin}/${tenant}/v2.0`;
  const keys = createRemoteKeys({ ...parts, issuer, discoveryUrl: `${issuer}/.well-known/openid-configuration` });
  const names = [issuer, `${sts}/${tenant}/`];
  return {
    issues: (name) => names.includes(name),
    keyFor: (keyId) => keys.find(keyId),
    identify(claims) {
      if (claims['tid'] !== tenant) throw new RefusedToken('invalid', 'it is of another tenant');
      const objectId = claims['oid'];
      if (!isGuid(objectId)) throw new RefusedToken('invalid', 'it has no object id');
      return {
        objectId: objectId.toLowerCase(),
        name: nameOf(claims) ?? objectId,
        // *Entra: tokens of users have a scope, those of applications have none.*
        kind: claims['idtyp'] === 'app' || typeof claims['scp'] !== 'string' ? 'ServicePrincipal' : 'User',
        groups: textsOf(claims['groups'])
          .filter(isGuid)
          .map((id) => id.toLowerCase()),
        grants: [],
      };
    },
  };
}

function openidIssuer(parts: ForeignIssuerParts): Issuer {
  const { issuer } = parts;
  const discoveryUrl = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const keys = createRemoteKeys({ ...parts, discoveryUrl });
  return {
    issues: (name) => name === issuer,
    keyFor: (keyId) => keys.find(keyId),
    identify(claims): Principal {
      const { sub } = claims;
      if (typeof sub !== 'string' || sub === '') throw new RefusedToken('invalid', 'it has no subject');
      return {
        objectId: derivedId(issuer, 'subject', sub),
        name: nameOf(claims) ?? sub,
        kind: claims['client_id'] === sub || claims['azp'] === sub ? 'ServicePrincipal' : 'User',
        groups: textsOf(claims['groups']).map((group) => derivedId(issuer, 'group', group)),
        grants: [],
      };
    },
  };
}

/** One printable line: it is written to logs and to the owners of runs. */
function nameOf(claims: JWTPayload): string | undefined {
  for (const claim of [
    'upn',
    'preferred_username',
    'unique_name',
    'email',
    'name',
    'app_displayname',
    'appid',
    'azp',
  ]) {
    const value = claims[claim];
    if (typeof value === 'string' && value.trim() !== '')
      return value.slice(0, 250).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  }
  return undefined;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

function isGuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
}
