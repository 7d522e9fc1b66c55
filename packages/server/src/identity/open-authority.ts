import { join } from 'node:path';
import { createAudiences, type Audiences } from '../access/audiences.ts';
import type { Issuer } from '../access/verify-token.ts';
import type { Engine } from '../database/engine.ts';
import { authorityEndpoints, type AuthorityEndpoints } from './authority-endpoints.ts';
import type { AuthorityParts } from './authority.ts';
import type { TenantRow } from './directory-store.ts';
import { createIssuerKeys } from './federated-assertion.ts';
import { inventIdentitySecret } from './managed-identity.ts';
import { ownIssuer } from './own-issuer.ts';
import { openSealedBox, type SealedBox } from './sealed-box.ts';
import { ensureSecretFile } from './secret-file.ts';
import { createSigningKeys } from './signing-keys.ts';
import { managedIdentityIds, openTenant } from './tenant.ts';

/** The built-in authority, opened: its endpoints, and itself as an issuer of access tokens. */
export interface Authority {
  readonly tenant: TenantRow;
  readonly audiences: Audiences;
  readonly issuer: Issuer;
  readonly endpoints: AuthorityEndpoints;
}

export interface AuthorityOptions {
  readonly engine: Engine;
  readonly now: () => number;
  readonly url: () => string;
  readonly dataDir: string;
  readonly encryptionKeyFile: string;
  readonly tokenAudiences: readonly string[];
  readonly imds: 'on' | 'off';
  /** Where the keys of an issuer elsewhere cannot be fetched. */
  readonly onKeyFailure: (issuer: string, error: unknown) => void;
}

/** The file that holds what a program shows to get a token of the managed identity. */
export function identitySecretFile(dataDir: string): string {
  return join(dataDir, 'identity', 'managed-identity.secret');
}

export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const { engine, now, url } = options;
  const tenant = await openTenant(engine, now);
  const secret = await ensureSecretFile(identitySecretFile(options.dataDir), inventIdentitySecret);
  let box: Promise<SealedBox> | undefined;
  const keys = createSigningKeys({ engine, now, box: () => (box ??= openSealedBox(options.encryptionKeyFile)) });
  const audiences = createAudiences(url, options.tokenAudiences);
  const issuerKeys = createIssuerKeys(now, options.onKeyFailure);
  const parts: AuthorityParts = { engine, now, tenant, keys, audiences, issuerKeys, url };
  const { objectId } = managedIdentityIds(tenant.tenant_id);
  return {
    tenant,
    audiences,
    issuer: ownIssuer(parts),
    endpoints: authorityEndpoints(parts, { secret, objectId, imds: options.imds }),
  };
}
