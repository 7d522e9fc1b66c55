import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { CommandError } from '../output.ts';
import { listAll, resourcesOf, type Resources } from '../resource-manager.ts';
import {
  assignmentsOn,
  assignRole,
  definitions,
  roleId,
  rolesNamed,
  type Assignment,
  type Definition,
} from '../role-requests.ts';
import { describeCommand, type Description } from '../command-help.ts';
import { printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import { takePlace, withPlace, type PlaceOptions } from '../server-place.ts';
import type { Surroundings } from '../surroundings.ts';
import { findPrincipal, namesInDirectory } from './ad/directory-command.ts';

/** `lazuli role`: what roles allow, and who holds which on what, by the same requests as Azure's clients send. */
interface DefinitionOptions extends PlaceOptions {
  readonly actions: readonly string[];
  readonly notActions?: readonly string[];
  readonly assignableScopes?: readonly string[];
  readonly description?: string;
}

interface AssignmentOptions extends PlaceOptions {
  readonly assignee: string;
  readonly assigneeType?: string;
  readonly role: string;
  readonly scope: string;
}

interface ListOptions extends PlaceOptions, OutputOptions {
  readonly assignee?: string;
  readonly scope: string;
}

export function describeRole(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const noun = (name: string, summary: string) =>
    command.command(name).description(summary).helpOption('-h, --help', 'show this help');
  const subcommand = (parent: Command, description: Description) => takePlace(describeCommand(parent, description));

  const definition = noun('definition', 'Make and list roles');
  subcommand(definition, {
    usage: 'create <name>',
    summary: 'Make a custom role, or make the one of this name say this',
    examples: [
      "lazuli role definition create Tracking --actions 'Microsoft.MachineLearningServices/workspaces/experiments/*' \\",
      "    'Microsoft.MachineLearningServices/workspaces/jobs/*'",
      "lazuli role definition create Models --actions 'Microsoft.MachineLearningServices/workspaces/models/*/*'",
    ],
  })
    .requiredOption('--actions <action...>', 'what it allows, with * as wildcard')
    .option('--not-actions <action...>', 'what it leaves out of that')
    .option('--assignable-scopes <scope...>', 'where it can be assigned (default: everywhere)')
    .option('--description <text>', 'what it is for')
    .action(async (name: string, options: DefinitionOptions) => {
      const role = await withPlace(options, surroundings, resourcesOf('make'), async (resources) => {
        const present = (await rolesNamed(resources, name)).find(({ properties }) => properties.type === 'CustomRole');
        const properties = {
          roleName: name,
          type: 'CustomRole',
          description: options.description ?? '',
          assignableScopes: options.assignableScopes ?? ['/'],
          permissions: [{ actions: options.actions, notActions: options.notActions ?? [] }],
        };
        const id = present?.name ?? randomUUID();
        return (await resources.send('PUT', `${definitions}/${id}`, { properties })) as Definition;
      });
      output.result(role.name);
      output.remark(`The role ${name} is made.`);
    });
  withOutputOptions(
    subcommand(definition, {
      usage: 'list',
      summary: 'List roles, those of Azure included',
      examples: ['lazuli role definition list -o table', `lazuli role definition list --query "[?type=='CustomRole']"`],
    }),
  ).action(async (options: PlaceOptions & OutputOptions) => {
    const print = printer(options, surroundings, { Id: 'name', Role: 'roleName', Type: 'type' });
    const roles = await withPlace(options, surroundings, resourcesOf('read'), (resources) =>
      listAll<Definition>(resources, definitions),
    );
    print(roles.map(({ id, name, properties }) => ({ id, name, ...properties })));
  });

  const assignment = noun('assignment', 'Give roles, list who holds which, take them away');
  subcommand(assignment, {
    usage: 'create',
    summary: 'Give a role to a user, group, service principal or API token, on a scope',
    examples: [
      "lazuli role assignment create --assignee ann@example.org --role 'AzureML Data Scientist'",
      'lazuli role assignment create --assignee managed-identity --role Contributor',
    ],
  })
    .requiredOption('--assignee <name>', 'who gets it: user name, application id, object id, or the id of an API token')
    .requiredOption('--role <role>', 'its name or its id')
    .option(
      '--assignee-type <type>',
      'User, Group or ServicePrincipal, where the directory does not know (default: ServicePrincipal)',
    )
    .option('--scope <scope>', 'what it is held on, with all beneath: / or the id of a resource', '/')
    .action(async (options: AssignmentOptions) => {
      const { assignee, role, scope, ...place } = options;
      const { object_id, kind } = await findPrincipal(assignee, place, surroundings);
      const assigneeType = kind ?? options.assigneeType ?? 'ServicePrincipal';
      const made = await withPlace(options, surroundings, resourcesOf('make'), async (resources) =>
        assignRole(resources, {
          roleId: await roleId(resources, role),
          assignee: object_id,
          assigneeType,
          scope,
        }),
      );
      output.result(made.id);
      output.remark(`${assignee} is ${role} on ${scope}.`);
    });
  withOutputOptions(
    subcommand(assignment, {
      usage: 'list',
      summary: 'List who holds which role',
      examples: ['lazuli role assignment list -o table', 'lazuli role assignment list --assignee ann@example.org'],
    }),
  )
    .option('--assignee <name>', 'only what this one holds')
    .option('--scope <scope>', 'only what is held on this scope, above or beneath it', '/')
    .action(async (options: ListOptions) => {
      const print = printer(options, surroundings, assignmentColumns);
      const { assignee, scope, ...place } = options;
      const principal = assignee === undefined ? undefined : await findPrincipal(assignee, place, surroundings);
      const { assignments, roles } = await withPlace(options, surroundings, resourcesOf('read'), async (resources) => ({
        assignments: await listAll<Assignment>(resources, assignmentsOn(scope) + filterOf(principal?.object_id)),
        roles: await listAll<Definition>(resources, definitions),
      }));
      print(assignmentsShown(assignments, roles, await namesInDirectory(place, surroundings)));
    });
  subcommand(assignment, {
    usage: 'delete <id>',
    summary: 'Take a role away; `lazuli role assignment list` shows the ids',
    examples: ['lazuli role assignment delete 3f2b8a50-6f3e-4ac0-9f5e-2f8f1f7f0d61'],
  }).action(async (id: string, options: PlaceOptions) => {
    await withPlace(options, surroundings, resourcesOf('read'), async (resources) => {
      const path = id.startsWith('/') ? id : (await assignmentNamed(resources, id)).id;
      const removed = await resources.send('DELETE', path);
      if (removed === undefined) throw new CommandError(3, `There is no role assignment ${id}.`);
    });
    output.remark(`The role assignment ${id} is deleted.`);
  });
}

function filterOf(principalId: string | undefined): string {
  return principalId === undefined ? '' : `?$filter=${encodeURIComponent(`principalId eq '${principalId}'`)}`;
}

async function assignmentNamed(resources: Resources, name: string): Promise<Assignment> {
  const all = await listAll<Assignment>(resources, assignmentsOn('/'));
  const found = all.find((assignment) => assignment.name === name.toLowerCase());
  if (found === undefined) throw new CommandError(3, `There is no role assignment ${name}.`);
  return found;
}

const assignmentColumns = {
  Id: 'name',
  Role: 'roleDefinitionName',
  Principal: 'principalName || principalId',
  Type: 'principalType',
  Scope: 'scope',
};

/** *The fields of `az role assignment list`.* */
function assignmentsShown(
  assignments: readonly Assignment[],
  roles: readonly Definition[],
  principals: ReadonlyMap<string, string>,
) {
  const names = new Map(roles.map(({ name, properties }) => [name, properties.roleName]));
  return assignments.map(({ id, name, properties }) => {
    const role = properties.roleDefinitionId.split('/').at(-1) ?? '';
    const principalName = principals.get(properties.principalId) ?? null;
    return { id, name, roleDefinitionName: names.get(role) ?? role, principalName, ...properties };
  });
}
