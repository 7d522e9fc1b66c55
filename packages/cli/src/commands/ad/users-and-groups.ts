import type { Command } from 'commander';
import type { PlaceOptions } from '../../server-place.ts';
import type { Surroundings } from '../../surroundings.ts';
import { pick } from '../options.ts';
import { directoryCommand, directoryNoun, inDirectory, objectCommand } from './directory-command.ts';
import { objectCommands } from './objects.ts';

type WithPassword = PlaceOptions & { readonly password?: string };

const passwordOption = [
  '--password <password>',
  'at least 12 characters (default: one is made up and printed once)',
] as const;

export function describeUsers(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const user = directoryNoun(command, 'user', 'Create, list and delete users');
  directoryCommand(user, {
    usage: 'create <user-name>',
    summary: 'Create a user, such as ann@example.org',
    examples: ['PASSWORD=$(lazuli ad user create ann@example.org --display-name Ann)'],
  })
    .option('--display-name <name>', 'what pages show (default: the user name)')
    .option(...passwordOption)
    .action(async (user_name: string, options: WithPassword & { readonly displayName?: string }) => {
      const input = { user_name, ...pick({ display_name: options.displayName, password: options.password }) };
      const { object, password } = await inDirectory(options, surroundings, (part) => part.createUser(input));
      if (password !== undefined) output.result(password);
      output.remark(
        `User ${object.user_name} has the object id ${object.object_id}.${password === undefined ? '' : ' The password is not shown again.'}`,
      );
    });
  directoryCommand(user, {
    usage: 'set-password <user>',
    summary: "Set a user's password; every sign-in of the user ends",
    examples: ['PASSWORD=$(lazuli ad user set-password ann@example.org)'],
  })
    .option(...passwordOption)
    .action(async (object: string, options: WithPassword) => {
      const input = { object, ...pick({ password: options.password }) };
      const { password } = await inDirectory(options, surroundings, (part) => part.setPassword(input));
      if (password !== undefined) output.result(password);
      output.remark(`The password of ${object} is set.`);
    });
  objectCommands(user, surroundings, { kind: 'User', noun: 'user', name: 'user', example: 'ann@example.org' });
}

export function describeGroups(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const group = directoryNoun(command, 'group', 'Create, list and delete groups, and say who is in them');
  directoryCommand(group, {
    usage: 'create <name>',
    summary: 'Create a group; its object id is printed',
    examples: ['lazuli ad group create team'],
  }).action(async (display_name: string, options: PlaceOptions) => {
    const { object } = await inDirectory(options, surroundings, (part) => part.createGroup({ display_name }));
    output.result(object.object_id);
  });
  directoryCommand(group, {
    usage: 'add <group> <member>',
    summary: 'Put a user or a service principal into a group',
    examples: ['lazuli ad group add team ann@example.org'],
  }).action(async (name: string, member: string, options: PlaceOptions) => {
    await inDirectory(options, surroundings, (part) => part.addGroupMember({ group: name, member }));
    output.remark(`${member} is in ${name}.`);
  });
  directoryCommand(group, {
    usage: 'remove <group> <member>',
    summary: 'Take a member out of a group',
    examples: ['lazuli ad group remove team ann@example.org'],
  }).action(async (name: string, member: string, options: PlaceOptions) => {
    await inDirectory(options, surroundings, (part) => part.removeGroupMember({ group: name, member }));
    output.remark(`${member} is not in ${name}.`);
  });
  objectCommand(
    group,
    surroundings,
    {
      usage: 'members <group>',
      summary: 'List the members of a group',
      examples: ['lazuli ad group members team --query "[].display_name"'],
    },
    async (directory, name) => (await directory.listGroupMembers({ group: name })).objects ?? [],
  );
  objectCommands(group, surroundings, { kind: 'Group', noun: 'group', name: 'group', example: 'team' });
}
