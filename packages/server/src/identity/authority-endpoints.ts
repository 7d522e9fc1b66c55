import { authorize } from './authorize.ts';
import { jsonAnswer, type AuthorityAnswer, type AuthorityParts, type AuthorityRequest } from './authority.ts';
import { deviceAuth, deviceCode } from './device-code.ts';
import { instanceDiscovery, jsonWebKeySet, openidConfiguration } from './discovery.ts';
import { instanceMetadataToken, managedIdentityToken, type ManagedIdentityParts } from './managed-identity.ts';
import { messagePage } from './pages.ts';
import { tokenEndpoint } from './token-endpoint.ts';

/** Everything that the authority answers, as functions that know no web framework. */
type Answering = (request: AuthorityRequest) => AuthorityAnswer | Promise<AuthorityAnswer>;

export interface AuthorityEndpoints {
  readonly openidConfiguration: Answering;
  readonly jsonWebKeySet: Answering;
  readonly instanceDiscovery: Answering;
  readonly userRealm: Answering;
  readonly token: Answering;
  readonly authorize: Answering;
  readonly logout: Answering;
  readonly deviceCode: Answering;
  readonly deviceAuth: Answering;
  readonly managedIdentity: Answering;
  /** Undefined where it is switched off. */
  readonly instanceMetadata: Answering | undefined;
}

export function authorityEndpoints(
  authority: AuthorityParts,
  identity: Omit<ManagedIdentityParts, 'authority'> & { readonly imds: 'on' | 'off' },
): AuthorityEndpoints {
  const managed = { authority, ...identity };
  return {
    openidConfiguration: (request) => openidConfiguration(authority, request),
    jsonWebKeySet: ({ tenant }) => jsonWebKeySet(authority, tenant),
    instanceDiscovery: ({ query }) => instanceDiscovery(authority, query),
    // *MSAL for Python asks whether a user's domain signs in elsewhere.* None does.
    userRealm: () =>
      jsonAnswer({ ver: '1.0', account_type: 'Managed', cloud_instance_name: new URL(authority.url()).host }),
    token: (request) => tokenEndpoint(authority, request),
    authorize: (request) => authorize(authority, request),
    // Nobody stays signed in here: there is no session to end.
    logout: () => messagePage('Signed out', 'You can close this page.'),
    deviceCode: (request) => deviceCode(authority, request),
    deviceAuth: (request) => deviceAuth(authority, request),
    managedIdentity: (request) => managedIdentityToken(managed, request),
    instanceMetadata: identity.imds === 'on' ? (request) => instanceMetadataToken(managed, request) : undefined,
  };
}
