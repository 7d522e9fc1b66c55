import type { Cloud } from '@lazuli/client/azure';
import type { Command } from 'commander';
import { findCloud, listClouds, registerCloud, setCloud, unregisterCloud } from '../clouds.ts';
import { describeCommand } from '../command-help.ts';
import { explained, printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli cloud`: which of Azure's clouds is meant, with the options and fields of `az cloud`. */
interface NameOptions extends OutputOptions {
  readonly name: string;
}

const columns = { IsActive: 'isActive', Name: 'name', 'Resource manager': 'endpoints.resourceManager' };
const byName = (command: Command): Command => command.requiredOption('-n, --name <name>', 'the name of the cloud');

export function describeCloud(command: Command, surroundings: Surroundings): void {
  withOutputOptions(
    describeCommand(command, {
      usage: 'list',
      summary: 'List the clouds that are known, and which one is active',
      examples: ['lazuli cloud list -o table', 'lazuli cloud list --query "[?isActive].name" -o tsv'],
    }),
  ).action(async (options: OutputOptions) => {
    const print = printer(options, surroundings, columns);
    const clouds = await explained(() => listClouds(surroundings));
    print(clouds.map((cloud) => cloudShown(cloud, cloud.isActive)));
  });

  withOutputOptions(
    describeCommand(command, {
      usage: 'show',
      summary: 'Show a cloud; without a name, the active one',
      examples: ['lazuli cloud show --query endpoints.resourceManager'],
    }).option('-n, --name <name>', 'the name of the cloud'),
  ).action(async (options: OutputOptions & { readonly name?: string }) => {
    const print = printer(options, surroundings, columns);
    const [active, cloud] = await explained(() =>
      Promise.all([findCloud(surroundings), findCloud(surroundings, options.name)]),
    );
    print(cloudShown(cloud, cloud.name === active.name));
  });

  byName(
    describeCommand(command, {
      usage: 'set',
      summary: 'Make a cloud the active one; AZUREML_CURRENT_CLOUD goes before it',
      examples: ['lazuli cloud set -n AzureUSGovernment'],
    }),
  ).action(async ({ name }: NameOptions) => {
    await explained(() => setCloud(surroundings, name));
    surroundings.output.remark(`The cloud ${name} is active.`);
  });

  byName(
    describeCommand(command, {
      usage: 'register',
      summary: 'Make a cloud known: a server of Lazuli, or another one that describes itself',
      notes: 'The document is read again by each command that needs the cloud.',
      examples: ['lazuli cloud register -n team --endpoint-resource-manager https://lazuli.example.org'],
    }),
  )
    .requiredOption('--endpoint-resource-manager <url>', 'its resource manager, which describes it')
    .action(async ({ name, endpointResourceManager }: NameOptions & { readonly endpointResourceManager: string }) => {
      const document = `${endpointResourceManager.replace(/\/+$/, '')}/metadata/endpoints?api-version=2022-09-01`;
      await explained(() => registerCloud(surroundings, name, document));
      surroundings.output.remark(`The cloud ${name} is registered.`);
    });

  byName(
    describeCommand(command, {
      usage: 'unregister',
      summary: 'Forget a cloud that was registered',
      examples: ['lazuli cloud unregister -n team'],
    }),
  ).action(({ name }: NameOptions) => {
    unregisterCloud(surroundings, name);
    surroundings.output.remark(`The cloud ${name} is forgotten.`);
  });
}

/** *The fields of `az cloud show`.* */
function cloudShown(cloud: Cloud, isActive: boolean) {
  return {
    name: cloud.name,
    isActive,
    endpoints: {
      activeDirectory: cloud.login,
      activeDirectoryResourceId: cloud.scope.replace(/\/\.default$/, ''),
      mlApi: cloud.mlResource,
      portal: cloud.portal,
      resourceManager: cloud.resourceManager,
    },
    suffixes: { mlApi: cloud.mlApiSuffix ?? null, storageEndpoint: cloud.storageSuffix },
  };
}
