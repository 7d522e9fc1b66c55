import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parseDuration } from '../../duration.ts';
import { CommandError, moment } from '../../output.ts';
import type { PlaceOptions } from '../../server-place.ts';
import type { Surroundings } from '../../surroundings.ts';
import { pick } from '../options.ts';
import { describeCreateForRbac } from './create-for-rbac.ts';
import { credentialCommands, directoryCommand, directoryNoun, inDirectory } from './directory-command.ts';
import { objectCommands } from './objects.ts';

type Expiring = PlaceOptions & { readonly expiresIn?: string; readonly displayName?: string };

export function describeServicePrincipals(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const principal = directoryNoun(command, 'sp', 'Create, list and delete service principals');
  describeCreateForRbac(principal, surroundings);
  directoryCommand(principal, {
    usage: 'create <name>',
    summary: 'Create a service principal; its application id is printed: AZURE_CLIENT_ID',
    examples: ['AZURE_CLIENT_ID=$(lazuli ad sp create nightly-build)'],
  })
    .option('--redirect-uri <uri...>', 'where users who sign in to it may be sent back to')
    .action(async (display_name: string, options: PlaceOptions & { readonly redirectUri?: string[] }) => {
      const input = { display_name, ...pick({ redirect_uris: options.redirectUri }) };
      const { object } = await inDirectory(options, surroundings, (part) => part.createServicePrincipal(input));
      output.result(object.app_id ?? '');
      output.remark(`Service principal ${display_name} has the object id ${object.object_id}.`);
    });
  const kind = { kind: 'ServicePrincipal', noun: 'sp', name: 'service principal', example: 'nightly-build' } as const;
  objectCommands(principal, surroundings, kind);
}

export function describeSecrets(command: Command, surroundings: Surroundings): void {
  const { output } = surroundings;
  const secret = directoryNoun(command, 'secret', 'Client secrets of service principals');
  directoryCommand(secret, {
    usage: 'create <service-principal>',
    summary: 'Create a client secret; it is printed once: AZURE_CLIENT_SECRET',
    examples: ['AZURE_CLIENT_SECRET=$(lazuli ad secret create nightly-build --expires-in 90d)'],
  })
    .option('--expires-in <time>', 'how long it is good for: 12h, 30d, 8w, 1y (default: two years)')
    .option('--display-name <name>', 'what it is for')
    .action(async (object: string, { expiresIn, displayName, ...options }: Expiring) => {
      const expiry_time = expiresIn === undefined ? undefined : Date.now() + parseDuration('--expires-in', expiresIn);
      const input = { object, ...pick({ display_name: displayName, expiry_time }) };
      const created = await inDirectory(options, surroundings, (part) => part.createSecret(input));
      output.result(created.secret);
      output.remark(
        `Secret ${created.credential.credential_id} is good until ${moment(created.credential.expiry_time)}. It is not shown again.`,
      );
    });
  credentialCommands(secret, surroundings, 'secret');
}

export function describeCertificates(command: Command, surroundings: Surroundings): void {
  const { output, workingDir } = surroundings;
  const cert = directoryNoun(command, 'cert', 'Certificates of service principals');
  directoryCommand(cert, {
    usage: 'create <service-principal>',
    summary: 'Make a key with a certificate: AZURE_CLIENT_CERTIFICATE_PATH',
    examples: ['lazuli ad cert create nightly-build --out nightly.pem --expires-in 90d'],
  })
    .requiredOption('--out <file>', 'the file that both are written to, readable by you alone')
    .option('--expires-in <time>', 'how long it is good for: 30d, 8w, 1y (default: one year)')
    .action(async (object: string, options: Expiring & { readonly out: string }) => {
      const { createClientCertificate } = await import('@lazuli/server');
      const until = Date.now() + parseDuration('--expires-in', options.expiresIn ?? '1y');
      const { certificate, privateKey } = await createClientCertificate(object, until);
      const added = await inDirectory(options, surroundings, async (part) => {
        const answer = await part.addCertificate({ object, certificate });
        const file = resolve(workingDir, options.out);
        writeFileSync(file, `${privateKey}\n${certificate}\n`, { mode: 0o600 });
        chmodSync(file, 0o600);
        return answer.credential;
      });
      output.remark(`Certificate ${added.credential_id} is good until ${moment(added.expiry_time)}: ${options.out}`);
    });
  directoryCommand(cert, {
    usage: 'add <service-principal> <file>',
    summary: 'Let a certificate (PEM) sign in; only its public part is read',
    examples: ['lazuli ad cert add nightly-build their.pem'],
  }).action(async (object: string, file: string, options: PlaceOptions) => {
    const certificate = readCertificates(resolve(workingDir, file));
    const { credential } = await inDirectory(options, surroundings, (part) =>
      part.addCertificate({ object, certificate }),
    );
    output.remark(`Certificate ${credential.credential_id} is good until ${moment(credential.expiry_time)}.`);
  });
  credentialCommands(cert, surroundings, 'certificate');
}

type Federated = PlaceOptions & {
  readonly issuer: string;
  readonly subject: string;
  readonly audience?: string[];
  readonly displayName?: string;
};

export function describeFederatedCredentials(command: Command, surroundings: Surroundings): void {
  const federated = directoryNoun(
    command,
    'federated-credential',
    'Issuers elsewhere whose tokens sign a service principal in',
  );
  directoryCommand(federated, {
    usage: 'add <service-principal>',
    summary: 'Let tokens of an issuer sign in: AZURE_FEDERATED_TOKEN_FILE, without a secret',
    examples: [
      'lazuli ad federated-credential add nightly-build --issuer https://token.actions.githubusercontent.com --subject repo:octo/iris:ref:refs/heads/main',
    ],
  })
    .requiredOption('--issuer <url>', "the token's issuer, to the letter")
    .requiredOption('--subject <subject>', "the token's subject, to the letter")
    .option('--audience <audience...>', 'what the token may be meant for (default: api://AzureADTokenExchange)')
    .option('--display-name <name>', 'what it is for')
    .action(async (object: string, options: Federated) => {
      const { issuer, subject, audience, displayName, ...where } = options;
      const input = { object, issuer, subject, ...pick({ audiences: audience, display_name: displayName }) };
      const { credential } = await inDirectory(where, surroundings, (part) => part.addFederatedCredential(input));
      surroundings.output.remark(
        `Federated credential ${credential.credential_id} lets ${subject} of ${issuer} sign in.`,
      );
    });
  credentialCommands(federated, surroundings, 'federated');
}

/** The certificates of a file: a key beside them stays here. */
function readCertificates(path: string): string {
  const text = readFileSync(path, 'utf8');
  const [first] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text) ?? [];
  if (first === undefined) throw new CommandError(1, `${path} holds no certificate in PEM form.`);
  return first;
}
