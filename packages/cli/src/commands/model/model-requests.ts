import { statSync } from 'node:fs';
import type { Client, Server } from '@lazuli/client';
import { fileIn, filesIn, uploadFiles } from '../../artifact-files.ts';
import { CommandError } from '../../output.ts';
import { firstOf, pageSize } from '../../pages.ts';
import { pick } from '../options.ts';

/** What the commands about models ask of a registry, and how they show it: with the field names of `az ml model`. */
type ModelVersion = Awaited<ReturnType<Client['modelVersions']['getModelVersion']>>['model_version'];
type RegisteredModel = Awaited<ReturnType<Client['registeredModels']['getRegisteredModel']>>['registered_model'];

export interface ByName {
  readonly name: string;
}

export interface ByVersion extends ByName {
  readonly version?: string;
  readonly label?: string;
}

export interface ModelChange {
  readonly description?: string;
  readonly stage?: string;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
}

export async function makeSureOf(client: Client, name: string): Promise<void> {
  try {
    await client.registeredModels.createRegisteredModel({ name });
  } catch (error) {
    if ((error as { errorCode?: string }).errorCode !== 'RESOURCE_ALREADY_EXISTS') throw error;
  }
}

/** *`az ml model create --path ./model` uploads it.* Here it becomes a logged model of the default experiment, which belongs to no run. */
export async function uploadModel({ client, artifactsAt }: Server, name: string, path: string, type?: string) {
  const isFolder = statSync(path).isDirectory();
  const files = isFolder ? await filesIn(undefined, path) : await fileIn(undefined, path);
  const { model } = await client.loggedModels.createLoggedModel({
    experiment_id: '0',
    name: name.replaceAll(/[/:.%"']/g, '_'),
    ...pick({ model_type: type }),
  });
  const { model_id, artifact_uri } = model.info;
  const end = (status: 'LOGGED_MODEL_READY' | 'LOGGED_MODEL_UPLOAD_FAILED') =>
    client.loggedModels.finalizeLoggedModel({ model_id, status });
  await uploadFiles(artifactsAt(artifact_uri), files).catch(async (error: unknown) => {
    await end('LOGGED_MODEL_UPLOAD_FAILED');
    throw error;
  });
  await end('LOGGED_MODEL_READY');
  return { source: `models:/${model_id}`, model_id };
}

export async function getVersion(client: Client, { name, version, label }: ByVersion): Promise<ModelVersion> {
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

export async function listVersions(client: Client, name: string, filter: string | undefined, limit: number) {
  return (await listed(client, name, filter, limit)).map(versionShown);
}

export async function listModels(client: Client, filter: string | undefined, limit: number) {
  const models = await firstOf(
    limit,
    client.registeredModels.searchRegisteredModels.all({ max_results: pageSize(limit), ...pick({ filter }) }),
  );
  return models.map(modelShown);
}

export async function updateModel(client: Client, { name, description, tags, stage }: ByName & ModelChange) {
  if (stage !== undefined) throw new CommandError(2, 'A stage is that of a version: give --version or --label, too.');
  for (const tag of tags) await client.registeredModels.setRegisteredModelTag({ name, ...tag });
  if (description !== undefined) await client.registeredModels.updateRegisteredModel({ name, description });
  return modelShown((await client.registeredModels.getRegisteredModel({ name })).registered_model);
}

export async function updateVersion(client: Client, options: ByVersion & ModelChange) {
  const { name, version } = await getVersion(client, options);
  const { description, tags, stage } = options;
  for (const tag of tags) await client.modelVersions.setModelVersionTag({ name, version, ...tag });
  if (description !== undefined) await client.modelVersions.updateModelVersion({ name, version, description });
  if (stage !== undefined) await client.modelVersions.transitionModelVersionStage({ name, version, stage });
  return versionShown((await client.modelVersions.getModelVersion({ name, version })).model_version);
}

/** *Azure ML's command: the fields of a version, in snake case.* */
export function versionShown(version: ModelVersion) {
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

export function modelShown(model: RegisteredModel) {
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
