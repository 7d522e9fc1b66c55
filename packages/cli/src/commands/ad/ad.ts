import type { Command } from 'commander';
import type { PlaceOptions } from '../../server-place.ts';
import type { Surroundings } from '../../surroundings.ts';
import { directoryCommand, inDirectory } from './directory-command.ts';
import {
  describeCertificates,
  describeFederatedCredentials,
  describeSecrets,
  describeServicePrincipals,
} from './service-principals.ts';
import { describeGroups, describeUsers } from './users-and-groups.ts';

/**
 * `lazuli ad`: who can sign in with the built-in authority, and with what. Wherever an object is asked for, its object id,
 * application id, user name or unique display name will do.
 */
export function describeAd(command: Command, surroundings: Surroundings): void {
  directoryCommand(command, {
    usage: 'tenant',
    summary: 'Show the tenant: AZURE_TENANT_ID, where a client does not take the name adfs',
    examples: ['AZURE_TENANT_ID=$(lazuli ad tenant)'],
  }).action(async (options: PlaceOptions) => {
    const { tenant_id } = await inDirectory(options, surroundings, (part) => part.getTenant({}));
    surroundings.output.result(tenant_id);
  });
  describeUsers(command, surroundings);
  describeGroups(command, surroundings);
  describeServicePrincipals(command, surroundings);
  describeSecrets(command, surroundings);
  describeCertificates(command, surroundings);
  describeFederatedCredentials(command, surroundings);
}
