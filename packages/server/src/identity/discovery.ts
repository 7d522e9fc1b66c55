import { issuerOf, jsonAnswer, requireTenant, type AuthorityAnswer, type AuthorityParts } from './authority.ts';
import { OAuthError } from './oauth-error.ts';

/** The documents in which clients look up everything else. */
export interface DiscoveryRequest {
  readonly tenant: string;
  readonly version: 'v1' | 'v2';
}

export function openidConfiguration(authority: AuthorityParts, { tenant, version }: DiscoveryRequest): AuthorityAnswer {
  requireTenant(authority, tenant);
  const base = `${authority.url()}/${tenant.toLowerCase()}`;
  // *MSAL for AD FS reads the document without v2.0 and still speaks of scopes.*
  const scoped = version === 'v2' || tenant.toLowerCase() === 'adfs';
  const oauth = `${base}/oauth2${scoped ? '/v2.0' : ''}`;
  return jsonAnswer({
    issuer: issuerOf(authority),
    authorization_endpoint: `${oauth}/authorize`,
    token_endpoint: `${oauth}/token`,
    device_authorization_endpoint: `${oauth}/devicecode`,
    end_session_endpoint: `${oauth}/logout`,
    jwks_uri: `${base}/discovery/v2.0/keys`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    token_endpoint_auth_signing_alg_values_supported: ['RS256', 'PS256'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    response_types_supported: ['code'],
    grant_types_supported: [
      'authorization_code',
      'client_credentials',
      'refresh_token',
      'password',
      'urn:ietf:params:oauth:grant-type:device_code',
    ],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'nonce', 'preferred_username', 'name', 'tid', 'ver', 'oid'],
    request_uri_parameter_supported: false,
    tenant_region_scope: null,
    cloud_instance_name: new URL(authority.url()).host,
    msgraph_host: new URL(authority.url()).host,
  });
}

export async function jsonWebKeySet(authority: AuthorityParts, tenant: string): Promise<AuthorityAnswer> {
  requireTenant(authority, tenant);
  const issuer = issuerOf(authority);
  const keys = (await authority.keys.published()).map((key) => ({ ...key, issuer }));
  const { status, headers, body } = jsonAnswer({ keys });
  return { status, headers: { ...headers, 'cache-control': 'public, max-age=3600' }, body };
}

/**
 * Whether an authority can be trusted: clients ask login.microsoftonline.com, so this is reached only where names are
 * resolved to this server. *MSAL for JavaScript wants to find its own authority's host in `metadata`.*
 */
export function instanceDiscovery(authority: AuthorityParts, query: URLSearchParams): AuthorityAnswer {
  const version = query.get('api-version') ?? '1.1';
  const endpoint = URL.parse(query.get('authorization_endpoint') ?? '');
  if (endpoint === null || !['1.0', '1.1'].includes(version)) {
    throw new OAuthError('malformed', 'api-version must be 1.0 or 1.1, and authorization_endpoint a URL.');
  }
  const tenant = endpoint.pathname.split('/')[1] ?? '';
  requireTenant(authority, tenant);
  const { host, hostname } = new URL(authority.url());
  const names = [...new Set([host, hostname, endpoint.host])];
  return jsonAnswer({
    tenant_discovery_endpoint: `${authority.url()}/${tenant.toLowerCase()}/v2.0/.well-known/openid-configuration`,
    'api-version': version,
    metadata: [{ preferred_network: endpoint.host, preferred_cache: endpoint.host, aliases: names }],
  });
}
