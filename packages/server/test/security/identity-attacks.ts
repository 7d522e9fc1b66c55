/**
 * Attacks on signing in, on tokens and on signed URLs. Each is tested under its own name: `identity-attacks.test.ts` looks for
 * every name in the titles of the tests, so that none can be lost.
 */
export interface IdentityAttack {
  readonly name: string;
  readonly mechanism: string;
  /** Below `packages/server/src`. The tests of the attack fail where the defence is taken out of any of them. */
  readonly defence: readonly string[];
}

const verify = 'access/verify-token.ts';
const client = 'identity/client-authentication.ts';
const federated = 'identity/federated-assertion.ts';
const tokens = 'identity/token-endpoint.ts';
const capability = 'azure/blob-capability.ts';

export const identityAttacks: readonly IdentityAttack[] = [
  {
    name: 'token forgery',
    mechanism: 'a token that was changed, or signed with a key of the attacker that its header offers',
    defence: [verify, client, federated],
  },
  {
    name: 'alg confusion',
    mechanism: 'a token without a signature, or one under a shared secret that is really the public key',
    defence: [verify],
  },
  { name: 'kid injection', mechanism: 'the id of a key that is a path, a query or a property', defence: [verify] },
  {
    name: 'wrong tenant',
    mechanism: 'a token of another tenant, whose issuer has the same keys',
    defence: ['access/foreign-issuer.ts'],
  },
  {
    name: 'wrong audience',
    mechanism: 'a token that somebody gave to another service, or that is for a client and not for this server',
    defence: [verify, federated],
  },
  {
    name: 'stale token',
    mechanism: 'a token that has expired, has no end, or is not good yet',
    defence: [verify, client],
  },
  {
    name: 'replay of codes',
    mechanism: 'an authorization code or a device code for the second time, or for another client or address',
    defence: [tokens, 'identity/issue-tokens.ts'],
  },
  {
    name: 'PKCE downgrade',
    mechanism: 'a code without its verifier, with the challenge for one, or asked for without S256',
    defence: ['identity/authorize.ts', tokens],
  },
  {
    name: 'redirect URI tricks',
    mechanism: 'an address that a parser takes for a registered one and a browser does not',
    defence: ['identity/authorize.ts', 'identity/redirect-uri.ts', 'identity/fields.ts'],
  },
  {
    name: 'open redirect',
    mechanism: 'an error that is sent to whoever asked for it',
    defence: ['identity/authorize.ts'],
  },
  {
    name: 'CSRF on sign-in',
    mechanism: 'a form of another page that signs its victim in, or approves a device',
    defence: ['identity/form-token.ts', 'identity/authorize.ts', 'identity/device-code.ts'],
  },
  {
    name: 'client impersonation',
    mechanism: 'a code, a refresh token or a password that is brought in the name of an application that has a secret',
    defence: [client],
  },
  {
    name: 'assertion replay',
    mechanism: 'a recorded client assertion, also with another spelling of what it is used for',
    defence: [client],
  },
  {
    name: 'throttling',
    mechanism: 'guessing passwords, one after another or many at once',
    defence: ['identity/sign-in.ts'],
  },
  {
    name: 'enumeration of users',
    mechanism: 'an answer, a block or a time that tells which user names there are',
    defence: ['identity/sign-in.ts', 'identity/password.ts'],
  },
  {
    name: 'altered signed URL',
    mechanism: 'another path, workspace, time or permission in the URL of a file',
    defence: [capability],
  },
  {
    name: 'revoked right',
    mechanism: 'a signed URL that outlives the rights of whoever asked for it',
    defence: ['access/acting-for.ts', 'azure/blob-transfers.ts'],
  },
  {
    name: 'unasked identity',
    mechanism: 'any process of the machine, or a proxy on it, that takes a token of the managed identity',
    defence: ['identity/authority-endpoints.ts', 'identity/managed-identity.ts'],
  },
];
