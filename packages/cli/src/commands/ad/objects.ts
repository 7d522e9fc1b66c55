import type { Command } from 'commander';
import type { PlaceOptions } from '../../server-place.ts';
import type { Surroundings } from '../../surroundings.ts';
import { directoryCommand, inDirectory, objectCommand, type DirectoryObject } from './directory-command.ts';

/** What objects of every kind have in common: list, show, delete; and for those who sign in, disable and enable. */
export interface Kind {
  readonly kind: DirectoryObject['kind'];
  /** `sp` */
  readonly noun: string;
  /** `service principal` */
  readonly name: string;
  readonly example: string;
}

export function objectCommands(parent: Command, surroundings: Surroundings, { kind, noun, name, example }: Kind): void {
  const argument = `<${name.replace(' ', '-')}>`;
  objectCommand(
    parent,
    surroundings,
    { usage: 'list', summary: `List ${name}s`, examples: [`lazuli ad ${noun} list -o table`] },
    async (directory) => (await directory.listDirectoryObjects({ kind })).objects ?? [],
  );
  objectCommand(
    parent,
    surroundings,
    {
      usage: `show ${argument}`,
      summary: `Show a ${name}`,
      examples: [`lazuli ad ${noun} show ${example} --query object_id -o tsv`],
    },
    async (directory, object) => (await directory.getDirectoryObject({ object })).object,
  );
  directoryCommand(parent, {
    usage: `delete ${argument}`,
    summary: `Delete a ${name}; tokens that it holds are refused`,
    examples: [`lazuli ad ${noun} delete ${example}`],
  }).action(async (object: string, options: PlaceOptions) => {
    await inDirectory(options, surroundings, (directory) => directory.deleteDirectoryObject({ object }));
    surroundings.output.remark(`${object} is deleted.`);
  });
  if (kind === 'Group') return;
  for (const verb of ['disable', 'enable'] as const) {
    directoryCommand(parent, {
      usage: `${verb} ${argument}`,
      summary: `${verb === 'disable' ? 'Refuse' : 'Let in'} a ${name}`,
      examples: [`lazuli ad ${noun} ${verb} ${example}`],
    }).action(async (object: string, options: PlaceOptions) => {
      const disabled = verb === 'disable';
      await inDirectory(options, surroundings, (directory) => directory.updateDirectoryObject({ object, disabled }));
      surroundings.output.remark(`${object} is ${verb}d.`);
    });
  }
}
