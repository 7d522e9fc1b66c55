import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { azureWorkspaceId, findAzure } from '../azure-workspace.ts';
import { workspaceId, workspacePlaceOf } from '../connection.ts';
import { changedFields } from '../field-changes.ts';
import { CommandError } from '../output.ts';
import { isThere, listAll, resourcesOf, type Resources } from '../resource-manager.ts';
import { describeCommand, type Description } from '../command-help.ts';
import { explained, printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import { isOffline, takePlace, withPlace, type PlaceOptions } from '../server-place.ts';
import type { Surroundings } from '../surroundings.ts';
import { pick, severalTimes } from './options.ts';

/** `lazuli workspace`: the nouns, options and fields of `az ml workspace`, by the same requests as Azure's clients send. */
interface Workspace {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, unknown>>;
}

interface NameOptions extends PlaceOptions, OutputOptions {
  readonly subscription?: string;
  readonly resourceGroup?: string;
  /** The workspace, by the option that `az ml workspace` has, and by the one that other commands have. */
  readonly name?: string;
  readonly workspaceName?: string;
}

interface ChangeOptions extends NameOptions {
  readonly location?: string;
  readonly description?: string;
  readonly displayName?: string;
  readonly tags?: readonly string[];
  readonly privateLink?: true;
  readonly storageAccount?: string;
  readonly keyVault?: string;
  readonly applicationInsights?: string;
  readonly containerRegistry?: string;
}

interface UpdateOptions extends ChangeOptions {
  readonly set?: readonly string[];
}

interface DeleteOptions extends NameOptions {
  readonly force?: true;
  readonly permanentlyDelete?: true;
}

interface ConfigOptions extends NameOptions {
  readonly file: string;
}

/** Where commands about workspaces do their work, and what an id is there. */
interface WorkspacePlace extends Resources {
  readonly isAzure: boolean;
}

/** Where a workspace lies of which nothing else is said. */
const defaultSubscription = '00000000-0000-0000-0000-000000000001';
const defaultGroup = 'lazuli';
const defaultWorkspace = 'default';

/** What a table shows. */
const columns = {
  Name: 'name',
  'Resource group': 'resource_group',
  Subscription: 'subscription_id',
  Location: 'location',
};

export function describeWorkspace(command: Command, surroundings: Surroundings): void {
  const { output, workingDir } = surroundings;
  const subcommand = (usage: string, summary: string, ...examples: Description['examples']) => {
    const described = takePlace(
      describeCommand(command, { usage, summary, examples })
        .option(
          '--subscription <id>',
          `its subscription, a GUID (AZURE_SUBSCRIPTION_ID; default of a server: ${defaultSubscription})`,
        )
        .option('-g, --resource-group <name>', `its resource group (default of a server: ${defaultGroup})`),
    );
    return withOutputOptions(described);
  };
  const named = (described: Command) =>
    described
      .option('-n, --name <name>', 'its name, in place of the argument')
      .option('-w, --workspace-name <name>', 'the same');
  const changing = (described: Command) =>
    named(described)
      .option('--description <text>', 'what it is for')
      .option('--display-name <name>', 'what pages show')
      .option('--tags <key=value...>', 'its tags; those that it has are replaced');

  changing(
    subcommand(
      'create [name]',
      'Create a workspace; on a server its subscription and group come with it',
      'lazuli workspace create vision --resource-group team --tags owner=ann',
      'lazuli workspace create -n vision -g team --storage-account "$STORAGE_ID" --key-vault "$VAULT_ID"',
    ),
  )
    .option(
      '-l, --location <region>',
      'its region, a part of its address (default: that of the group; of a server: local)',
    )
    .option('--private-link', 'reached under a host name of its own')
    .option('--storage-account <id>', 'at Azure: the storage account that it works with')
    .option('--key-vault <id>', 'at Azure: its key vault')
    .option('--application-insights <id>', 'at Azure: its Application Insights')
    .option('--container-registry <id>', 'at Azure: its container registry')
    .action(async (argument: string | undefined, options: ChangeOptions) => {
      const print = printer(options, surroundings, columns);
      const name = nameOf(argument, options);
      if (name === undefined) throw unnamed('create');
      const workspace = await at(options, 'make', async (place) => {
        const id = idOf(place, name, options);
        if (await isThere(place, id)) throw new CommandError(1, `There is a workspace ${name} already.`);
        return place.send('PUT', id, { ...(await bodyOf(place, id, options)), ...changeOf(options) });
      });
      output.remark(`The workspace ${name} is created.`);
      print(shown(workspace as Workspace));
    });

  changing(
    subcommand(
      'update [name]',
      "Change a workspace's description, display name or tags",
      'lazuli workspace update vision --description "Pictures of flowers"',
      'lazuli workspace update -n vision --set display_name=Vision tags.owner=ann',
    ),
  )
    .option(
      '--set <path=value...>',
      'a field to change: description, display_name, or a tag beside the others: tags.owner=ann',
      severalTimes,
    )
    .action(async (argument: string | undefined, options: UpdateOptions) => {
      const print = printer(options, surroundings, columns);
      const { texts, tags } = changedFields(['description', 'display_name'], options.set);
      const workspace = (await at(options, 'read', async (place) => {
        const id = idOf(place, nameOf(argument, options), options);
        const change = changeOf({
          ...options,
          ...pick({ description: texts.description, displayName: texts.display_name }),
        });
        if (tags.length === 0) return place.send('PATCH', id, change);
        const known = change.tags ?? ((await place.send('GET', id)) as Workspace).tags;
        return place.send('PATCH', id, {
          ...change,
          tags: { ...known, ...Object.fromEntries(tags.map(({ key, value }) => [key, value])) },
        });
      })) as Workspace;
      output.remark(`The workspace ${workspace.name} is changed.`);
      print(shown(workspace));
    });

  subcommand(
    'list',
    'List the workspaces that you may read',
    'lazuli workspace list -o table',
    'lazuli workspace list -g team --query "[].name" -o tsv',
  ).action(async (options: NameOptions) => {
    const print = printer(options, surroundings, columns);
    print((await at(options, 'read', (place) => listed(place, options))).map(shown));
  });

  named(
    subcommand(
      'show [name]',
      'Show a workspace; without a name, the one that LAZULI_WORKSPACE, config.json or lazuli configure name',
      'lazuli workspace show vision -o table',
      `MLFLOW_TRACKING_URI=$(lazuli workspace show --query mlflow_tracking_uri | sed 's/"//g')`,
    ),
  ).action(async (argument: string | undefined, options: NameOptions) => {
    const print = printer(options, surroundings, columns);
    print(shown(await get(nameOf(argument, options), options)));
  });

  named(
    subcommand(
      'config [name]',
      "Write a workspace's config.json, which Azure's Python clients read",
      'lazuli workspace config vision --file ./config.json',
    ),
  )
    .option('--file <file>', 'where to', 'config.json')
    .action(async (argument: string | undefined, options: ConfigOptions) => {
      const print = printer(options, surroundings);
      const workspace = await get(nameOf(argument, options), options);
      const [, , subscription_id, , resource_group] = workspace.id.split('/');
      const config = { subscription_id, resource_group, workspace_name: workspace.name };
      const file = resolve(workingDir, options.file);
      writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
      output.remark(`Wrote ${options.file}.`);
      print(config);
    });

  named(subcommand('delete [name]', 'Delete an empty workspace', 'lazuli workspace delete vision --force'))
    .option('--force', 'with everything in it, for good')
    .option('-p, --permanently-delete', 'as --force, as az ml calls it')
    .option('-y, --yes', 'as without it: nothing is asked')
    .action(async (argument: string | undefined, options: DeleteOptions) => {
      const name = nameOf(argument, options);
      if (name === undefined) throw unnamed('delete');
      await at(options, 'read', async (place) => {
        const id = idOf(place, name, options);
        if (!(await isThere(place, id))) throw new CommandError(3, `There is no workspace ${id}.`);
        const isForced = (options.force ?? options.permanentlyDelete) === true;
        await place.send('DELETE', id + (isForced ? '?forceToPurge=true' : '')).catch((error: unknown) => {
          const message = error instanceof Error ? error.message : String(error);
          throw new CommandError(1, message.replace('forceToPurge=true', '--force'), { cause: error });
        });
      });
      output.remark(`The workspace ${name} is deleted.`);
    });

  async function get(name: string | undefined, options: NameOptions): Promise<Workspace> {
    return at(options, 'read', async (place) => (await place.send('GET', idOf(place, name, options))) as Workspace);
  }

  /** At Azure, at a running server, or in a database. */
  async function at<Result>(
    options: NameOptions,
    database: 'make' | 'read',
    work: (place: WorkspacePlace) => Promise<Result>,
  ): Promise<Result> {
    return explained(async () => {
      const azure = isOffline(options) ? undefined : await findAzure(options, surroundings);
      if (azure !== undefined) return work({ ...azure, isAzure: true });
      return withPlace(options, surroundings, resourcesOf(database), ({ send }) => work({ send, isAzure: false }));
    });
  }

  function idOf({ isAzure }: WorkspacePlace, name: string | undefined, options: NameOptions): string {
    const meant = { ...options, ...(name === undefined ? {} : { workspaceName: name }) };
    if (isAzure) return azureWorkspaceId(meant, surroundings);
    const place = workspacePlaceOf(meant, surroundings);
    return workspaceId({ subscription: defaultSubscription, group: defaultGroup, name: defaultWorkspace, ...place });
  }

  /** *Azure CLI: of the group that is configured, where one is.* A server has few enough to show all. */
  async function listed(place: WorkspacePlace, options: NameOptions): Promise<Workspace[]> {
    const { subscription, group } = place.isAzure
      ? workspacePlaceOf(options, surroundings)
      : { subscription: options.subscription, group: options.resourceGroup };
    const scopes =
      subscription === undefined
        ? (await listAll<{ readonly id: string }>(place, subscriptions)).map(({ id }) => id)
        : [`/subscriptions/${encodeURIComponent(subscription)}`];
    const below = `${group === undefined ? '' : `/resourceGroups/${encodeURIComponent(group)}`}/${kind}`;
    return (await Promise.all(scopes.map((scope) => listAll<Workspace>(place, scope + below)))).flat();
  }
}

const kind = 'providers/Microsoft.MachineLearningServices/workspaces';
/** *Azure: each provider has versions of its own.* */
const subscriptions = '/subscriptions?api-version=2022-12-01';
const groupVersion = 'api-version=2022-09-01';

function nameOf(argument: string | undefined, { name, workspaceName }: NameOptions): string | undefined {
  const [only, other] = [...new Set([argument, name, workspaceName].filter((one) => one !== undefined))];
  if (other !== undefined) throw new CommandError(2, `Two names are given: ${only} and ${other}.`);
  return only;
}

function unnamed(verb: string): CommandError {
  return new CommandError(2, `Give the name of the workspace: lazuli workspace ${verb} <name>.`);
}

/** What only the creation says. *Azure: a workspace has a region, an identity, a storage account and a key vault.* */
async function bodyOf(
  { send, isAzure }: WorkspacePlace,
  id: string,
  { location, storageAccount, keyVault }: ChangeOptions,
) {
  if (location !== undefined && !isAzure) return { location };
  if (!isAzure) return {};
  if (storageAccount === undefined || keyVault === undefined) {
    throw new CommandError(
      2,
      'At Azure a workspace is made of resources that are there: give --storage-account and --key-vault by their ids.',
    );
  }
  const [group = ''] = id.split('/providers/');
  const place = location ?? ((await send('GET', `${group}?${groupVersion}`)) as { readonly location: string }).location;
  return { location: place, identity: { type: 'SystemAssigned' } };
}

function changeOf({
  tags,
  description,
  displayName: friendlyName,
  privateLink,
  storageAccount,
  keyVault,
  applicationInsights,
  containerRegistry,
}: ChangeOptions) {
  return {
    ...(tags === undefined ? {} : { tags: Object.fromEntries(tags.map(tagOf)) }),
    properties: pick({
      description,
      friendlyName,
      publicNetworkAccess: privateLink === undefined ? undefined : 'Disabled',
      storageAccount,
      keyVault,
      applicationInsights,
      containerRegistry,
    }),
  };
}

function tagOf(text: string): [string, string] {
  const sign = text.indexOf('=');
  if (sign < 1) throw new CommandError(2, `--tags: ${JSON.stringify(text)} must be key=value`);
  return [text.slice(0, sign), text.slice(sign + 1)];
}

/** *`az ml workspace`: snake_case, and the group also as `resourceGroup`, so that pipelines that are written for it go on working.* */
function shown({ id, name, location, tags = {}, properties }: Workspace) {
  const [, , subscription_id = '', , resource_group = ''] = id.split('/');
  const text = (property: string) => properties[property] ?? null;
  return {
    id,
    name,
    subscription_id,
    resource_group,
    resourceGroup: resource_group,
    location,
    display_name: text('friendlyName'),
    description: text('description'),
    tags,
    workspace_id: text('workspaceId'),
    discovery_url: text('discoveryUrl'),
    mlflow_tracking_uri: text('mlFlowTrackingUri'),
    public_network_access: text('publicNetworkAccess'),
    storage_account: text('storageAccount'),
    key_vault: text('keyVault'),
    application_insights: text('applicationInsights'),
    container_registry: text('containerRegistry'),
    provisioning_state: text('provisioningState'),
  };
}
