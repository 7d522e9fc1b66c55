import { docsHint, invalidParameter, limits, missing, type metrics } from '@lazuli/contract';
import { JsonBody, type Handlers } from '../access/caller.ts';
import type { Engine, Read } from '../database/engine.ts';
import type { MetricStore } from '../metric-store/metric-store.ts';
import { metricHistory, metricHistoryBulk, metricHistoryInterval } from './metric-reads.ts';
import { findRunKeys } from './run-store.ts';

/**
 * *MLflow's server gives all points where no page size is asked for.* So does this one, up to as many as an answer can hold
 * in memory; then it gives a token, as it does for a page.
 */
const unpagedPoints = 1_000_000;

export interface MetricRoom {
  readonly engine: Engine;
  readonly metricStore: MetricStore;
}

export function metricHandlers({ engine, metricStore }: MetricRoom): Handlers<typeof metrics> {
  /** Runs a read of points of these runs, none of which it finds in part. */
  async function readSettled<Query extends { readonly workspaceId: number }>(
    read: Read<Query, Uint8Array>,
    query: Query,
    runIds: readonly string[],
  ): Promise<JsonBody> {
    const runKeys = await findRunKeys(engine.db, query.workspaceId, runIds);
    return new JsonBody(await engine.run(read, query, await metricStore.settlePoints(runKeys)));
  }

  return {
    async getMetricHistory({ run_id, run_uuid, metric_key, page_token, max_results }, { workspace }) {
      const runId = run_id ?? run_uuid;
      if (runId === undefined || runId === '') throw missing('run_id');
      if (max_results !== undefined && max_results <= 0) {
        throw invalidParameter(
          `Invalid value ${max_results} for parameter 'max_results' supplied. It must be a positive integer.`,
        );
      }
      const query = {
        workspaceId: workspace.workspaceId,
        runId,
        metricKey: metric_key,
        limit: Math.min(max_results ?? unpagedPoints, unpagedPoints),
        ...(page_token === undefined ? {} : { pageToken: page_token }),
      };
      return readSettled(metricHistory, query, [runId]);
    },

    async getMetricHistoryBulk({ run_id: runIds = [], metric_key, max_results }, { workspace }) {
      if (runIds.length === 0) {
        throw invalidParameter('GetMetricHistoryBulk request must specify at least one run_id.');
      }
      if (runIds.length > limits.bulkRuns) {
        throw invalidParameter(
          `GetMetricHistoryBulk request cannot specify more than ${limits.bulkRuns} run_ids. Received ${runIds.length} run_ids.`,
        );
      }
      if (metric_key === undefined || metric_key === '') {
        throw invalidParameter('GetMetricHistoryBulk request must specify a metric_key.');
      }
      if (max_results !== undefined && max_results < 0) {
        throw invalidParameter(
          `Invalid value ${max_results} for parameter 'max_results' supplied. It must not be negative.`,
        );
      }
      const query = {
        workspaceId: workspace.workspaceId,
        runIds,
        metricKey: metric_key,
        limit: Math.min(max_results ?? limits.bulkPoints, limits.bulkPoints),
      };
      return readSettled(metricHistoryBulk, query, runIds);
    },

    async getMetricHistoryBulkInterval(
      { run_ids: runIds = [], metric_key, start_step, end_step, max_results },
      { workspace },
    ) {
      if (runIds.length === 0) throw missing('run_ids');
      if (runIds.length > limits.bulkRuns) {
        throw invalidParameter(
          `GetMetricHistoryBulkInterval request must specify at most ${limits.bulkRuns} run_ids. Received ${runIds.length} run_ids.${docsHint}`,
        );
      }
      const limit = max_results ?? limits.intervalPoints;
      if (limit < 1 || limit > limits.intervalPoints) {
        throw invalidParameter(`max_results must be between 1 and ${limits.intervalPoints}.${docsHint}`);
      }
      if ((start_step === undefined) !== (end_step === undefined)) {
        throw invalidParameter('If either start step or end step are specified, both must be specified.');
      }
      if (start_step !== undefined && end_step !== undefined && start_step > end_step) {
        throw invalidParameter(
          `end_step must be greater than start_step. Found start_step=${start_step} and end_step=${end_step}.`,
        );
      }
      const query = {
        workspaceId: workspace.workspaceId,
        runIds,
        metricKey: metric_key,
        range: {
          limit,
          ...(start_step === undefined ? {} : { startStep: start_step }),
          ...(end_step === undefined ? {} : { endStep: end_step }),
        },
      };
      return readSettled(metricHistoryInterval, query, runIds);
    },
  };
}
