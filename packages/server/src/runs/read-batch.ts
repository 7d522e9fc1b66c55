import {
  checkKey,
  checkLength,
  compileReader,
  contract,
  cutToLength,
  invalidParameter,
  limits,
  missing,
  readJson,
  type InputOf,
  type runs,
} from '@lazuli/contract';
import { pythonFloat } from './python-text.ts';
import type { KeyValue, MetricColumns, ModelLink } from './log-members.ts';

/**
 * The reader of log-batch, the hottest body: it packs points into columns while it validates them. What looks plain
 * (MLflow's own spelling, numbers as numbers) is packed straight from the parsed JSON; anything else goes through the
 * schema's reader first, so both accept the same bodies.
 */
export interface ReadBatch {
  readonly runId: string;
  readonly metrics: MetricColumns;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
}

type BatchInput = InputOf<typeof runs.logBatch>;
type MetricInput = NonNullable<BatchInput['metrics']>[number];

const readInput = compileReader(contract.runs.logBatch.input);

export function readBatch(text: string): ReadBatch {
  const { runId, metrics, params, tags } = plainBatch(text) ?? packed(readJson(readInput, text));
  if (runId === undefined || runId === '') throw missing('run_id');
  checkRunIdPattern(runId);
  checkCounts(metrics.keys.length, params.length, tags.length);
  metrics.keys.forEach((key, index) => checkMetric(metrics, key, index));
  return { runId, metrics, params: checkedParams(params), tags: checkedTags(tags, 'tags') };
}

/** *MLflow checks the form of the id for batches and inputs, before it looks for the run.* */
export function checkRunIdPattern(runId: string): void {
  if (/^[a-zA-Z0-9][\w-]{0,255}$/.test(runId)) return;
  throw invalidParameter(`Invalid value ${JSON.stringify(runId)} for parameter 'run_id' supplied.`);
}

interface Unchecked {
  readonly runId: string | undefined;
  readonly metrics: MetricColumns;
  readonly params: readonly { key: string; value?: string }[];
  readonly tags: readonly { key: string; value?: string }[];
}

/** A batch whose points are all in their plain form, or undefined. Params and tags are few: the schema's reader takes them. */
function plainBatch(text: string): Unchecked | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Bare NaN literals, or an error that the schema's reader words.
    return undefined;
  }
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'metrics')) return undefined;
  const { metrics, ...rest } = body as Record<string, unknown>;
  if (!Array.isArray(metrics)) return undefined;
  const columns = plainMetrics(metrics);
  return columns === undefined ? undefined : { ...packed(readInput(rest)), metrics: columns };
}

function plainMetrics(list: readonly unknown[]): MetricColumns | undefined {
  const keys = new Array<string>(list.length);
  const values = new Array<number>(list.length);
  const timestamps = new Array<number>(list.length);
  const steps = new Array<number>(list.length);
  for (let index = 0; index < list.length; index++) {
    const metric = list[index] as Record<string, unknown> | null;
    if (typeof metric !== 'object' || metric === null) return undefined;
    let key: unknown;
    let value: unknown;
    let timestamp: unknown;
    let step: unknown = 0;
    for (const name in metric) {
      switch (name) {
        case 'key':
          key = metric[name];
          break;
        case 'value':
          value = metric[name];
          break;
        case 'timestamp':
          timestamp = metric[name];
          break;
        case 'step':
          step = metric[name];
          break;
        // *Python clients repeat the run in each metric.*
        case 'run_id':
          if (typeof metric[name] !== 'string') return undefined;
          break;
        default:
          return undefined;
      }
    }
    if (typeof key !== 'string' || key === '' || typeof value !== 'number') return undefined;
    if (!Number.isSafeInteger(timestamp) || !Number.isSafeInteger(step)) return undefined;
    keys[index] = key;
    values[index] = value;
    timestamps[index] = timestamp as number;
    steps[index] = step as number;
  }
  return clamped({ keys, values, timestamps, steps });
}

function packed({ run_id, metrics = [], params = [], tags = [] }: BatchInput): Unchecked {
  return { runId: run_id, metrics: packMetrics(metrics), params, tags };
}

export function packMetrics(metrics: readonly MetricInput[]): MetricColumns {
  const links = metrics.flatMap(linkOf);
  const columns = clamped({
    keys: metrics.map(({ key }) => key),
    values: metrics.map(({ value }) => value),
    timestamps: metrics.map(({ timestamp }) => timestamp),
    steps: metrics.map(({ step = 0 }) => step),
  });
  return links.length === 0 ? columns : { ...columns, links };
}

/** *MLflow: a dataset is named by both, and without a model it is not looked at.* */
function linkOf(
  { model_id: modelId = '', dataset_name: datasetName = '', dataset_digest: datasetDigest = '' }: MetricInput,
  index: number,
): ModelLink[] {
  if ((datasetName === '') !== (datasetDigest === '')) {
    throw invalidParameter('Both dataset_name and dataset_digest must be provided if one is provided');
  }
  if (modelId === '') return [];
  checkLength('dataset_name', datasetName, limits.datasetName);
  checkLength('dataset_digest', datasetDigest, limits.datasetDigest);
  return [{ index, modelId, datasetName, datasetDigest }];
}

/** *MLflow stores an infinity as the largest double of its sign.* */
function clamped(columns: MetricColumns & { values: number[] }): MetricColumns {
  const { values } = columns;
  for (let index = 0; index < values.length; index++) {
    if (values[index] === Infinity) values[index] = Number.MAX_VALUE;
    else if (values[index] === -Infinity) values[index] = -Number.MAX_VALUE;
  }
  return columns;
}

function checkMetric({ values, timestamps }: MetricColumns, key: string, index: number): void {
  checkMetricKey(`metrics[${index}].name`, key);
  checkTimestamp(`metrics[${index}].timestamp`, key, values[index] ?? NaN, timestamps[index] ?? 0);
}

export function checkMetricKey(parameter: string, key: string): void {
  checkKey(parameter, key);
  checkLength('Metric name', key, limits.key);
}

export function checkTimestamp(parameter: string, key: string, value: number, timestamp: number | bigint): void {
  if (timestamp >= 0) return;
  throw invalidParameter(
    `Invalid value ${timestamp} for parameter '${parameter}' supplied: metric '${key}' (value=${pythonFloat(value)}). Timestamp must be a nonnegative long (64-bit integer) `,
  );
}

function checkCounts(metrics: number, params: number, tags: number): void {
  for (const [kind, count, limit] of [
    ['metrics', metrics, limits.batchMetrics],
    ['params', params, limits.batchParams],
    ['tags', tags, limits.batchTags],
    ['metrics, params, and tags', metrics + params + tags, limits.batchTotal],
  ] as const) {
    if (count > limit) {
      throw invalidParameter(
        `A batch logging request can contain at most ${limit} ${kind}. Got ${count} ${kind}. Please split up ${kind} across multiple requests and try again.`,
      );
    }
  }
}

function checkedParams(params: readonly { key: string; value?: string }[]): KeyValue[] {
  const checked = params.map(({ key, value = '' }, index) => checkedParam(`params[${index}].key`, key, value));
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { key } of params) (seen.has(key) ? repeated : seen).add(key);
  if (repeated.size > 0) {
    const keys = [...repeated].map((key) => `'${key}'`).join(', ');
    throw invalidParameter(
      `Duplicate parameter keys have been submitted: [${keys}]. Please ensure the request contains only one param value per param key.`,
    );
  }
  return checked;
}

export function checkedParam(parameter: string, key: string, value: string): KeyValue {
  checkKey(parameter, key);
  checkLength('Param key', key, limits.key);
  return { key, value: cutToLength(value, limits.paramValue) };
}

export function checkedTags(tags: readonly { key: string; value?: string }[], list: string): KeyValue[] {
  return tags.map(({ key, value = '' }, index) => checkedTag(`${list}[${index}].key`, key, value));
}

export function checkedTag(parameter: string, key: string, value: string): KeyValue {
  checkKey(parameter, key);
  checkLength(parameter, key, limits.key);
  return { key, value: cutToLength(value, limits.runTagValue) };
}
