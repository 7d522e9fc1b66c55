import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { changedFields } from '../../field-changes.ts';
import { CommandError } from '../../output.ts';
import { limitOf } from '../../pages.ts';
import { addServerCommand } from '../../server-command.ts';
import type { Surroundings } from '../../surroundings.ts';
import { pairsOf, pick, severalTimes } from '../options.ts';
import { describeHistory } from './history.ts';
import {
  getVersion,
  listModels,
  listVersions,
  makeSureOf,
  modelShown,
  updateModel,
  updateVersion,
  uploadModel,
  versionShown,
  type ByName,
  type ByVersion,
} from './model-requests.ts';

/**
 * `lazuli model`: the model registry with the nouns, options and field names of `az ml model`, and what Azure ML does not have:
 * aliases, deletion, search.
 */
interface CreateOptions extends ByName {
  readonly path: string;
  readonly type?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly runId?: string;
}

/** *Azure ML's.* */
const modelTypes = ['mlflow_model', 'custom_model', 'triton_model'];
const columns = { Name: 'name', Version: 'version || latest_version', Stage: 'stage', Description: 'description' };
const byName = (command: Command): Command => command.requiredOption('-n, --name <name>', 'the name of the model');
const byVersion = (command: Command): Command =>
  byName(command)
    .option('-v, --version <version>', 'its version')
    .option('-l, --label <alias>', 'or an alias of the version; latest means the newest one');

export function describeModel(command: Command, surroundings: Surroundings): void {
  addServerCommand<CreateOptions>(command, surroundings, {
    usage: 'create',
    summary: 'Register the next version of a model; the first one creates the model',
    options: (create) =>
      byName(create)
        .requiredOption(
          '-p, --path <path>',
          'where its files are: runs:/{run}/{path}, models:/{id}, an artifact root, or a folder or file here, which is uploaded',
        )
        .addOption(new Option('-t, --type <type>', 'what is uploaded').choices(modelTypes))
        .option('-d, --description <text>', 'what it is')
        .option('--tags <name=value>', 'a tag; may be given several times', severalTimes)
        .option('--run-id <id>', 'the run that made it (default: the one of a runs:/ path)'),
    columns,
    examples: [
      'lazuli model create -n churn --path runs:/5c1ee5dcff864ba3b2bd24de1d1c0c4a/model --tags team=red',
      'lazuli model create -n churn --path ./model --type mlflow_model',
    ],
    async answer(server, { name, path, type, description, tags, runId }) {
      const { client } = server;
      const given = pairsOf('--tags', tags);
      const isHere = !/^[a-z][a-z0-9+.-]+:/i.test(path);
      const file = resolve(surroundings.workingDir, path);
      if (isHere && !existsSync(file)) throw new CommandError(2, `--path: there is no ${file}`);
      await makeSureOf(client, name);
      const place = isHere ? await uploadModel(server, name, file, type) : { source: path };
      const { model_version } = await client.modelVersions.createModelVersion({
        name,
        ...place,
        tags: given,
        ...pick({ description, run_id: runId ?? /^runs:\/+([^/]+)/.exec(path)?.[1] }),
      });
      return versionShown(model_version);
    },
  });

  addServerCommand<{ name?: string; filter?: string; maxResults?: string }>(command, surroundings, {
    usage: 'list',
    summary: 'List the models, or the versions of one',
    options: (list) =>
      list
        .option('-n, --name <name>', 'the model whose versions are listed')
        .option('--filter <filter>', `such as "name LIKE 'churn%' AND tags.team = 'red'"`)
        .option('-r, --max-results <count>', 'how many at most (default: all)'),
    columns,
    examples: ['lazuli model list -o table', 'lazuli model list -n churn --query "[].version" -o tsv'],
    answer: ({ client }, { name, filter, maxResults }) => {
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
    async answer({ client }, { name, ...which }) {
      if (which.version !== undefined || which.label !== undefined) {
        return versionShown(await getVersion(client, { name, ...which }));
      }
      return modelShown((await client.registeredModels.getRegisteredModel({ name })).registered_model);
    },
  });

  addServerCommand<ByVersion & { downloadPath?: string }>(command, surroundings, {
    usage: 'download',
    summary: 'Download the files of a version, to a folder of the name of the model',
    options: (download) =>
      byVersion(download).option('-p, --download-path <folder>', 'where that folder is made (default: here)'),
    examples: ['lazuli model download -n churn -v 3 --download-path ./models'],
    async answer(server, { downloadPath = '.', ...which }) {
      const { name, version } = await getVersion(server.client, which);
      return server.download(`models:/${name}/${version}`, resolve(surroundings.workingDir, downloadPath, name));
    },
  });

  addServerCommand<
    ByVersion & { description?: string; tags?: readonly string[]; stage?: string; set?: readonly string[] }
  >(command, surroundings, {
    usage: 'update',
    summary: 'Change the description, the tags or the stage of a version, or of the model',
    options: (update) =>
      byVersion(update)
        .option('-d, --description <text>', 'what it is')
        .option('--tags <name=value>', 'a tag to set; may be given several times', severalTimes)
        .option('-s, --stage <stage>', 'Staging, Production, Archived or None; of a version alone')
        .option('--set <path=value...>', 'a field to change: description, stage, tags.team=red', severalTimes),
    columns,
    examples: [
      'lazuli model update -n churn -v 3 --set description=Nightly tags.team=red',
      'lazuli model update -n churn -v 3 --stage Production',
      'lazuli model update -n churn --tags team=red',
    ],
    answer({ client }, { set, ...options }) {
      const { texts, tags } = changedFields(['description', 'stage'], set);
      const change = { ...options, ...texts, tags: [...pairsOf('--tags', options.tags), ...tags] };
      return options.version === undefined && options.label === undefined
        ? updateModel(client, change)
        : updateVersion(client, change);
    },
  });

  for (const [usage, stage, summary] of [
    ['archive', 'Archived', 'Archive a version'],
    ['restore', 'None', 'Take a version out of the archive'],
  ] as const) {
    addServerCommand<ByVersion>(command, surroundings, {
      usage,
      summary,
      options: byVersion,
      examples: [`lazuli model ${usage} -n churn -v 3`],
      async answer({ client }, which) {
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
    examples: ['lazuli model set-alias -n churn -a champion -v 3'],
    async answer({ client }, { name, alias, version }) {
      await client.registeredModels.setRegisteredModelAlias({ name, alias, version });
    },
  });

  addServerCommand<ByName & { alias: string }>(command, surroundings, {
    usage: 'delete-alias',
    summary: 'Remove an alias',
    options: (remove) => byName(remove).requiredOption('-a, --alias <alias>', 'the alias'),
    examples: ['lazuli model delete-alias -n churn -a champion'],
    async answer({ client }, { name, alias }) {
      await client.registeredModels.deleteRegisteredModelAlias({ name, alias });
    },
  });

  describeHistory(command, surroundings);

  addServerCommand<ByVersion>(command, surroundings, {
    usage: 'delete',
    summary: 'Delete a version; without one, the model with all of its versions',
    options: byVersion,
    examples: ['lazuli model delete -n churn -v 3', 'lazuli model delete -n churn'],
    async answer({ client }, { name, ...which }) {
      if (which.version === undefined && which.label === undefined) {
        await client.registeredModels.deleteRegisteredModel({ name });
        return;
      }
      const { version } = await getVersion(client, { name, ...which });
      await client.modelVersions.deleteModelVersion({ name, version });
    },
  });
}
