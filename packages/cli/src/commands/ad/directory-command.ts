import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { CommandError, moment } from '../../output.ts';
import { describeCommand, type Description } from '../../command-help.ts';
import { printer, withOutputOptions, type OutputOptions } from '../../server-command.ts';
import { takePlace, withPlace, type Calls, type Place, type PlaceOptions } from '../../server-place.ts';
import type { Surroundings } from '../../surroundings.ts';

/** What the commands about the directory have in common: where they work, and how they show what is there. */
export type Directory = Calls<Client['directory']>;
export type DirectoryObject = Awaited<ReturnType<Directory['getDirectoryObject']>>['object'];
export type Credential = Awaited<ReturnType<Directory['createSecret']>>['credential'];

export type ListOptions = PlaceOptions & OutputOptions;

export const objectColumns = {
  Object: 'object_id',
  Kind: 'kind',
  Name: 'display_name',
  'User name or application': 'user_name || app_id',
  Disabled: 'disabled',
};

const credentialColumns = {
  Credential: 'credential_id',
  Kind: 'kind',
  Name: 'display_name',
  Created: 'creation_time',
  Expires: 'expiry_time',
  Issuer: 'issuer',
  Subject: 'subject',
};

const place: Place<Directory> = {
  database: 'make',
  ofServer: ({ client }) => client.directory,
  ofDatabase: async (settings) => (await import('@lazuli/server')).openDirectory(settings),
};

export function inDirectory<Result>(
  options: PlaceOptions,
  surroundings: Surroundings,
  work: (directory: Directory) => Promise<Result>,
): Promise<Result> {
  return withPlace(options, surroundings, place, work);
}

function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

export function directoryNoun(parent: Command, name: string, summary: string): Command {
  return parent.command(name).description(summary).helpOption('-h, --help', 'show this help');
}

export function directoryCommand(parent: Command, description: Description): Command {
  return takePlace(describeCommand(parent, description));
}

/** A command that prints objects, or one. */
export function objectCommand(
  parent: Command,
  surroundings: Surroundings,
  description: Description,
  find: (directory: Directory, argument: string) => Promise<DirectoryObject | readonly DirectoryObject[]>,
): void {
  withOutputOptions(directoryCommand(parent, description)).action(async (...given: unknown[]) => {
    const options = given.at(-2) as ListOptions;
    const argument = given.length > 2 ? String(given[0]) : '';
    const print = printer(options, surroundings, objectColumns);
    print(await inDirectory(options, surroundings, (directory) => find(directory, argument)));
  });
}

/** *Azure CLI: whom a role is given to may be named by user name, application or object id.* Ids of others pass as they are. */
export async function findPrincipal(
  named: string,
  options: PlaceOptions,
  surroundings: Surroundings,
): Promise<Pick<DirectoryObject, 'object_id'> & Partial<Pick<DirectoryObject, 'kind'>>> {
  try {
    const { object } = await inDirectory(options, surroundings, (part) => part.getDirectoryObject({ object: named }));
    return object;
  } catch (error) {
    // An API token, or somebody whom only another issuer knows; or the caller may not look into the directory.
    if (isGuid(named)) return { object_id: named };
    throw error;
  }
}

/** What everybody in the directory is called, by object id; nothing where the caller may not look into it, or there is none. */
export async function namesInDirectory(
  options: PlaceOptions,
  surroundings: Surroundings,
): Promise<ReadonlyMap<string, string>> {
  try {
    const { objects = [] } = await inDirectory(options, surroundings, (part) => part.listDirectoryObjects({}));
    return new Map(objects.map(({ object_id, user_name, display_name }) => [object_id, user_name ?? display_name]));
  } catch (error) {
    const status = error instanceof CommandError ? (error.cause as { status?: number } | undefined)?.status : undefined;
    if (status === 403 || status === 404) return new Map();
    throw error;
  }
}

/** What a kind of credential is called: as a noun of the command, and in a sentence. */
const credentialNames: Record<Credential['kind'], { readonly noun: string; readonly name: string }> = {
  secret: { noun: 'secret', name: 'secret' },
  certificate: { noun: 'cert', name: 'certificate' },
  federated: { noun: 'federated-credential', name: 'federated credential' },
};

/** Lists credentials of a kind, and deletes one. */
export function credentialCommands(parent: Command, surroundings: Surroundings, kind: Credential['kind']): void {
  const { noun, name } = credentialNames[kind];
  withOutputOptions(
    directoryCommand(parent, {
      usage: 'list <service-principal>',
      summary: `List the ${name}s of a service principal`,
      examples: [`lazuli ad ${noun} list nightly-build -o table`],
    }),
  ).action(async (object: string, options: ListOptions) => {
    const print = printer(options, surroundings, credentialColumns);
    const { credentials = [] } = await inDirectory(options, surroundings, (directory) =>
      directory.listCredentials({ object }),
    );
    const wanted = credentials.filter((credential) => credential.kind === kind);
    print(
      wanted.map((credential) => ({
        ...credential,
        creation_time: moment(credential.creation_time),
        expiry_time: kind === 'federated' ? 'never' : moment(credential.expiry_time),
      })),
    );
  });
  directoryCommand(parent, {
    usage: 'delete <credential-id>',
    summary: `Delete a ${name}; nobody signs in with it any more`,
    examples: [`lazuli ad ${noun} delete 3f2b8a50-6f3e-4ac0-9f5e-2f8f1f7f0d61`],
  }).action(async (credential_id: string, options: PlaceOptions) => {
    await inDirectory(options, surroundings, (directory) => directory.deleteCredential({ credential_id }));
    surroundings.output.remark(`Credential ${credential_id} is deleted.`);
  });
}
