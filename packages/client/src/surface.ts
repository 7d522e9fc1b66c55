/** What both entry points have: the one for Node, Deno and Bun, and the one for browsers. */
export { createClient } from './client.ts';
export type { Call, Client } from './client.ts';
export type { ItemOf, Paged } from './paging.ts';
export { azureMlTrackingUri, parseTrackingUri } from './tracking-uri.ts';
export type {
  AzureMlTrackingUri,
  DatabricksTrackingUri,
  HttpTrackingUri,
  TrackingUri,
  WorkspaceAddress,
} from './tracking-uri.ts';
export type { AuthorizationSource, CallOptions, TransportOptions } from './transport.ts';
export type { RetryPolicy } from './retry-policy.ts';
export { createTracking } from './tracking/tracking.ts';
export type { SearchRunsOptions, StartRun, StartRunOptions, Tracking } from './tracking/tracking-functions.ts';
export type { ConnectOptions, Connection } from './tracking/connection.ts';
export type { Platform, SignedIn } from './tracking/platform.ts';
export type { FinalStatus, MetricOptions, ParamValue, Run as ActiveRun } from './tracking/run-handle.ts';
export type { TableRows } from './tracking/table.ts';
export type { ImageSource, Pixels } from './tracking/image.ts';
export type { SystemMetricsOptions } from './tracking/system-metrics.ts';
export type {
  ArtifactEntry,
  ArtifactStore,
  OpenedArtifact,
  TransferOptions,
  TransferProgress,
  Upload,
} from './artifacts/artifact-store.ts';
export type { LoggedModelHandle, ModelToLog } from './models/log-model.ts';
export type {
  LoadedModel,
  LoadOptions,
  NestedNumbers,
  OnnxRuntime,
  OnnxTensor,
  TensorLike,
} from './models/load-model.ts';
export type { RegisterOptions } from './models/register-model.ts';
export type { ColumnSpec, ModelSignature, TensorSpec } from './models/signature.ts';
export type { ResumedLog } from './logging/unsent-log.ts';
export { MlflowError } from '@lazuli/contract';
export type { ErrorCode, Experiment, Metric, ModelVersion, Param, Run, RunInfo, RunTag } from '@lazuli/contract';
export { dualTracking } from './dual-tracking/dual-tracking.ts';
export type { DualStore, DualTracking, DualTrackingOptions } from './dual-tracking/dual-tracking.ts';
export { experimentNameIn } from './dual-tracking/experiment-names.ts';
export { createResourceManager } from './resource-manager.ts';
export type { ResourceManager } from './resource-manager.ts';
export type { DualTrackingUris, StoreAddress } from './tracking/dual-connection.ts';
export type { OnSecondaryFailure } from './dual-tracking/follower.ts';
