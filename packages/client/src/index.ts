/** A typed client for MLflow tracking servers. */
export { createClient } from './client.ts';
export type { Client } from './client.ts';
export type { TransportOptions } from './transport.ts';
export { MlflowError } from '@lazuli/contract';
export type { ErrorCode, Experiment, Metric, Param, Run, RunInfo, RunTag } from '@lazuli/contract';
