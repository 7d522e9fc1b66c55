import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { CommandError } from '../output.ts';
import { firstOf, limitOf, pageSize } from '../pages.ts';
import { addServerCommand } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';
import { pairsOf, pick, severalTimes } from './options.ts';

/**
 * `lazuli model`: the model registry with the nouns, options and field names of `az ml model`, and what Azure ML does not have:
 * aliases, deletion, search.
 */
type ModelVersion = Awaited<ReturnType<Client['modelVersions']['getModelVersion']>>['model_version'];
type RegisteredModel = Awaited<ReturnType<Client['registeredModels']['getRegisteredModel']>>['registered_model'];

interface ByName {
  readonly name: string;
}

interface ByVersion extends ByName {
  readonly version?: string;
  readonly label?: string;
}

const columns = { Name: 'name', Version: 'version || latest_version', Stage: 'stage', Description: 'description' };
const byName = (command: Command): Command => command.requiredOption('-n, --name <name>', 'the name of the model');
const byVersion = (command: Command): Command =>
  byName(command)
    .option('-v, --version <version>', 'its version')
    .option('-l, --label <alias>', 'or an alias of the version; latest means the newest one');

export function describeModel(command: Command, surroundings: Surroundings): void {
  addServerCommand<ByName & { path: string; description?: string; tags?: readonly string[]; runId?: string }>(
    command,
    surroundings,
    {
      usage: 'create',
      summary: 'Register the next version of a model; the first one creates the model',
      options: (create) =>
        byName(create)
          .requiredOption('-p, --path <uri>', 'where its files are: runs:/{run}/{path}, models:/{id}, an artifact root')
          .option('-d, --description <text>', 'what it is')
          .option('--tags <name=value>', 'a tag; may be given several times', severalTimes)
          .option('--run-id <id>', 'the run that made it (default: the one of a runs:/ path)'),
      columns,
      examples: ['lazuli model create -n churn --path runs:/5c1ee5dcff864ba3b2bd24de1d1c0c4a/model --tags team=red'],
      async answer(client, { name, path, description, tags, runId }) {
        await makeSureOf(client, name);
        const { model_version } = await client.modelVersions.createModelVersion({
          name,
          source: path,
          tags: pairsOf('--tags', tags),
          ...pick({ description, run_id: runId ?? /^runs:\/+([^/]+)/.exec(path)?.[1] }),
        });
        return versionShown(model_version);
      },
    },
  );

  addServerCommand<{ name?: string; filter?: string; maxResults?: string }>(command, surroundings, {
    usage: 'list',
    summary: 'List the models, or the versions of one',
    options: (list) =>
      list
        .option('-n, --name <name>', 'the model whose versions are listed')
        .option('--filter <filter>', `such as "name LIKE 'churn%' AND tags.team = 'red'"`)
        .option('--max-results <count>', 'how many at most (default: all)'),
    columns,
    examples: ['lazuli model list -o table', 'lazuli model list -n churn --query "[].version" -o tsv'],
    answer: (client, { name, filter, maxResults }) => {
      const limit = limitOf(maxResults, Infinity);
      return name === undefined ? listModels(client, filter, limit) : listVersions(client, name, filter, limit);
    },
  });

  addServerCommand<ByVersion>(command, surroundings, {
    usage: 'show',
    summary: 'Show a version of a model; without one, the model itself',
    options: byVersion,
    columns,
    examples: ['lazuli model show -n churn --label champion --query path'],
    async answer(client, { name, ...which }) {
      if (which.version !== undefined || which.label !== undefined) {
        return versionShown(await getVersion(client, { name, ...which }));
      }
      return modelShown((await client.registeredModels.getRegisteredModel({ name })).registered_model);
    },
  });

  addServerCommand<ByVersion & { description?: string; tags?: readonly string[]; stage?: string }>(
    command,
    surroundings,
    {
      usage: 'update',
      summary: 'Change the description, the tags or the stage of a version, or of the model',
      options: (update) =>
        byVersion(update)
          .option('-d, --description <text>', 'what it is')
          .option('--tags <name=value>', 'a tag to set; may be given several times', severalTimes)
          .option('-s, --stage <stage>', 'Staging, Production, Archived or None; of a version alone'),
      columns,
      answer: (client, options) =>
        options.version === undefined && options.label === undefined
          ? updateModel(client, options)
          : updateVersion(client, options),
    },
  );

  for (const [usage, stage, summary] of [
    ['archive', 'Archived', 'Archive a version'],
    ['restore', 'None', 'Take a version out of the archive'],
  ] as const) {
    addServerCommand<ByVersion>(command, surroundings, {
      usage,
      summary,
      options: byVersion,
      async answer(client, which) {
        const { name, version } = await getVersion(client, which);
        await client.modelVersions.transitionModelVersionStage({ name, version, stage });
      },
    });
  }

  addServerCommand<ByName & { version: string; alias: string }>(command, surroundings, {
    usage: 'set-alias',
    summary: 'Let an alias name a version; it leaves the version that it named before',
    options: (set) =>
      byName(set)
        .requiredOption('-a, --alias <alias>', 'the alias, such as champion')
        .requiredOption('-v, --version <version>', 'the version'),
    async answer(client, { name, alias, version }) {
      await client.registeredModels.setRegisteredModelAlias({ name, alias, version });
    },
  });

  addServerCommand<ByName & { alias: string }>(command, surroundings, {
    usage: 'delete-alias',
    summary: 'Remove an alias',
    options: (remove) => byName(remove).requiredOption('-a, --alias <alias>', 'the alias'),
    async answer(client, { name, alias }) {
      await client.registeredModels.deleteRegisteredModelAlias({ name, alias });
    },
  });

  addServerCommand<ByVersion>(command, surroundings, {
    usage: 'delete',
    summary: 'Delete a version; without one, the model with all of its versions',
    options: byVersion,
    async answer(client, { name, ...which }) {
      if (which.version === undefined && which.label === undefined) {
        await client.registeredModels.deleteRegisteredModel({ name });
        return;
      }
      const { version } = await getVersion(client, { name, ...which });
      await client.modelVersions.deleteModelVersion({ name, version });
    },
  });
}

async function makeSureOf(client: Client, name: string): Promise<void> {
  try {
    await client.registeredModels.createRegisteredModel({ name });
  } catch (error) {
    if ((error as { errorCode?: string }).errorCode !== 'RESOURCE_ALREADY_EXISTS') throw error;
  }
}

async function getVersion(client: Client, { name, version, label }: ByVersion): Promise<ModelVersion> {
  if (version !== undefined && label !== undefined) throw new CommandError(2, 'Give one of --version and --label.');
  if (version !== undefined) return (await client.modelVersions.getModelVersion({ name, version })).model_version;
  if (label === undefined) throw new CommandError(2, 'Give --version, or an alias with --label.');
  if (label !== 'latest') {
    return (await client.registeredModels.getModelVersionByAlias({ name, alias: label })).model_version;
  }
  const [newest] = await listed(client, name, undefined, 1);
  if (newest === undefined) throw new CommandError(3, `Model '${name}' has no versions.`);
  return newest;
}

function listed(client: Client, name: string, filter: string | undefined, limit: number): Promise<ModelVersion[]> {
  const quoted = `name = '${name.replaceAll("'", "\\'")}'`;
  const versions = client.modelVersions.searchModelVersions.all({
    filter: filter === undefined ? quoted : `${quoted} AND ${filter}`,
    order_by: ['version_number DESC'],
    max_results: pageSize(limit),
  });
  return firstOf(limit, versions);
}

async function listVersions(client: Client, name: string, filter: string | undefined, limit: number) {
  return (await listed(client, name, filter, limit)).map(versionShown);
}

async function listModels(client: Client, filter: string | undefined, limit: number) {
  const models = await firstOf(
    limit,
    client.registeredModels.searchRegisteredModels.all({ max_results: pageSize(limit), ...pick({ filter }) }),
  );
  return models.map(modelShown);
}

async function updateModel(
  client: Client,
  { name, description, tags, stage }: ByName & { description?: string; tags?: readonly string[]; stage?: string },
) {
  if (stage !== undefined) throw new CommandError(2, 'A stage is that of a version: give --version or --label, too.');
  for (const tag of pairsOf('--tags', tags)) await client.registeredModels.setRegisteredModelTag({ name, ...tag });
  if (description !== undefined) await client.registeredModels.updateRegisteredModel({ name, description });
  return modelShown((await client.registeredModels.getRegisteredModel({ name })).registered_model);
}

async function updateVersion(
  client: Client,
  options: ByVersion & { description?: string; tags?: readonly string[]; stage?: string },
) {
  const { name, version } = await getVersion(client, options);
  const { description, tags, stage } = options;
  for (const tag of pairsOf('--tags', tags)) await client.modelVersions.setModelVersionTag({ name, version, ...tag });
  if (description !== undefined) await client.modelVersions.updateModelVersion({ name, version, description });
  if (stage !== undefined) await client.modelVersions.transitionModelVersionStage({ name, version, stage });
  return versionShown((await client.modelVersions.getModelVersion({ name, version })).model_version);
}

/** *Azure ML's command: the fields of a version, in snake case.* */
function versionShown(version: ModelVersion) {
  return {
    name: version.name,
    version: version.version,
    description: version.description ?? '',
    path: version.source,
    job_name: version.run_id === '' ? null : version.run_id,
    stage: version.current_stage,
    aliases: version.aliases ?? [],
    tags: tagsShown(version.tags),
    creation_context: contextOf(version),
  };
}

function modelShown(model: RegisteredModel) {
  const versions = model.latest_versions ?? [];
  return {
    name: model.name,
    latest_version: String(Math.max(0, ...versions.map(({ version }) => Number(version)))),
    description: model.description ?? '',
    aliases: Object.fromEntries((model.aliases ?? []).map(({ alias, version }) => [alias, version])),
    tags: tagsShown(model.tags),
    creation_context: contextOf(model),
  };
}

function tagsShown(tags: readonly { key: string; value: string }[] = []): Record<string, string> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}

function contextOf(item: {
  readonly user_id?: string;
  readonly creation_timestamp?: number | bigint;
  readonly last_updated_timestamp?: number | bigint;
}) {
  const moment = (time: number | bigint | undefined): string | null =>
    time === undefined ? null : new Date(Number(time)).toISOString();
  return {
    created_at: moment(item.creation_timestamp),
    created_by: item.user_id ?? null,
    last_modified_at: moment(item.last_updated_timestamp),
  };
}
