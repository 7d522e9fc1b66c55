import type { ColumnValue, GroupTransaction, SetUpdate, SetWrite } from '../database/engine.ts';
import { runNameTag, type Batch, type Creation } from './log-members.ts';
import type { RunHandle } from './run-handles.ts';
import type { NewRun } from './run-store.ts';

const insertRuns: SetWrite = {
  table: 'runs',
  columns: {
    run_key: 'int64',
    workspace_id: 'int64',
    run_id: 'text',
    experiment_id: 'int64',
    run_name: 'text',
    user_id: 'text',
    status: 'text',
    start_time: 'int64',
    lifecycle_stage: 'text',
    artifact_uri: 'text',
  },
};
const textColumns = { workspace_id: 'int64', run_key: 'int64', key: 'text', value: 'text' } as const;
const textKey = ['workspace_id', 'run_key', 'key'];
const insertParams: SetWrite = {
  table: 'run_params',
  columns: textColumns,
  // *MLflow: params are write-once.* The flush has refused what it knew to differ; another process may know more.
  conflict: { key: textKey, equal: ['value'] },
};
const upsertTags: SetWrite = {
  table: 'run_tags',
  columns: textColumns,
  conflict: { key: textKey, replace: ['value'] },
};
const insertRequests: SetWrite = {
  table: 'run_requests',
  columns: { workspace_id: 'int64', request_id: 'text', run_key: 'int64' },
  // Where the same request has come to another process at the same time, the run there is the one.
  conflict: { key: ['workspace_id', 'request_id'], equal: ['run_key'] },
};
const renameRuns: SetUpdate = {
  table: 'runs',
  by: { workspace_id: 'int64', run_key: 'int64' },
  set: { run_name: 'text' },
};

/** Names a param or tag of a run in a map. */
export function paramName(runKey: number, key: string): string {
  return `${runKey}/${key}`;
}

/** Inserts accepted runs and gives each its key. */
export async function writeRuns(
  tx: GroupTransaction,
  accepted: readonly { creation: Creation; run: Omit<NewRun, 'runKey'> }[],
): Promise<(NewRun & { creation: Creation })[]> {
  if (accepted.length === 0) return [];
  const keys = await tx.allocate('runs', accepted.length);
  const runs = accepted.map(({ creation, run }, index) => ({ ...run, creation, runKey: keys[index] as number }));
  await tx.write(
    insertRuns,
    runs.map(({ creation, runKey, runId, artifactUri }) => [
      runKey,
      creation.workspace.workspaceId,
      runId,
      creation.experimentId,
      creation.runName,
      creation.userId,
      'RUNNING',
      creation.startTime,
      'active',
      artifactUri,
    ]),
  );
  return runs;
}

/** Keeps which request made which run, for requests that carry an id. */
export async function writeRequests(
  tx: GroupTransaction,
  newRuns: readonly (NewRun & { creation: Creation })[],
): Promise<void> {
  const rows = newRuns.flatMap(({ runKey, creation: { workspace, requestId } }) =>
    requestId === undefined ? [] : [[workspace.workspaceId, requestId, runKey]],
  );
  if (rows.length > 0) await tx.write(insertRequests, rows);
}

/** Writes accepted params and tags, those of new runs too, and the names that tags give to runs. */
export async function writeTexts(
  tx: GroupTransaction,
  batches: readonly { batch: Batch; run: RunHandle }[],
  newRuns: readonly (NewRun & { creation: Creation })[],
): Promise<void> {
  // One row a key: the last value of a key wins, and a set statement may touch a row once only.
  const params = new Map<string, ColumnValue[]>();
  const tags = new Map<string, ColumnValue[]>();
  const names = new Map<number, ColumnValue[]>();
  for (const { runKey, creation } of newRuns) {
    for (const { key, value } of creation.tags) {
      tags.set(paramName(runKey, key), [creation.workspace.workspaceId, runKey, key, value]);
    }
  }
  for (const { batch, run } of batches) {
    const { workspaceId } = batch.workspace;
    for (const { key, value } of batch.params) {
      params.set(paramName(run.runKey, key), [workspaceId, run.runKey, key, value]);
    }
    for (const { key, value } of batch.tags) {
      tags.set(paramName(run.runKey, key), [workspaceId, run.runKey, key, value]);
      if (key === runNameTag) names.set(run.runKey, [workspaceId, run.runKey, value]);
    }
  }
  if (params.size > 0) await tx.write(insertParams, [...params.values()]);
  if (tags.size > 0) await tx.write(upsertTags, [...tags.values()]);
  if (names.size > 0) await tx.update(renameRuns, [...names.values()]);
}
