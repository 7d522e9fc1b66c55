import {
  limits,
  MlflowError,
  type Endpoint,
  type InputOf,
  type modelVersions,
  type OutputOf,
  type registeredModels,
  type Run,
  type runs,
  type experiments,
  type ModelVersion as ModelVersionShape,
  type RegisteredModel,
  type ViewType as ViewTypeShape,
} from '@lazuli/contract';
import type { Static } from 'typebox';
import { JsonBody, type Caller, type Handler, type Handlers } from '../access/caller.ts';
import type { Engine } from '../database/engine.ts';
import { workspaceRef, type WorkspaceRow } from '../workspaces/workspace-store.ts';
import { ArmError, resourceNotFound } from './arm-error.ts';
import { answerPage, pageSize } from './arm-page.ts';
import { route, type ArmAnswer, type ArmCall, type ArmRoute } from './arm-route.ts';
import { placeIn, registriesPath, workspaceAt, workspacesPath } from './arm-workspaces.ts';
import { isoTime, trackingUri, type Surroundings } from './workspace-body.ts';

/** Runs as jobs, and the registry as models: views that nothing can be changed through. */
export interface ArmAssetParts {
  readonly engine: Engine;
  readonly surroundings: () => Surroundings;
  readonly searchExperiments: Handler<(typeof experiments)['searchExperiments']>;
  readonly getExperiment: Handler<(typeof experiments)['getExperiment']>;
  readonly runs: Pick<Handlers<typeof runs>, 'getRun' | 'searchRuns'>;
  readonly models: Pick<Handlers<typeof registeredModels>, 'getRegisteredModel' | 'searchRegisteredModels'>;
  readonly versions: Pick<Handlers<typeof modelVersions>, 'getModelVersion' | 'searchModelVersions'>;
}

type ModelVersion = Static<typeof ModelVersionShape>;

const runRead = { anyOf: ['jobs/read', 'experiments/runs/read'] } as const;
const modelRead = { anyOf: ['models/read', 'models/versions/read'] } as const;
const assetRead = { anyOf: ['Microsoft.MachineLearningServices/registries/assets/read'] } as const;

export function armAssetRoutes(parts: ArmAssetParts): ArmRoute[] {
  const one = `${workspacesPath}/{w}`;
  const registry = `${registriesPath}/{w}`;
  return [
    route('GET', `${one}/jobs`, runRead, (call) => listJobs(parts, call)),
    route('GET', `${one}/jobs/{id}`, runRead, (call) => getJob(parts, call)),
    ...(
      [
        [one, modelRead],
        [registry, assetRead],
      ] as const
    ).flatMap(([path, access]) => [
      route('GET', `${path}/models`, access, (call) => listModels(parts, call)),
      route('GET', `${path}/models/{n}`, access, (call) => getModel(parts, call)),
      route('GET', `${path}/models/{n}/versions`, access, (call) => listVersions(parts, call)),
      route('GET', `${path}/models/{n}/versions/{v}`, access, (call) => getVersion(parts, call)),
    ]),
    ...['computes', 'datastores', 'data', 'environments', 'codes', 'components', 'schedules', 'batchEndpoints'].map(
      // What this server does not have, it has none of.
      (kind) =>
        route('GET', `${one}/${kind}`, `${kind}/read`, async (call) => {
          await workspaceAt(parts.engine, placeIn(call));
          return answerPage(call, []);
        }),
    ),
  ];
}

async function callerIn({ engine }: ArmAssetParts, call: ArmCall): Promise<{ row: WorkspaceRow; caller: Caller }> {
  const row = await workspaceAt(engine, placeIn(call));
  return { row, caller: { principal: call.principal, workspace: workspaceRef(row) } };
}

async function listJobs(parts: ArmAssetParts, call: ArmCall): Promise<ArmAnswer> {
  const { row, caller } = await callerIn(parts, call);
  const view = viewOf(call);
  const everything = { max_results: limits.searchResults, view_type: 'ALL' } as const;
  const { experiments = [] } = await ask(parts.searchExperiments, everything, caller);
  const names = new Map(experiments.map(({ experiment_id, name }) => [experiment_id, name]));
  const { runs = [], next_page_token } = await ask(
    parts.runs.searchRuns,
    {
      experiment_ids: [...names.keys()],
      run_view_type: view,
      max_results: pageSize(call),
      ...pageTokenOf(call),
    },
    caller,
  );
  const { origin } = parts.surroundings();
  const jobs = runs.map((run) => jobBody(row, run, names.get(run.info.experiment_id) ?? '', call.scope, origin));
  return answerPage(call, jobs, next_page_token);
}

async function getJob(parts: ArmAssetParts, call: ArmCall): Promise<ArmAnswer> {
  const { row, caller } = await callerIn(parts, call);
  const { run } = await found(call, ask(parts.runs.getRun, { run_id: call.params['id'] ?? '' }, caller));
  const { experiment } = await ask(parts.getExperiment, { experiment_id: run.info.experiment_id }, caller);
  const workspace = call.scope.slice(0, call.scope.lastIndexOf('/jobs/'));
  return { body: jobBody(row, run, experiment.name, workspace, parts.surroundings().origin) };
}

async function listModels(parts: ArmAssetParts, call: ArmCall): Promise<ArmAnswer> {
  const { caller } = await callerIn(parts, call);
  const input = { max_results: pageSize(call), ...pageTokenOf(call) };
  const { registered_models = [], next_page_token } = await ask(parts.models.searchRegisteredModels, input, caller);
  const models = registered_models.map((model) => modelBody(model, call.scope));
  return answerPage(call, models, next_page_token);
}

async function getModel(parts: ArmAssetParts, call: ArmCall): Promise<ArmAnswer> {
  const { caller } = await callerIn(parts, call);
  const name = call.params['n'] ?? '';
  const { registered_model } = await found(call, ask(parts.models.getRegisteredModel, { name }, caller));
  return { body: modelBody(registered_model, call.scope.slice(0, call.scope.lastIndexOf('/models/'))) };
}

async function listVersions(parts: ArmAssetParts, call: ArmCall): Promise<ArmAnswer> {
  const { caller } = await callerIn(parts, call);
  const name = call.params['n'] ?? '';
  await found(call, ask(parts.models.getRegisteredModel, { name }, caller));
  const input = {
    filter: `name = '${name.replaceAll("'", "''")}'`,
    order_by: ['version_number DESC'],
    max_results: pageSize(call),
    ...pageTokenOf(call),
  };
  const { model_versions = [], next_page_token } = await ask(parts.versions.searchModelVersions, input, caller);
  const versions = model_versions.map((version) => versionBody(version, `${call.scope}/versions`));
  return answerPage(call, versions, next_page_token);
}

async function getVersion(parts: ArmAssetParts, call: ArmCall): Promise<ArmAnswer> {
  const { caller } = await callerIn(parts, call);
  const { n: name = '', v: version = '' } = call.params;
  const { model_version } = await found(call, ask(parts.versions.getModelVersion, { name, version }, caller));
  return { body: versionBody(model_version, call.scope.slice(0, call.scope.lastIndexOf('/'))) };
}

const views: ReadonlyMap<string, Static<typeof ViewTypeShape>> = new Map([
  ['activeonly', 'ACTIVE_ONLY'],
  ['archivedonly', 'DELETED_ONLY'],
  ['all', 'ALL'],
]);

/** *Azure: ActiveOnly unless another view is asked for.* */
function viewOf({ query }: ArmCall): Static<typeof ViewTypeShape> {
  const text = query.get('listViewType') ?? 'ActiveOnly';
  const view = views.get(text.toLowerCase());
  if (view !== undefined) return view;
  throw new ArmError(
    400,
    'InvalidQueryParameterValue',
    `The value '${text.slice(0, 50)}' of 'listViewType' must be ActiveOnly, ArchivedOnly or All.`,
  );
}

function pageTokenOf({ query }: ArmCall): { page_token?: string } {
  const token = query.get('$skip');
  return token === null ? {} : { page_token: token };
}

/** What a handler answers, as an object also where it answers with bytes. */
async function ask<E extends Endpoint>(handler: Handler<E>, input: InputOf<E>, caller: Caller): Promise<OutputOf<E>> {
  const output = await handler(input, caller);
  return output instanceof JsonBody ? (JSON.parse(Buffer.from(output.bytes).toString()) as OutputOf<E>) : output;
}

/** In ARM's words, what is not there is a resource that was not found. */
async function found<T>(call: ArmCall, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const isAbsent = error instanceof MlflowError && (error.status === 404 || error.status === 400);
    throw isAbsent ? resourceNotFound(call.scope) : error;
  }
}

/** *Azure's words for what MLflow calls the status of a run.* */
const statusWords = {
  RUNNING: 'Running',
  SCHEDULED: 'Queued',
  FINISHED: 'Completed',
  FAILED: 'Failed',
  KILLED: 'Canceled',
} as const;

function jobBody(row: WorkspaceRow, run: Run, experimentName: string, workspace: string, origin: string) {
  const { run_id, run_name, status, start_time, user_id, lifecycle_stage } = run.info;
  return {
    id: `${workspace}/jobs/${run_id}`,
    name: run_id,
    type: 'Microsoft.MachineLearningServices/workspaces/jobs',
    systemData: {
      createdAt: isoTime(start_time),
      createdBy: user_id,
      createdByType: 'User',
    },
    properties: {
      jobType: 'Command',
      displayName: run_name,
      experimentName,
      status: statusWords[status],
      isArchived: lifecycle_stage === 'deleted',
      tags: Object.fromEntries((run.data.tags ?? []).map(({ key, value }) => [key, value])),
      properties: {},
      parameters: Object.fromEntries((run.data.params ?? []).map(({ key, value }) => [key, value])),
      services: { Tracking: { jobServiceType: 'Tracking', endpoint: trackingUri(row, origin) } },
      inputs: {},
      outputs: {},
      command: '',
      environmentId: '',
      environmentVariables: {},
    },
  };
}

function modelBody(model: RegisteredModel, workspace: string) {
  const latest = (model.latest_versions ?? []).map(({ version }) => Number(version));
  const last = latest.length === 0 ? 0 : Math.max(...latest);
  return {
    id: `${workspace}/models/${model.name}`,
    name: model.name,
    type: 'Microsoft.MachineLearningServices/workspaces/models',
    systemData: times(model),
    properties: {
      description: model.description ?? '',
      tags: tagMap(model.tags),
      properties: {},
      isArchived: false,
      ...(last === 0 ? {} : { latestVersion: String(last) }),
      nextVersion: String(last + 1),
    },
  };
}

function versionBody(version: ModelVersion, versions: string) {
  const { source, run_id, description = '' } = version;
  return {
    id: `${versions}/${version.version}`,
    name: version.version,
    type: 'Microsoft.MachineLearningServices/workspaces/models/versions',
    systemData: times(version),
    properties: {
      description,
      tags: tagMap(version.tags),
      properties: {},
      isArchived: version.current_stage === 'Archived',
      isAnonymous: false,
      modelType: 'mlflow_model',
      modelUri: source,
      stage: version.current_stage,
      flavors: {},
      ...(run_id === '' ? {} : { jobName: run_id }),
    },
  };
}

function times({
  creation_timestamp,
  last_updated_timestamp,
  user_id = '',
}: Pick<RegisteredModel, 'creation_timestamp' | 'last_updated_timestamp' | 'user_id'>) {
  return {
    createdAt: isoTime(creation_timestamp),
    createdBy: user_id,
    createdByType: 'User',
    lastModifiedAt: isoTime(last_updated_timestamp),
  };
}

function tagMap(tags: readonly { readonly key: string; readonly value: string }[] = []): Record<string, string> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}
