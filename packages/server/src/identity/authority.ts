import type { Audiences } from '../access/audiences.ts';
import type { Engine } from '../database/engine.ts';
import type { TenantRow } from './directory-store.ts';
import type { IssuerKeys } from './federated-assertion.ts';
import { OAuthError } from './oauth-error.ts';
import type { SigningKeys } from './signing-keys.ts';
import { isTenant } from './tenant.ts';

/**
 * The built-in authority, shaped as Entra ID is: what its endpoints share. Its origin is configuration and never what a
 * request says, because clients hold the issuer's origin against the authority's.
 */
export interface AuthorityParts {
  readonly engine: Pick<Engine, 'snapshot' | 'transaction'>;
  readonly now: () => number;
  readonly tenant: TenantRow;
  readonly keys: SigningKeys;
  readonly audiences: Audiences;
  /** Of the issuers that federated credentials name. */
  readonly issuerKeys: IssuerKeys;
  /** Where clients find this server, without a slash at its end. */
  readonly url: () => string;
}

/** What the web framework's side hands over of a request. */
export interface AuthorityRequest {
  readonly method: 'GET' | 'POST';
  /** The tenant in the path, as it was written. */
  readonly tenant: string;
  /** *Entra: paths with /v2.0/ speak of scopes, those without of resources.* */
  readonly version: 'v1' | 'v2';
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The other end of the connection. */
  readonly remoteAddress: string | undefined;
}

export interface AuthorityAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function issuerOf({ url, tenant }: Pick<AuthorityParts, 'url' | 'tenant'>): string {
  return `${url()}/${tenant.tenant_id}/v2.0`;
}

export function requireTenant({ tenant }: Pick<AuthorityParts, 'tenant'>, name: string): void {
  if (isTenant(tenant, name)) return;
  const shown = name.slice(0, 100).replaceAll(/[^\w.-]/g, '?');
  throw new OAuthError(
    'unknown_tenant',
    `Tenant '${shown}' not found. Check to make sure you have the correct tenant ID.`,
  );
}

/** *OAuth 2.0: answers with tokens are kept by nobody on the way.* */
export function jsonAnswer(body: unknown, status = 200): AuthorityAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: JSON.stringify(body),
  };
}
