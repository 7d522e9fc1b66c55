import type { Account } from '../accounts.ts';

export const accountColumns = { Place: 'environmentName', Name: 'user.name', Type: 'user.type', Tenant: 'tenantId' };

/** *The fields of `az account show`*, without what is secret. */
export function accountShown({ place, user, tenantId, hosts }: Account) {
  return { environmentName: place, tenantId: tenantId ?? null, user, hosts };
}
