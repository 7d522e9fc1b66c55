import { invalidParameter, MlflowError, type LoggedModel } from '@lazuli/contract';
import { joinPath, type ArtifactStore } from '../artifacts/artifact-store.ts';
import type { Client } from '../client.ts';
import type { Connection } from '../tracking/connection.ts';

/** A folder in a store. */
export interface Location {
  readonly store: ArtifactStore;
  readonly folder: string;
}

export interface Servers {
  readonly tracking: () => Promise<Connection>;
  readonly registry: () => Promise<Connection>;
}

/**
 * Where the files of a URI lie:
 *
 *     runs:/{run}/{path}         artifacts of a run, or its logged model of that name
 *     models:/{model id}         a logged model, m-…
 *     models:/{name}/{version}   a registered one; also /latest, /{stage}, and {name}@{alias}
 *     any artifact URI           as the server gave it
 */
export async function locationOf(uri: string, servers: Servers): Promise<Location> {
  const ofRun = /^runs:\/+([^/]+)(?:\/(.*?))?\/?$/.exec(uri);
  if (ofRun !== null) return inRun(ofRun[1] ?? '', ofRun[2] ?? '', await servers.tracking());
  const ofModel = /^models:\/+(m-[^/@]+)$/.exec(uri);
  if (ofModel !== null) {
    const { client, artifactsAt } = await servers.tracking();
    const { model } = await client.loggedModels.getLoggedModel({ model_id: ofModel[1] ?? '' });
    return { store: artifactsAt(model.info.artifact_uri), folder: '' };
  }
  if (!uri.startsWith('models:')) {
    if (!/^(?:[a-z][a-z0-9+.-]*:|\/)/i.test(uri)) throw noPlace(uri);
    return { store: (await servers.tracking()).artifactsAt(uri), folder: '' };
  }
  const { client, artifactsAt } = await servers.registry();
  const { artifact_uri } = await client.modelVersions.getModelVersionDownloadUri(await versionOf(client, uri));
  return /^(?:runs|models):/.test(artifact_uri)
    ? locationOf(artifact_uri, servers)
    : { store: artifactsAt(artifact_uri), folder: '' };
}

function noPlace(uri: string): MlflowError {
  return invalidParameter(
    `'${uri}' names no artifacts. They are named by runs:/{run}/{path}, models:/{name}/{version}, models:/{name}@{alias}, or their whole URI.`,
  );
}

async function inRun(run_id: string, path: string, { client, artifactsAt }: Connection): Promise<Location> {
  const { run } = await client.runs.getRun({ run_id });
  const own = { store: artifactsAt(run.info.artifact_uri), folder: path };
  if (path === '' || (await own.store.list(path)).length > 0) return own;
  const folder = path.split('/').slice(0, -1).join('/');
  if ((await own.store.list(folder)).some((entry) => entry.path === path)) return own;
  // *MLflow 3 keeps the models of a run elsewhere, under the run's name for them.*
  const { models = [] }: { models?: LoggedModel[] } = await client.loggedModels
    .searchLoggedModels({
      experiment_ids: [run.info.experiment_id],
      filter: `name = '${path.split('/')[0] ?? ''}' AND source_run_id = '${run_id}'`,
      max_results: 1,
    })
    .catch((error: unknown) => {
      if (error instanceof MlflowError && error.status === 404) return {};
      throw error;
    });
  const [model] = models;
  if (model === undefined)
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `The run ${run_id} has no artifact and no model '${path}'.`);
  return { store: artifactsAt(model.info.artifact_uri), folder: joinPath(...path.split('/').slice(1)) };
}

async function versionOf(client: Client, uri: string): Promise<{ name: string; version: string }> {
  const [, name = '', alias, selector] = /^models:\/+([^/@]+)(?:@([^/]+)|\/([^/]+))\/?$/.exec(uri) ?? [];
  if (alias !== undefined) {
    const { model_version } = await client.registeredModels.getModelVersionByAlias({ name, alias });
    return { name, version: model_version.version };
  }
  if (selector === undefined) {
    throw invalidParameter(
      `'${uri}' names no version. Use models:/{name}/{version}, models:/{name}@{alias}, models:/{name}/latest or models:/{model id}.`,
    );
  }
  if (/^\d+$/.test(selector)) return { name, version: selector };
  const stages = selector.toLowerCase() === 'latest' ? {} : { stages: [selector] };
  const { model_versions = [] } = await client.registeredModels.getLatestVersions({ name, ...stages });
  const version = Math.max(...model_versions.map((one) => Number(one.version)));
  if (model_versions.length === 0)
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `The model '${name}' has no version '${selector}'.`);
  return { name, version: String(version) };
}
