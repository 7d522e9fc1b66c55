import { randomUUID } from 'node:crypto';
import { MlflowError } from '@lazuli/contract';
import { derivedId } from '../access/derived-id.ts';
import type { Engine } from '../database/engine.ts';
import { findDefaultTenant, insertObject, insertTenant, type TenantRow } from './directory-store.ts';

/** *RFC 6761: names under `localhost` are nobody else's.* */
const defaultDomain = 'lazuli.localhost';

/** The tenant of the built-in authority; the first server on a database makes it, with its managed identity. */
export async function openTenant(engine: Pick<Engine, 'transaction'>, now: () => number): Promise<TenantRow> {
  return engine.transaction(async ({ db }) => {
    const present = await findDefaultTenant(db);
    if (present !== undefined) return present;
    await insertTenant(db, { tenant_id: randomUUID(), position: 0, domain: defaultDomain, creation_time: now() });
    const made = await findDefaultTenant(db);
    if (made === undefined) throw new MlflowError('TEMPORARILY_UNAVAILABLE', 'The tenant is being made.');
    const { objectId, appId } = managedIdentityIds(made.tenant_id);
    await insertObject(db, {
      object_id: objectId,
      kind: 'ServicePrincipal',
      display_name: 'managed-identity',
      user_name: null,
      app_id: appId,
      password_hash: null,
      redirect_uris: '[]',
      disabled: 0,
      creation_time: now(),
    });
    return made;
  });
}

/** Of the tenant's managed identity: the same for every server on a database. */
export function managedIdentityIds(tenantId: string): { readonly objectId: string; readonly appId: string } {
  return { objectId: derivedId(tenantId, 'managed identity'), appId: derivedId(tenantId, 'managed application') };
}

/** *Entra: these names stand for whatever tenant the client turns out to be of; `adfs` skips instance discovery.* */
const aliases = ['common', 'organizations', 'consumers', 'adfs'];

/** Whether a path's tenant is this one: its id, its domain, or one of the names that stand for any. */
export function isTenant({ tenant_id, domain }: TenantRow, name: string): boolean {
  const wanted = name.toLowerCase();
  return wanted === tenant_id || wanted === domain || aliases.includes(wanted);
}
