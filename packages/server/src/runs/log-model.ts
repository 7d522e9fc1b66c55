import { invalidParameter, limits } from '@lazuli/contract';
import type { Transaction } from '../database/engine.ts';
import { lockActiveRun, upsertRunTag } from './run-store.ts';

/**
 * The call by which clients before MLflow 3 tell that a run has logged a model: it adds an entry to a JSON list in a tag of
 * the run. *MLflow keeps five fields of what it is given and makes the time a text.*
 */
export const modelHistoryTag = 'mlflow.log-model.history';

const mandatory = ['artifact_path', 'flavors', 'utc_time_created', 'run_id'] as const;

/** The entry of the history that a model's JSON becomes. */
export function historyEntry(modelJson: string): Record<string, unknown> {
  const model = parsed(modelJson);
  if (typeof model !== 'object' || model === null || Array.isArray(model)) {
    throw invalidParameter(`Malformed model info. \n ${modelJson} \n is not a JSON object.`);
  }
  const fields = model as Record<string, unknown>;
  const missing = mandatory.filter((name) => !Object.hasOwn(fields, name));
  if (missing.length > 0) {
    const names = missing.map((name) => `'${name}'`).join(', ');
    throw invalidParameter(`Model json is missing mandatory fields: {${names}}`);
  }
  const { run_id, artifact_path, utc_time_created, model_uuid = null, flavors } = fields;
  const time = typeof utc_time_created === 'string' ? utc_time_created : JSON.stringify(utc_time_created);
  return { run_id, artifact_path, utc_time_created: time, model_uuid, flavors };
}

export async function addToModelHistory(
  tx: Transaction,
  { workspaceId, runId }: { workspaceId: number; runId: string },
  entry: Record<string, unknown>,
): Promise<void> {
  const run = await lockActiveRun(tx, workspaceId, runId);
  const tag = await tx.db
    .selectFrom('run_tags')
    .select('value')
    .where('workspace_id', '=', workspaceId)
    .where('run_key', '=', run.run_key)
    .where('key', '=', modelHistoryTag)
    .executeTakeFirst();
  const history = tag === undefined ? [] : parsedOrUndefined(tag.value);
  if (!Array.isArray(history)) {
    throw invalidParameter(
      `The tag ${modelHistoryTag} of the run ${runId} is not a JSON list, so nothing can be added.`,
    );
  }
  const value = JSON.stringify([...(history as unknown[]), entry]);
  if (value.length > limits.logModelHistory) {
    throw invalidParameter(
      `The tag ${modelHistoryTag} of the run ${runId} would have ${value.length} characters, more than the ${limits.logModelHistory} allowed.`,
    );
  }
  await upsertRunTag(tx.db, run, modelHistoryTag, value);
}

function parsed(modelJson: string): unknown {
  const value = parsedOrUndefined(modelJson);
  if (value === undefined) throw invalidParameter(`Malformed model info. \n ${modelJson} \n is not a valid JSON.`);
  return value;
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
