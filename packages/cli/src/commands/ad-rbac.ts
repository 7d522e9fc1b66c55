import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { resourcesOf } from '../resource-manager.ts';
import { assignRole, roleId } from '../role-requests.ts';
import { type Calls, withPlace, type PlaceOptions } from '../server-place.ts';
import type { Surroundings } from '../surroundings.ts';

/** A service principal that may do something at once: what a program needs to sign in, in three lines. */
interface RbacOptions extends PlaceOptions {
  readonly role: string;
  readonly scopes: readonly string[];
}

type Directory = Calls<Client['directory']>;

export function describeCreateForRbac(
  command: Command,
  surroundings: Surroundings,
  directory: <Result>(options: PlaceOptions, work: (part: Directory) => Promise<Result>) => Promise<Result>,
): void {
  const { output } = surroundings;
  const resources = resourcesOf('make');
  command
    .requiredOption('--role <role>', 'its role, by name or id')
    .requiredOption('--scopes <scope...>', 'what it holds the role on: / or ids of resources')
    .addHelpText(
      'after',
      `
The three lines go to stdout, so that they can be kept in a file or evaluated:
  lazuli ad sp create-for-rbac training --role 'AzureML Data Scientist' --scopes / > .env`,
    )
    .action(async (name: string, options: RbacOptions) => {
      // First of all, because a role that is not there is the likeliest mistake.
      const id = await withPlace(options, surroundings, resources, (part) => roleId(part, options.role));
      const made = await directory(options, async (part) => {
        const { object } = await part.createServicePrincipal({ display_name: name });
        const { secret } = await part.createSecret({ object: object.object_id });
        return { object, secret, tenant: (await part.getTenant({})).tenant_id };
      });
      const { object_id: assignee, app_id = '' } = made.object;
      try {
        await withPlace(options, surroundings, resources, async (part) => {
          for (const scope of options.scopes) {
            await assignRole(part, { roleId: id, assignee, assigneeType: 'ServicePrincipal', scope });
          }
        });
      } catch (error) {
        // Without its role it would be of no use, and its secret was never shown.
        await directory(options, (part) => part.deleteDirectoryObject({ object: assignee }));
        throw error;
      }
      output.result(`AZURE_TENANT_ID=${made.tenant}\nAZURE_CLIENT_ID=${app_id}\nAZURE_CLIENT_SECRET=${made.secret}`);
      output.remark(
        `${name} is ${options.role} on ${options.scopes.join(', ')}. Keep the secret; it is not shown again.`,
      );
    });
}
