import type { Kind, Twins } from './twins.ts';

/** The input of a call, told in the ids of the secondary store. */
export type Input = Readonly<Record<string, unknown>>;

const idFields: Readonly<Record<string, Kind>> = {
  run_id: 'run',
  run_uuid: 'run',
  source_run_id: 'run',
  experiment_id: 'experiment',
  model_id: 'model',
};

export async function translated(input: Input, twins: Twins): Promise<Input> {
  const entries = await Promise.all(
    Object.entries(input)
      .filter(([field, value]) => field !== 'model_id' || twins.fileModel(value) === undefined)
      .map(async ([field, value]) => [field, await translatedField(field, value, twins)] as const),
  );
  return withParent(Object.fromEntries(entries), twins);
}

async function translatedField(field: string, value: unknown, twins: Twins): Promise<unknown> {
  const kind = idFields[field];
  if (kind !== undefined && typeof value === 'string' && value !== '') return await twins.of(kind, value);
  if (field === 'models' && Array.isArray(value)) {
    const linked = (value as Input[]).filter(({ model_id }) => twins.fileModel(model_id) === undefined);
    return await Promise.all(linked.map((item) => translated(item, twins)));
  }
  if (field === 'metrics' && Array.isArray(value))
    return await Promise.all(value.map((item: Input) => translated(item, twins)));
  if (field === 'tags' && Array.isArray(value))
    return await Promise.all(value.map((item: Input) => withParent(item, twins)));
  if (field === 'model_json' && typeof value === 'string') return await translatedModel(value, twins);
  if (field === 'source' && typeof value === 'string') return await translatedSource(value, twins);
  return value;
}

/** *MLflow: a nested run names its parent in a tag.* */
async function withParent(item: Input, twins: Twins): Promise<Input> {
  const { key, value } = item;
  if (key !== 'mlflow.parentRunId' || typeof value !== 'string') return item;
  return { ...item, value: await twins.of('run', value) };
}

/** *MLflow before 3: the description of a logged model, whose `run_id` is its run.* */
async function translatedModel(text: string, twins: Twins): Promise<string> {
  const model = JSON.parse(text) as { run_id?: unknown };
  if (typeof model.run_id !== 'string') return text;
  return JSON.stringify({ ...model, run_id: await twins.of('run', model.run_id) });
}

/** Where a model version comes from: `runs:/{run}/{path}` or `models:/{model id}`. */
async function translatedSource(source: string, twins: Twins): Promise<string> {
  const [, run, path = ''] = /^runs:\/+([^/]+)(.*)$/.exec(source) ?? [];
  if (run !== undefined) return `runs:/${await twins.of('run', run)}${path}`;
  const model = /^models:\/+(m-[0-9a-f]+)$/.exec(source)?.[1];
  const place = twins.fileModel(model);
  if (place !== undefined) return `runs:/${await twins.of('run', place.runId)}/${place.name}`;
  if (model !== undefined) return `models:/${await twins.of('model', model)}`;
  return await twins.locationOf(source);
}
