/** A typed client for MLflow tracking servers. */
export { createClient } from './client.ts';
export type { Client } from './client.ts';
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
export { MlflowError } from '@lazuli/contract';
export type { ErrorCode, Experiment, Metric, Param, Run, RunInfo, RunTag } from '@lazuli/contract';
