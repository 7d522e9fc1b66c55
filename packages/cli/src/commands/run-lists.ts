import type { Client, Run } from '@lazuli/client';
import { firstOf, pageSize } from '../pages.ts';
import { pick } from './options.ts';

export interface RunQuery {
  readonly experimentIds: readonly string[];
  readonly filter?: string | undefined;
  readonly orderBy?: readonly string[] | undefined;
  readonly view?: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';
  readonly limit: number;
}

export function searchRuns(client: Client, { experimentIds, filter, orderBy, view, limit }: RunQuery): Promise<Run[]> {
  const runs = client.runs.searchRuns.all({
    experiment_ids: [...experimentIds],
    max_results: pageSize(limit),
    ...pick({ filter, order_by: orderBy === undefined ? undefined : [...orderBy], run_view_type: view }),
  });
  return firstOf(limit, runs);
}

/** A run as one row: what it is, and its metrics, params and tags under names that say which is which. */
export function flatRun({ info, data }: Run): Record<string, string | number> {
  const time = (moment: number | bigint | undefined): string =>
    moment === undefined ? '' : new Date(Number(moment)).toISOString();
  const named = (kind: string, items: readonly { key: string; value: string | number }[] = []) =>
    Object.fromEntries(items.map(({ key, value }) => [`${kind}.${key}`, value]));
  return {
    run_id: info.run_id,
    run_name: info.run_name,
    experiment_id: info.experiment_id,
    status: info.status,
    start_time: time(info.start_time),
    end_time: time(info.end_time),
    artifact_uri: info.artifact_uri,
    ...named('metrics', data.metrics),
    ...named('params', data.params),
    ...named('tags', data.tags),
  };
}
