import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { workspacePlaceOf } from '../connection.ts';
import { CommandError } from '../output.ts';
import { listAll, resourcesOf, type Resources } from '../resource-manager.ts';
import { describeCommand, type Description } from '../command-help.ts';
import { printer, withOutputOptions, type OutputOptions } from '../server-command.ts';
import { takePlace, withPlace, type PlaceOptions } from '../server-place.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli workspace`: workspaces, by the same requests as Azure's clients send. */
interface Workspace {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly properties: {
    readonly description: string;
    readonly friendlyName: string;
    readonly workspaceId: string;
    readonly discoveryUrl: string;
    readonly mlFlowTrackingUri: string;
    readonly publicNetworkAccess: string;
  };
}

interface NameOptions extends PlaceOptions, OutputOptions {
  readonly subscription?: string;
  readonly resourceGroup?: string;
  /** The workspace, by the option that other commands have for it. */
  readonly workspaceName?: string;
}

interface ChangeOptions extends NameOptions {
  readonly location?: string;
  readonly description?: string;
  readonly displayName?: string;
  readonly tags?: readonly string[];
  readonly privateLink?: true;
}

interface DeleteOptions extends NameOptions {
  readonly force?: true;
}

interface ConfigOptions extends NameOptions {
  readonly file: string;
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
  const subcommand = (usage: string, summary: string, ...examples: Description['examples']) =>
    takePlace(
      describeCommand(command, { usage, summary, examples })
        .option(
          '--subscription <id>',
          `its subscription, a GUID (AZURE_SUBSCRIPTION_ID; default: ${defaultSubscription})`,
        )
        .option('-g, --resource-group <name>', `its resource group (default: ${defaultGroup})`),
    );
  const changing = (described: Command) =>
    described
      .option('--description <text>', 'what it is for')
      .option('--display-name <name>', 'what pages show')
      .option('--tags <key=value...>', 'its tags; those that it has are replaced');

  changing(
    subcommand(
      'create <name>',
      'Create a workspace; its subscription and group come with it',
      'lazuli workspace create vision --resource-group team --tags owner=ann',
    ),
  )
    .option('--location <region>', 'its region, a part of its address (default: local)')
    .option('--private-link', 'reached under a host name of its own')
    .action(async (name: string, options: ChangeOptions) => {
      const body = {
        ...(options.location === undefined ? {} : { location: options.location }),
        ...changeOf(options),
      };
      const workspace = await withPlace(options, surroundings, resourcesOf('make'), async ({ send }) => {
        const id = idOf(name, options, surroundings);
        if (await isThere({ send }, id)) throw new CommandError(1, `There is a workspace ${name} already.`);
        return (await send('PUT', id, body)) as Workspace;
      });
      output.result(workspace.properties.mlFlowTrackingUri);
      output.remark(`The workspace ${name} is created.`);
    });

  changing(
    subcommand(
      'update <name>',
      "Change a workspace's description, display name or tags",
      'lazuli workspace update vision --description "Pictures of flowers"',
    ),
  ).action(async (name: string, options: ChangeOptions) => {
    await withPlace(options, surroundings, resourcesOf('read'), ({ send }) =>
      send('PATCH', idOf(name, options, surroundings), changeOf(options)),
    );
    output.remark(`The workspace ${name} is changed.`);
  });

  withOutputOptions(
    subcommand('list', 'List the workspaces that you may read', 'lazuli workspace list -o table'),
  ).action(async (options: NameOptions) => {
    const print = printer(options, surroundings, columns);
    const workspaces = await withPlace(options, surroundings, resourcesOf('read'), (resources) =>
      listed(resources, options),
    );
    print(workspaces.map(shown));
  });

  withOutputOptions(
    subcommand(
      'show [name]',
      'Show a workspace',
      'lazuli workspace show vision -o table',
      `MLFLOW_TRACKING_URI=$(lazuli workspace show --query mlflow_tracking_uri | sed 's/"//g')`,
    ),
  )
    .option('-w, --workspace-name <name>', 'its name (LAZULI_WORKSPACE, config.json, or what lazuli configure keeps)')
    .action(async (name: string | undefined, options: NameOptions) => {
      const print = printer(options, surroundings, columns);
      print(shown(await get(name, options)));
    });

  subcommand(
    'config <name>',
    "Write a workspace's config.json, which Azure's Python clients read",
    'lazuli workspace config vision --file ./config.json',
  )
    .option('--file <file>', 'where to', 'config.json')
    .action(async (name: string, options: ConfigOptions) => {
      const workspace = await get(name, options);
      const [, , subscription_id, , resource_group] = workspace.id.split('/');
      const config = { subscription_id, resource_group, workspace_name: workspace.name };
      const file = resolve(workingDir, options.file);
      writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
      output.remark(`Wrote ${options.file}.`);
    });

  subcommand('delete <name>', 'Delete an empty workspace', 'lazuli workspace delete vision --force')
    .option('--force', 'with everything in it, for good')
    .action(async (name: string, options: DeleteOptions) => {
      await withPlace(options, surroundings, resourcesOf('read'), async ({ send }) => {
        const id = idOf(name, options, surroundings);
        if (!(await isThere({ send }, id))) throw new CommandError(3, `There is no workspace ${name}.`);
        const query = options.force === true ? '?forceToPurge=true' : '';
        await send('DELETE', id + query).catch((error: unknown) => {
          const message = error instanceof Error ? error.message : String(error);
          throw new CommandError(1, message.replace('forceToPurge=true', '--force'), { cause: error });
        });
      });
      output.remark(`The workspace ${name} is deleted.`);
    });

  async function get(name: string | undefined, options: NameOptions): Promise<Workspace> {
    return withPlace(
      options,
      surroundings,
      resourcesOf('read'),
      async ({ send }) => (await send('GET', idOf(name, options, surroundings))) as Workspace,
    );
  }
}

function idOf(name: string | undefined, options: NameOptions, surroundings: Surroundings): string {
  const place = workspacePlaceOf(options, surroundings);
  const names = [
    place.subscription ?? defaultSubscription,
    place.group ?? defaultGroup,
    name ?? place.name ?? defaultWorkspace,
  ].map(encodeURIComponent);
  return `/subscriptions/${names[0]}/resourceGroups/${names[1]}/providers/Microsoft.MachineLearningServices/workspaces/${names[2]}`;
}

async function isThere({ send }: Resources, id: string): Promise<boolean> {
  try {
    await send('GET', id);
    return true;
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 404) return false;
    throw error;
  }
}

async function listed(resources: Resources, { subscription, resourceGroup }: NameOptions): Promise<Workspace[]> {
  const kind = 'providers/Microsoft.MachineLearningServices/workspaces';
  const wanted =
    subscription === undefined
      ? (await listAll<{ readonly id: string }>(resources, '/subscriptions')).map(({ id }) => id)
      : [`/subscriptions/${encodeURIComponent(subscription)}`];
  const lists = await Promise.all(
    wanted.map((scope) =>
      listAll<Workspace>(
        resources,
        resourceGroup === undefined
          ? `${scope}/${kind}`
          : `${scope}/resourceGroups/${encodeURIComponent(resourceGroup)}/${kind}`,
      ),
    ),
  );
  return lists.flat();
}

function changeOf({ description, displayName, tags, privateLink }: ChangeOptions) {
  return {
    ...(tags === undefined ? {} : { tags: Object.fromEntries(tags.map(tagOf)) }),
    properties: {
      ...(description === undefined ? {} : { description }),
      ...(displayName === undefined ? {} : { friendlyName: displayName }),
      ...(privateLink === undefined ? {} : { publicNetworkAccess: 'Disabled' }),
    },
  };
}

function tagOf(text: string): [string, string] {
  const sign = text.indexOf('=');
  if (sign < 1) throw new CommandError(2, `--tags: ${JSON.stringify(text)} must be key=value`);
  return [text.slice(0, sign), text.slice(sign + 1)];
}

/** *Azure's command line: snake_case, so that pipelines that are written for it go on working.* */
function shown({ id, name, location, tags, properties }: Workspace) {
  const [, , subscription_id = '', , resource_group = ''] = id.split('/');
  return {
    id,
    name,
    subscription_id,
    resource_group,
    location,
    display_name: properties.friendlyName,
    description: properties.description,
    tags,
    workspace_id: properties.workspaceId,
    discovery_url: properties.discoveryUrl,
    mlflow_tracking_uri: properties.mlFlowTrackingUri,
    public_network_access: properties.publicNetworkAccess,
  };
}
