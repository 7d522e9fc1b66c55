import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { parseDuration } from '../duration.ts';
import { CommandError, formatTable, moment } from '../output.ts';
import { takePlace, withPlace, type Calls, type Place, type PlaceOptions } from '../server-place.ts';
import type { Surroundings } from '../surroundings.ts';
import { describeCreateForRbac } from './ad-rbac.ts';

/**
 * `lazuli ad`: who can sign in with the built-in authority, and with what. Wherever an object is asked for, its object id,
 * application id, user name or unique display name will do.
 */
type Directory = Calls<Client['directory']>;
type DirectoryObject = Awaited<ReturnType<Directory['getDirectoryObject']>>['object'];
type Credential = Awaited<ReturnType<Directory['createSecret']>>['credential'];

type Json = PlaceOptions & { readonly json?: true };
type Federated = PlaceOptions & {
  readonly issuer: string;
  readonly subject: string;
  readonly audience?: string[];
  readonly displayName?: string;
};
type Expiring = PlaceOptions & { readonly expiresIn?: string; readonly displayName?: string };

export function describeAd(command: Command, surroundings: Surroundings): void {
  const { output, workingDir } = surroundings;
  const subcommand = (parent: Command, usage: string, summary: string) =>
    takePlace(parent.command(usage).description(summary).helpOption('--help', 'show this help'));
  const noun = (name: string, summary: string) =>
    command.command(name).description(summary).helpOption('--help', 'show this help');
  const directory = <Result>(options: PlaceOptions, work: (part: Directory) => Promise<Result>) =>
    withPlace(options, surroundings, directoryPlace, work);

  const showObjects = (objects: readonly DirectoryObject[], { json }: Json) =>
    output.result(json === true ? JSON.stringify(objects, null, 2) : objectTable(objects));
  const showCredentials = (credentials: readonly Credential[], { json }: Json) =>
    output.result(json === true ? JSON.stringify(credentials, null, 2) : credentialTable(credentials));

  subcommand(command, 'tenant', 'Show the tenant: AZURE_TENANT_ID, where a client does not take the name adfs').action(
    async (options: PlaceOptions) => {
      const { tenant_id } = await directory(options, (part) => part.getTenant({}));
      output.result(tenant_id);
    },
  );

  /** What objects of every kind have in common. */
  const common = (parent: Command, kind: DirectoryObject['kind'], name: string): void => {
    subcommand(parent, 'list', `List ${name}s`)
      .option('--json', 'as JSON')
      .action(async (options: Json) => {
        const { objects = [] } = await directory(options, (part) => part.listDirectoryObjects({ kind }));
        showObjects(objects, options);
      });
    subcommand(parent, `show <${argument(name)}>`, `Show a ${name} as JSON`).action(
      async (object: string, options: PlaceOptions) => {
        const found = await directory(options, (part) => part.getDirectoryObject({ object }));
        output.result(JSON.stringify(found.object, null, 2));
      },
    );
    subcommand(parent, `delete <${argument(name)}>`, `Delete a ${name}; tokens that it holds are refused`).action(
      async (object: string, options: PlaceOptions) => {
        await directory(options, (part) => part.deleteDirectoryObject({ object }));
        output.remark(`${object} is deleted.`);
      },
    );
    if (kind === 'Group') return;
    for (const [verb, disabled] of [
      ['disable', true],
      ['enable', false],
    ] as const) {
      subcommand(parent, `${verb} <${argument(name)}>`, `${verb === 'disable' ? 'Refuse' : 'Let in'} a ${name}`).action(
        async (object: string, options: PlaceOptions) => {
          await directory(options, (part) => part.updateDirectoryObject({ object, disabled }));
          output.remark(`${object} is ${verb}d.`);
        },
      );
    }
  };

  const user = noun('user', 'Create, list and delete users');
  subcommand(user, 'create <user-name>', 'Create a user, such as ann@example.org')
    .option('--display-name <name>', 'what pages show (default: the user name)')
    .option('--password <password>', 'at least 12 characters (default: one is made up and printed once)')
    .action(
      async (
        userName: string,
        options: PlaceOptions & { readonly displayName?: string; readonly password?: string },
      ) => {
        const input = {
          user_name: userName,
          ...(options.displayName === undefined ? {} : { display_name: options.displayName }),
          ...(options.password === undefined ? {} : { password: options.password }),
        };
        const { object, password } = await directory(options, (part) => part.createUser(input));
        if (password !== undefined) output.result(password);
        output.remark(
          `User ${object.user_name} has the object id ${object.object_id}.${password === undefined ? '' : ' The password is not shown again.'}`,
        );
      },
    );
  subcommand(user, 'set-password <user>', "Set a user's password; every sign-in of the user ends")
    .option('--password <password>', 'at least 12 characters (default: one is made up and printed once)')
    .action(async (object: string, options: PlaceOptions & { readonly password?: string }) => {
      const input = { object, ...(options.password === undefined ? {} : { password: options.password }) };
      const { password } = await directory(options, (part) => part.setPassword(input));
      if (password !== undefined) output.result(password);
      output.remark(`The password of ${object} is set.`);
    });
  common(user, 'User', 'user');

  const group = noun('group', 'Create, list and delete groups, and say who is in them');
  subcommand(group, 'create <name>', 'Create a group; its object id is printed').action(
    async (name: string, options: PlaceOptions) => {
      const { object } = await directory(options, (part) => part.createGroup({ display_name: name }));
      output.result(object.object_id);
    },
  );
  subcommand(group, 'add <group> <member>', 'Put a user or a service principal into a group').action(
    async (name: string, member: string, options: PlaceOptions) => {
      await directory(options, (part) => part.addGroupMember({ group: name, member }));
      output.remark(`${member} is in ${name}.`);
    },
  );
  subcommand(group, 'remove <group> <member>', 'Take a member out of a group').action(
    async (name: string, member: string, options: PlaceOptions) => {
      await directory(options, (part) => part.removeGroupMember({ group: name, member }));
      output.remark(`${member} is not in ${name}.`);
    },
  );
  subcommand(group, 'members <group>', 'List the members of a group')
    .option('--json', 'as JSON')
    .action(async (name: string, options: Json) => {
      const { objects = [] } = await directory(options, (part) => part.listGroupMembers({ group: name }));
      showObjects(objects, options);
    });
  common(group, 'Group', 'group');

  const principal = noun('sp', 'Create, list and delete service principals');
  describeCreateForRbac(
    subcommand(principal, 'create-for-rbac <name>', 'Create a service principal with a secret and a role'),
    surroundings,
    directory,
  );
  subcommand(principal, 'create <name>', 'Create a service principal; its application id is printed: AZURE_CLIENT_ID')
    .option('--redirect-uri <uri...>', 'where users who sign in to it may be sent back to')
    .action(async (name: string, options: PlaceOptions & { readonly redirectUri?: string[] }) => {
      const input = {
        display_name: name,
        ...(options.redirectUri === undefined ? {} : { redirect_uris: options.redirectUri }),
      };
      const { object } = await directory(options, (part) => part.createServicePrincipal(input));
      output.result(object.app_id ?? '');
      output.remark(`Service principal ${name} has the object id ${object.object_id}.`);
    });
  common(principal, 'ServicePrincipal', 'service principal');

  const secret = noun('secret', 'Client secrets of service principals');
  subcommand(secret, 'create <service-principal>', 'Create a client secret; it is printed once: AZURE_CLIENT_SECRET')
    .option('--expires-in <time>', 'how long it is good for: 12h, 30d, 8w, 1y (default: two years)')
    .option('--display-name <name>', 'what it is for')
    .action(async (object: string, options: Expiring) => {
      const input = {
        object,
        ...(options.displayName === undefined ? {} : { display_name: options.displayName }),
        ...(options.expiresIn === undefined
          ? {}
          : { expiry_time: Date.now() + parseDuration('--expires-in', options.expiresIn) }),
      };
      const created = await directory(options, (part) => part.createSecret(input));
      output.result(created.secret);
      output.remark(
        `Secret ${created.credential.credential_id} is good until ${moment(created.credential.expiry_time)}. It is not shown again.`,
      );
    });

  const cert = noun('cert', 'Certificates of service principals');
  subcommand(cert, 'create <service-principal>', 'Make a key with a certificate: AZURE_CLIENT_CERTIFICATE_PATH')
    .requiredOption('--out <file>', 'the file that both are written to, readable by you alone')
    .option('--expires-in <time>', 'how long it is good for: 30d, 8w, 1y (default: one year)')
    .action(async (object: string, options: Expiring & { readonly out: string }) => {
      const { createClientCertificate } = await import('@lazuli/server');
      const until = Date.now() + parseDuration('--expires-in', options.expiresIn ?? '1y');
      const { certificate, privateKey } = await createClientCertificate(object, until);
      const added = await directory(options, async (part) => {
        const answer = await part.addCertificate({ object, certificate });
        const file = resolve(workingDir, options.out);
        writeFileSync(file, `${privateKey}\n${certificate}\n`, { mode: 0o600 });
        chmodSync(file, 0o600);
        return answer.credential;
      });
      output.remark(`Certificate ${added.credential_id} is good until ${moment(added.expiry_time)}: ${options.out}`);
    });
  subcommand(
    cert,
    'add <service-principal> <file>',
    'Let a certificate (PEM) sign in; only its public part is read',
  ).action(async (object: string, file: string, options: PlaceOptions) => {
    const certificate = readCertificates(resolve(workingDir, file));
    const { credential } = await directory(options, (part) => part.addCertificate({ object, certificate }));
    output.remark(`Certificate ${credential.credential_id} is good until ${moment(credential.expiry_time)}.`);
  });

  const federated = noun('federated-credential', 'Issuers elsewhere whose tokens sign a service principal in');
  subcommand(
    federated,
    'add <service-principal>',
    'Let tokens of an issuer sign in: AZURE_FEDERATED_TOKEN_FILE, without a secret',
  )
    .requiredOption('--issuer <url>', "the token's issuer, to the letter")
    .requiredOption('--subject <subject>', "the token's subject, to the letter")
    .option('--audience <audience...>', 'what the token may be meant for (default: api://AzureADTokenExchange)')
    .option('--display-name <name>', 'what it is for')
    .action(async (object: string, options: Federated) => {
      const { issuer, subject, audience, displayName } = options;
      const input = {
        ...{ object, issuer, subject },
        ...(audience === undefined ? {} : { audiences: audience }),
        ...(displayName === undefined ? {} : { display_name: displayName }),
      };
      const { credential } = await directory(options, (part) => part.addFederatedCredential(input));
      output.remark(`Federated credential ${credential.credential_id} lets ${subject} of ${issuer} sign in.`);
    });

  for (const [parent, kind] of [
    [secret, 'secret'],
    [cert, 'certificate'],
    [federated, 'federated'],
  ] as const) {
    const name = kind === 'federated' ? 'federated credential' : kind;
    subcommand(parent, 'list <service-principal>', `List the ${name}s of a service principal`)
      .option('--json', 'as JSON')
      .action(async (object: string, options: Json) => {
        const { credentials = [] } = await directory(options, (part) => part.listCredentials({ object }));
        showCredentials(
          credentials.filter((credential) => credential.kind === kind),
          options,
        );
      });
    subcommand(parent, 'delete <credential-id>', `Delete a ${name}; nobody signs in with it any more`).action(
      async (credentialId: string, options: PlaceOptions) => {
        await directory(options, (part) => part.deleteCredential({ credential_id: credentialId }));
        output.remark(`Credential ${credentialId} is deleted.`);
      },
    );
  }
}

const directoryPlace: Place<Directory> = {
  database: 'make',
  ofServer: (client) => client.directory,
  ofDatabase: async (settings) => (await import('@lazuli/server')).openDirectory(settings),
};

function argument(name: string): string {
  return name.replace(' ', '-');
}

/** The certificates of a file: a key beside them stays here. */
function readCertificates(path: string): string {
  const text = readFileSync(path, 'utf8');
  const [first] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text) ?? [];
  if (first === undefined) throw new CommandError(1, `${path} holds no certificate in PEM form.`);
  return first;
}

function objectTable(objects: readonly DirectoryObject[]): string {
  const rows = objects.map(({ object_id, kind, display_name, user_name, app_id, disabled }) => [
    object_id,
    kind,
    display_name,
    user_name ?? app_id ?? '',
    disabled ? 'disabled' : 'enabled',
  ]);
  return formatTable([['OBJECT', 'KIND', 'NAME', 'USER NAME OR APPLICATION', 'STATE'], ...rows]);
}

function credentialTable(credentials: readonly Credential[]): string {
  const rows = credentials.map(({ credential_id, kind, display_name, issuer, subject, creation_time, expiry_time }) => [
    credential_id,
    kind,
    display_name,
    moment(creation_time),
    kind === 'federated' ? `never; ${subject} of ${issuer}` : moment(expiry_time),
  ]);
  return formatTable([['CREDENTIAL', 'KIND', 'NAME', 'CREATED', 'EXPIRES'], ...rows]);
}
