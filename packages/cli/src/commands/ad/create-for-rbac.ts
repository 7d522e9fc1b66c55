import type { Command } from 'commander';
import { resourcesOf } from '../../resource-manager.ts';
import { assignRole, roleId } from '../../role-requests.ts';
import { withPlace, type PlaceOptions } from '../../server-place.ts';
import type { Surroundings } from '../../surroundings.ts';
import { directoryCommand, inDirectory } from './directory-command.ts';

/** A service principal that may do something at once: what a program needs to sign in, in three lines. */
interface RbacOptions extends PlaceOptions {
  readonly role: string;
  readonly scopes: readonly string[];
}

export function describeCreateForRbac(parent: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const resources = resourcesOf('make');
  directoryCommand(parent, {
    usage: 'create-for-rbac <name>',
    summary: 'Create a service principal with a secret and a role',
    notes:
      'The three lines go to stdout, so that they can be kept in a file or evaluated. Clients that sign in here and not at Microsoft need AZURE_AUTHORITY_HOST beside them, which lazuli env prints. The tenant is called adfs because Microsoft’s libraries ask Microsoft about any other.',
    examples: ["lazuli ad sp create-for-rbac training --role 'AzureML Data Scientist' --scopes / > .env"],
  })
    .requiredOption('--role <role>', 'its role, by name or id')
    .requiredOption('--scopes <scope...>', 'what it holds the role on: / or ids of resources')
    .action(async (name: string, options: RbacOptions) => {
      // First of all, because a role that is not there is the likeliest mistake.
      const id = await withPlace(options, surroundings, resources, (part) => roleId(part, options.role));
      const made = await inDirectory(options, surroundings, async (part) => {
        const { object } = await part.createServicePrincipal({ display_name: name });
        const { secret } = await part.createSecret({ object: object.object_id });
        return { object, secret };
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
        await inDirectory(options, surroundings, (part) => part.deleteDirectoryObject({ object: assignee }));
        throw error;
      }
      output.result(`AZURE_TENANT_ID=adfs\nAZURE_CLIENT_ID=${app_id}\nAZURE_CLIENT_SECRET=${made.secret}`);
      output.remark(
        `${name} is ${options.role} on ${options.scopes.join(', ')}. Keep the secret; it is not shown again.`,
      );
    });
}
