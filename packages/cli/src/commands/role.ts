import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { CommandError, formatTable } from '../output.ts';
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
import { takePlace, withPlace, type PlaceOptions } from '../server-place.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli role`: what roles allow, and who holds which on what, by the same requests as Azure's clients send. */
interface DefinitionOptions extends PlaceOptions {
  readonly actions: readonly string[];
  readonly notActions?: readonly string[];
  readonly assignableScopes?: readonly string[];
  readonly description?: string;
}

interface AssignmentOptions extends PlaceOptions {
  readonly assignee: string;
  readonly assigneeType: string;
  readonly role: string;
  readonly scope: string;
}

interface ListOptions extends PlaceOptions {
  readonly json?: true;
  readonly assignee?: string;
  readonly scope: string;
}

export function describeRole(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const noun = (name: string, summary: string) =>
    command.command(name).description(summary).helpOption('--help', 'show this help');
  const subcommand = (parent: Command, usage: string, summary: string) =>
    takePlace(parent.command(usage).description(summary).helpOption('--help', 'show this help'));

  const definition = noun('definition', 'Make and list roles');
  subcommand(definition, 'create <name>', 'Make a custom role, or make the one of this name say this')
    .requiredOption('--actions <action...>', 'what it allows, with * as wildcard')
    .option('--not-actions <action...>', 'what it leaves out of that')
    .option('--assignable-scopes <scope...>', 'where it can be assigned (default: everywhere)')
    .option('--description <text>', 'what it is for')
    .addHelpText(
      'after',
      `
A role for tracking, and one for models:
  lazuli role definition create Tracking --actions 'Microsoft.MachineLearningServices/workspaces/experiments/*' \\
    'Microsoft.MachineLearningServices/workspaces/jobs/*'
  lazuli role definition create Models --actions 'Microsoft.MachineLearningServices/workspaces/models/*/*'`,
    )
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
  subcommand(definition, 'list', 'List roles, those of Azure included')
    .option('--json', 'as JSON')
    .action(async (options: PlaceOptions & { readonly json?: true }) => {
      const roles = await withPlace(options, surroundings, resourcesOf('read'), (resources) =>
        listAll<Definition>(resources, definitions),
      );
      const rows = roles.map(({ name, properties }) => [name, properties.roleName, properties.type]);
      output.result(
        options.json === true ? JSON.stringify(roles, null, 2) : formatTable([['ID', 'ROLE', 'TYPE'], ...rows]),
      );
    });

  const assignment = noun('assignment', 'Give roles, list who holds which, take them away');
  subcommand(assignment, 'create', 'Give a role to a user, group, service principal or API token, on a scope')
    .requiredOption('--assignee <object-id>', 'who gets it: an object id, or the id of an API token')
    .requiredOption('--role <role>', 'its name or its id')
    .option('--assignee-type <type>', 'User, Group or ServicePrincipal', 'ServicePrincipal')
    .option('--scope <scope>', 'what it is held on, with all beneath: / or the id of a resource', '/')
    .action(async (options: AssignmentOptions) => {
      const { assignee, role, scope, assigneeType } = options;
      const made = await withPlace(options, surroundings, resourcesOf('make'), async (resources) =>
        assignRole(resources, { roleId: await roleId(resources, role), assignee, assigneeType, scope }),
      );
      output.result(made.id);
      output.remark(`${assignee} is ${role} on ${scope}.`);
    });
  subcommand(assignment, 'list', 'List who holds which role')
    .option('--assignee <object-id>', 'only what this one holds')
    .option('--scope <scope>', 'only what is held on this scope, above or beneath it', '/')
    .option('--json', 'as JSON')
    .action(async (options: ListOptions) => {
      const { assignments, roles } = await withPlace(options, surroundings, resourcesOf('read'), async (resources) => ({
        assignments: await listAll<Assignment>(resources, assignmentsOn(options.scope) + filterOf(options)),
        roles: await listAll<Definition>(resources, definitions),
      }));
      output.result(options.json === true ? JSON.stringify(assignments, null, 2) : assignmentTable(assignments, roles));
    });
  subcommand(assignment, 'delete <id>', 'Take a role away; `lazuli role assignment list` shows the ids').action(
    async (id: string, options: PlaceOptions) => {
      await withPlace(options, surroundings, resourcesOf('read'), async (resources) => {
        const path = id.startsWith('/') ? id : (await assignmentNamed(resources, id)).id;
        const removed = await resources.send('DELETE', path);
        if (removed === undefined) throw new CommandError(1, `There is no role assignment ${id}.`);
      });
      output.remark(`The role assignment ${id} is deleted.`);
    },
  );
}

function filterOf({ assignee }: ListOptions): string {
  return assignee === undefined ? '' : `?$filter=${encodeURIComponent(`principalId eq '${assignee}'`)}`;
}

async function assignmentNamed(resources: Resources, name: string): Promise<Assignment> {
  const all = await listAll<Assignment>(resources, assignmentsOn('/'));
  const found = all.find((assignment) => assignment.name === name.toLowerCase());
  if (found === undefined) throw new CommandError(1, `There is no role assignment ${name}.`);
  return found;
}

function assignmentTable(assignments: readonly Assignment[], roles: readonly Definition[]): string {
  const names = new Map(roles.map(({ name, properties }) => [name, properties.roleName]));
  const rows = assignments.map(({ name, properties: { roleDefinitionId, principalId, principalType, scope } }) => {
    const role = roleDefinitionId.split('/').at(-1) ?? '';
    return [name, names.get(role) ?? role, principalId, principalType, scope];
  });
  return formatTable([['ID', 'ROLE', 'PRINCIPAL', 'TYPE', 'SCOPE'], ...rows]);
}
