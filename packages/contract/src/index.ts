/** The wire of MLflow's tracking API, and Lazuli's own surface beside it, as values. */
import { apiTokens } from './api-tokens.ts';
import { artifacts } from './artifacts.ts';
import { collections } from './collections.ts';
import { experiments } from './experiments.ts';
import { loggedModels } from './logged-models.ts';
import { metrics } from './metrics.ts';
import { modelVersions } from './model-versions.ts';
import { registeredModels } from './registered-models.ts';
import { registryHistory } from './registry-history.ts';
import { runs } from './runs.ts';
import { serverInfo } from './server-info.ts';
import { workspaces } from './workspaces.ts';

/** Every endpoint, by noun and name. */
export const contract = {
  experiments,
  runs,
  metrics,
  loggedModels,
  registeredModels,
  modelVersions,
  registryHistory,
  artifacts,
  workspaces,
  serverInfo,
  apiTokens,
  collections,
};
export type Contract = typeof contract;

export { errorCodes, errorFromResponse, invalidParameter, MlflowError } from './errors.ts';
export type { ErrorCode, MlflowErrorOptions } from './errors.ts';
export { endpoint, routesOf } from './endpoint.ts';
export type { Endpoint, EndpointGroup, InputOf, Method, OutputOf, Prefix, Route } from './endpoint.ts';
export {
  compileAnswerReader,
  compileReader,
  compileWriter,
  docsHint,
  missing,
  parseJson,
  readDouble,
  readInt64,
  readJson,
  readQuery,
  storableText,
  writeDouble,
  writeInteger,
  wrongType,
} from './proto-json.ts';
export type { ReadInput, WriteOutput } from './proto-json.ts';
export { checkDistinctKeys, checkKey, checkLength, cutToLength, limits } from './limits.ts';
export { exactInt64, parseInt64 } from './int64.ts';
export type { Int64 } from './int64.ts';
export { RunStatus, ViewType } from './scalars.ts';
export { experiments, Experiment } from './experiments.ts';
export { Dataset, DatasetInput, Metric, Param, Run, RunInfo, runs, RunTag } from './runs.ts';
export { metrics } from './metrics.ts';
export {
  LoggedModel,
  loggedModels,
  LoggedModelParameter,
  LoggedModelRegistration,
  LoggedModelStatus,
  LoggedModelTag,
} from './logged-models.ts';
export { artifacts, FileInfo, transferRoutes, transfers } from './artifacts.ts';
export { RegisteredModel, registeredModels } from './registered-models.ts';
export { ModelTag, ModelVersion, modelVersions } from './model-versions.ts';
export { RegistryAssignment, RegistryChange, registryHistory, type ChangeKind } from './registry-history.ts';
export type { Transfer } from './artifacts.ts';
export { Workspace, workspaces } from './workspaces.ts';
export { scrapeMetrics, serverInfo } from './server-info.ts';
export { ApiToken, apiTokens, RoleName } from './api-tokens.ts';
export { CollectableKind, Collected, Collection, collections, KeptBack, UnremovedFiles } from './collections.ts';
