import { RefusedToken } from '../access/refused-token.ts';
import type { Issuer } from '../access/verify-token.ts';
import { issuerOf, type AuthorityParts } from './authority.ts';
import { findIdentity } from './identities.ts';

/**
 * The built-in authority as an issuer of access tokens. Groups and names are the directory's of now and not the token's, and
 * whoever was disabled or deleted since is nobody.
 */
export function ownIssuer(authority: Pick<AuthorityParts, 'engine' | 'keys' | 'tenant' | 'url'>): Issuer {
  return {
    issues: (issuer) => issuer === issuerOf(authority),
    keyFor: (keyId) => authority.keys.find(keyId),
    async identify(claims) {
      if (claims['tid'] !== authority.tenant.tenant_id) throw new RefusedToken('invalid', 'it is of another tenant');
      const objectId = String(claims['oid']);
      const identity = await findIdentity(authority.engine, objectId);
      if (identity === undefined) throw new RefusedToken('invalid', 'its principal is disabled or gone');
      const { kind, displayName, userName, groups } = identity;
      return { objectId, name: userName ?? displayName, kind, groups, grants: [] };
    },
  };
}
