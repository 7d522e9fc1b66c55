import { checkKey, checkLength, invalidParameter, limits, type Int64 } from '@lazuli/contract';

/** One thing to log to a run. */
export type LogEntry =
  | ({ readonly kind: 'metric' } & MetricPoint)
  | { readonly kind: 'param'; readonly key: string; readonly value: string }
  | { readonly kind: 'tag'; readonly key: string; readonly value: string };

export interface MetricPoint {
  readonly key: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly timestamp: Int64;
  readonly step: Int64;
  readonly model_id?: string;
  readonly dataset_name?: string;
  readonly dataset_digest?: string;
}

/** What `log-batch` takes at once, in the order metrics, params, tags. */
export interface LogBatch {
  metrics: MetricPoint[];
  params: { key: string; value: string }[];
  tags: { key: string; value: string }[];
}

/** *MLflow's documented limit of a batch's body is 1 MB.* */
const largestBody = 1_000_000;
/** Names of the fields, numbers and punctuation of an entry. */
const frame = 120;

export function checkEntry(entry: LogEntry): LogEntry {
  if (typeof entry.key !== 'string' || entry.key === '') throw invalidParameter(`A ${entry.kind} needs a name.`);
  checkLength(`${entry.kind} name`, entry.key, limits.key);
  checkKey(`${entry.kind} name`, entry.key);
  if (entry.kind === 'metric') checkPoint(entry);
  return entry;
}

/** What cannot be written to a batch would be found out where nobody waits for it. */
function checkPoint({ key, value, step, timestamp, ...rest }: LogEntry & { readonly kind: 'metric' }): void {
  if (typeof value !== 'number') {
    throw invalidParameter(`The value of the metric '${key}' must be a number, but is '${String(value)}'.`);
  }
  for (const [name, given] of Object.entries({ step, timestamp })) {
    if (typeof given === 'bigint' || Number.isInteger(given)) continue;
    throw invalidParameter(`The ${name} of the metric '${key}' must be an integer, but is '${String(given)}'.`);
  }
  for (const [name, given] of Object.entries(rest)) {
    if (typeof given === 'string') continue;
    throw invalidParameter(`The ${name} of the metric '${key}' must be a text, but is '${String(given)}'.`);
  }
}

/**
 * How many of the entries from `start` on fit into one batch. A key of params or tags comes once in a batch, because
 * servers refuse a second one; so the order of two values of a tag is kept, too.
 */
export function batchLength(entries: readonly LogEntry[], start: number): number {
  const keys = new Set<string>();
  const counts = { metric: 0, param: 0, tag: 0 };
  const most = { metric: limits.batchMetrics, param: limits.batchParams, tag: limits.batchTags };
  let bytes = 0;
  let at = start;
  for (; at < entries.length && at - start < limits.batchTotal; at++) {
    const entry = entries[at];
    if (entry === undefined) break;
    // A character is at most three bytes of UTF-8 for each unit of UTF-16.
    bytes += frame + 3 * (entry.key.length + (entry.kind === 'metric' ? 0 : entry.value.length));
    if (bytes > largestBody && at > start) break;
    if (++counts[entry.kind] > most[entry.kind]) break;
    if (entry.kind === 'metric') continue;
    const name = `${entry.kind} ${entry.key}`;
    if (keys.has(name)) break;
    keys.add(name);
  }
  return at - start;
}

export function batchOf(entries: readonly LogEntry[]): LogBatch {
  const batch: LogBatch = { metrics: [], params: [], tags: [] };
  for (const entry of entries) {
    if (entry.kind === 'metric') {
      const { kind: _, ...point } = entry;
      batch.metrics.push(point);
    } else (entry.kind === 'param' ? batch.params : batch.tags).push({ key: entry.key, value: entry.value });
  }
  return batch;
}
