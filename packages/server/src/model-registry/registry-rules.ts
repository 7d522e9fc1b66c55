import { checkKey, checkLength, invalidParameter, limits, MlflowError, parseInt64 } from '@lazuli/contract';
import { decodeLayer } from '../artifact-store/artifact-path.ts';

/** What names, aliases, stages and version numbers may be. */

/** *MLflow's tag that makes a registered model a prompt.* */
export const promptTag = 'mlflow.prompt.is_prompt';

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export function checkModelName(name: string): void {
  if (name.trim() === '') {
    throw invalidParameter("Missing value for required parameter 'name'.");
  }
  if (/[/:]/.test(name)) throw invalidParameter(`Invalid model name '${name}'. Names cannot contain '/' or ':'.`);
  if (name === '.' || name === '..') {
    throw invalidParameter(
      `Invalid value "${name}" for parameter 'name' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '${name}'`,
    );
  }
  refuseTwins(name);
  checkLength('name', name, limits.modelName);
}

/** *Published attack: the encoded twin of a name stood for another model wherever somebody decoded it once more.* */
function refuseTwins(name: string): void {
  let layer = name;
  for (let next = decodeLayer(layer); next !== layer; next = decodeLayer(layer)) {
    layer = next;
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    if (/[/:\u0000-\u001f\u007f]/.test(layer) || layer === '.' || layer === '..') {
      throw invalidParameter(`Invalid model name '${name}'. Names cannot contain '/' or ':', percent-encoded either.`);
    }
  }
}

/** Tags of a new model or version. *MLflow: of two with one key the last counts.* */
export function checkTags(tags: readonly { readonly key?: string; readonly value?: string }[]): Tag[] {
  const checked = new Map<string, string>();
  for (const { key = '', value = '' } of tags) {
    checkTag(key, value);
    checked.set(key, value);
  }
  return Array.from(checked, ([key, value]) => ({ key, value }));
}

export function checkTag(key: string, value: string): void {
  checkTagKey(key);
  checkLength('value', value, limits.modelTagValue);
}

export function checkTagKey(key: string): void {
  checkKey('key', key);
  checkLength('key', key, limits.key);
}

export function isPrompt(tags: readonly Tag[]): boolean {
  return tags.some(({ key, value }) => key === promptTag && value.toLowerCase() === 'true');
}

/** The shape of an alias, also of one that is only looked for. */
export function checkAliasShape(alias: string): void {
  if (!/^[\p{L}\p{N}_-]+$/u.test(alias)) {
    throw invalidParameter(
      `Invalid alias name: '${alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`,
    );
  }
  checkLength('Registered model alias name', alias, limits.modelAlias);
}

export function checkAlias(alias: string): void {
  checkAliasShape(alias);
  if (isLatest(alias)) throw invalidParameter("'latest' alias name (case insensitive) is reserved.");
  if (/^v\d+$/i.test(alias)) throw invalidParameter(`Version alias name '${alias}' is reserved.`);
}

/** *MLflow: this alias always names the version with the highest number.* */
export function isLatest(alias: string): boolean {
  return alias.toLowerCase() === 'latest';
}

export const stages = ['None', 'Staging', 'Production', 'Archived'] as const;
export type Stage = (typeof stages)[number];

/** The stage as it is stored; callers may spell it in any case. */
export function readStage(given: string): Stage {
  const stage = stages.find((each) => each.toLowerCase() === given.toLowerCase());
  if (stage === undefined) {
    throw invalidParameter(`Invalid Model Version stage: ${given}. Value must be one of ${stages.join(', ')}.`);
  }
  return stage;
}

/** *MLflow: only where versions are in use are others put away for a new one; it answers 500 with this message.* */
export function requireArchivable(given: string): void {
  if (/^(?:staging|production)$/i.test(given)) return;
  throw invalidParameter(
    `Model version transition cannot archive existing model versions because '${given}' is not an Active stage. Valid stages are ['Staging', 'Production']`,
  );
}

/** The number of a version. *MLflow reads it as Python does, so that blanks and signs do not count.* */
export function readVersion(given: string): number | undefined {
  const digits = /^\s*([+-]?\d+)\s*$/.exec(given)?.[1];
  if (digits === undefined) throw invalidParameter(`Parameter 'version' must be an integer, got '${given}'.`);
  const version = parseInt64(digits.replace(/^\+/, ''));
  return typeof version === 'number' ? version : undefined;
}

/** The size of a page, between 1 and `limit`. */
export function readMaxResults(given: number | bigint, limit: number): number {
  const count = Number(given);
  if (count <= 0) {
    throw invalidParameter(`Invalid value for max_results. It must be a positive integer, but got ${count}`);
  }
  if (count > limit) {
    throw invalidParameter(`Invalid value ${count} for parameter 'max_results' supplied. It must be at most ${limit}`);
  }
  return count;
}

export function noSuchModel(name: string): MlflowError {
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `Registered Model with name=${name} not found`);
}

export function noSuchVersion(name: string, version: string | number): MlflowError {
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `Model Version (name=${name}, version=${version}) not found`);
}

export function noSuchAlias(alias: string): MlflowError {
  return invalidParameter(`Registered model alias ${alias} not found.`);
}

/** *MLflow tells a model and a prompt of one name apart in words.* */
export function nameTaken(name: string, { asked, holder }: { asked: 'model' | 'prompt'; holder: 'model' | 'prompt' }) {
  const nameOf = { model: 'registered model', prompt: 'prompt' };
  if (asked === holder) {
    const shown = asked === 'prompt' ? 'Prompt' : 'Registered Model';
    return new MlflowError('RESOURCE_ALREADY_EXISTS', `${shown} (name=${name}) already exists.`);
  }
  return new MlflowError(
    'RESOURCE_ALREADY_EXISTS',
    `Tried to create a ${nameOf[asked]} with name '${name}', but the name is already taken by a ${nameOf[holder]}. MLflow does not allow creating a model and a prompt with the same name.`,
  );
}
