import { asciiJson } from './ascii-json.ts';
import { invalidParameter } from './errors.ts';

/** Limits of MLflow 3.17 (mlflow/utils/validation.py): lengths in Unicode code points, counts in items of one request. */
export const limits = {
  key: 250,
  paramValue: 6_000,
  runTagValue: 8_000,
  experimentName: 500,
  experimentTagValue: 20_000,
  batchMetrics: 1_000,
  batchParams: 100,
  batchTags: 100,
  batchTotal: 1_000,
  datasetName: 500,
  datasetDigest: 36,
  datasetSource: 65_535,
  datasetSchema: 1_048_575,
  datasetProfile: 16_777_215,
  inputTagKey: 255,
  inputTagValue: 500,
  searchResults: 50_000,
  bulkRuns: 100,
  bulkPoints: 25_000,
  intervalPoints: 2_500,
  searchDatasetExperiments: 20,
  searchDatasetSummaries: 1_000,
  artifactLocation: 2_048,
  loggedModelName: 500,
  loggedModelType: 500,
  loggedModelText: 100_000,
  loggedModelTexts: 1_000,
  logModelHistory: 1_000_000,
  modelName: 256,
  modelTagValue: 100_000,
  modelAlias: 255,
  searchRegisteredModels: 1_000,
  searchModelVersions: 200_000,
  registryChanges: 1_000,
} as const;

/** Refuses a text of more than `limit` code points. `parameter` is how the message names it. */
export function checkLength(parameter: string, value: string, limit: number): void {
  if (isLonger(value, limit)) {
    throw invalidParameter(`'${parameter}' exceeds the maximum length of ${limit} characters`);
  }
}

/** *MLflow cuts long param and tag values by default instead of refusing them (MLFLOW_TRUNCATE_LONG_VALUES).* */
export function cutToLength(value: string, limit: number): string {
  return isLonger(value, limit)
    ? Array.from(value.slice(0, 2 * limit))
        .slice(0, limit)
        .join('')
    : value;
}

function isLonger(value: string, limit: number): boolean {
  // A code point has one or two UTF-16 units, so most texts need no counting.
  if (value.length <= limit) return false;
  if (value.length > 2 * limit) return true;
  let points = 0;
  for (const _ of value) points++;
  return points > limit;
}

/**
 * Refuses a key of a metric, param or tag that has other characters than MLflow allows, or that would name another path
 * than it says: keys have been file names. `parameter` is how the message names the field.
 */
export function checkKey(parameter: string, key: string): void {
  // Most keys have neither a dot nor a slash, so they cannot be a path in another spelling.
  if (/^[A-Za-z0-9_:-][A-Za-z0-9_: -]*$/.test(key)) return;
  if (!/^[\p{L}\p{N}_/.\-: ]*$/u.test(key)) {
    throw invalidParameter(
      `Invalid value ${asciiJson(key)} for parameter '${parameter}' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
    );
  }
  const path = normalizedPath(key);
  if (path !== key || path === '.' || path === '..' || path.startsWith('../') || path.startsWith('/')) {
    throw invalidParameter(
      `Invalid value ${asciiJson(key)} for parameter '${parameter}' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '${path}'`,
    );
  }
}

/** Refuses tags of one request of which two have the same key: which one counts would be chance. */
export function checkDistinctKeys(tags: readonly { readonly key: string }[]): void {
  const seen = new Set<string>();
  for (const { key } of tags) {
    if (seen.has(key))
      throw invalidParameter(`Duplicate tag keys have been submitted: ['${key}']. Give each key once.`);
    seen.add(key);
  }
}

/** The POSIX path that a text stands for: without empty, `.` and inner `..` segments. */
function normalizedPath(text: string): string {
  const segments: string[] = [];
  for (const segment of text.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..' && segments.length > 0 && segments.at(-1) !== '..') segments.pop();
    else segments.push(segment);
  }
  const path = (text.startsWith('/') ? '/' : '') + segments.join('/');
  return path === '' ? '.' : path;
}
