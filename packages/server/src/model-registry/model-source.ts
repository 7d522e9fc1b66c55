import { invalidParameter, MlflowError } from '@lazuli/contract';
import { describeLocation, joinLocation, splitUri } from '../artifact-store/artifact-location.ts';
import { decodeLayer, folderPath, segmentsOf } from '../artifact-store/artifact-path.ts';
import { localUpload, readAzureLocation, type OwnedPath } from '../artifact-store/azureml-location.ts';

/**
 * Sources: where the files of a version come from, as the caller says. The server opens none of them here, but clients and
 * the artifact routes follow them later; so a source may only name what its run or logged model holds, another version,
 * or a place that clients reach by themselves. Published attacks came in through each of the other forms.
 */
export interface Origins {
  /** The artifact folder of a run, or undefined where there is no such run. */
  readonly findRun: (runId: string) => Promise<{ readonly artifactUri: string } | undefined>;
  readonly findLoggedModel: (
    modelId: string,
  ) => Promise<{ readonly artifactUri: string; readonly sourceRunId?: string | undefined } | undefined>;
  /** The version that `models:/name/…` names; throws where there is none. */
  readonly resolveVersion: (
    reference: VersionReference,
  ) => Promise<{ name: string; version: number; storageLocation: string; runId: string; modelId: string | null }>;
}

export interface VersionReference {
  readonly name: string;
  readonly by: 'version' | 'alias' | 'stage';
  readonly value: string;
  /** As the caller wrote it, for messages. */
  readonly source: string;
}

export interface GivenSource {
  readonly source: string;
  readonly runId: string | undefined;
  readonly modelId: string | undefined;
}

export interface CheckedSource {
  readonly source: string;
  readonly storageLocation: string;
  readonly runId: string;
  readonly modelId: string | null;
}

/** *MLflow: schemes whose URIs name a host that the server would have to connect to.* */
const hostSchemes = new Set(['http', 'https', 'ftp', 'ftps', 'sftp', 'hdfs', 'viewfs', 'abfss', 'r2', 'b2']);

/** *MLflow: what a version of a prompt has instead of files.* */
const promptSources = new Set(['dummy-source', 'prompt-template']);

export function checkPromptSource(source: string): void {
  if (promptSources.has(source)) return;
  throw invalidParameter(`Invalid prompt source: '${source}'. Prompt sources must use an MLflow placeholder.`);
}

/** The source as it is stored, or an error that says which rule it breaks. */
export async function checkSource(given: GivenSource, origins: Origins): Promise<CheckedSource> {
  const { source } = given;
  const { scheme, authority } = splitUri(source);
  // An empty id is none.
  const runId = given.runId === '' ? undefined : given.runId;
  const modelId = given.modelId === '' ? undefined : given.modelId;
  if (scheme !== undefined) refuseForeignHost(scheme, authority);
  if (scheme === 'models') {
    if (authority) {
      throw invalidParameter(
        `Invalid model version source: '${source}'. Registered model sources must use the active model registry.`,
      );
    }
    const reference = readReference(source);
    if (reference !== undefined) return versionSource(reference, given, origins);
  }
  if (scheme === 'azureml') {
    const named = readAzureLocation(source);
    if (named !== undefined) return azureSource(named, { source, runId, modelId }, origins);
  }
  const place = { source, runId, modelId };
  if (isLocal(scheme)) await requireInside('local', place, origins);
  else if (scheme === 'models') requireLoggedModel(place);
  else {
    refuseRelative(source);
    if (scheme === 'runs') await requireRun(place, authority, origins);
    else if (scheme === 'mlflow-artifacts') await requireInside('proxied', place, origins);
  }
  const model = modelId === undefined ? undefined : await origins.findLoggedModel(modelId);
  if (modelId !== undefined && model === undefined) {
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `Logged model with ID '${modelId}' not found.`);
  }
  return {
    source,
    storageLocation: scheme === 'models' && model !== undefined ? model.artifactUri : source,
    runId: runId ?? model?.sourceRunId ?? '',
    modelId: modelId ?? null,
  };
}

/**
 * What clients of `azureml://` give back of the locations that they were told: the files of a run or a logged model of this
 * workspace, or an upload of its own. The version keeps the location by which plain clients find the same files.
 */
async function azureSource(
  named: OwnedPath | { readonly proxied: string },
  { source, runId, modelId }: GivenSource,
  origins: Origins,
): Promise<CheckedSource> {
  const given = { runId: runId ?? '', modelId: modelId ?? null };
  if ('proxied' in named) {
    const storageLocation = joinLocation('mlflow-artifacts:', ...encodedSegments(named.proxied));
    const isUpload = named.proxied.startsWith(`${localUpload}/`);
    if (!isUpload) await requireInside('proxied', { source: storageLocation, runId, modelId }, origins);
    return { source, storageLocation, ...given };
  }
  const { ownerId, path } = named;
  const isModel = ownerId.startsWith('m-');
  const owner: { artifactUri: string; sourceRunId?: string | undefined } | undefined = isModel
    ? await origins.findLoggedModel(ownerId)
    : await origins.findRun(ownerId);
  if (owner === undefined) {
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `The source '${source}' names a run or model that is not there.`);
  }
  const storageLocation = path === '' ? owner.artifactUri : below(owner.artifactUri, path);
  return isModel
    ? { source, storageLocation, runId: runId ?? owner.sourceRunId ?? '', modelId: modelId ?? ownerId }
    : { source, storageLocation, ...given, runId: runId ?? ownerId };
}

/** Percent signs mean something in the locations of the proxy and in `file:`; in those of object stores a name stands as it is. */
function below(location: string, path: string): string {
  const isDecoded = ['mlflow-artifacts', 'file'].includes(splitUri(location).scheme ?? '');
  return joinLocation(location, ...(isDecoded ? encodedSegments(path) : segmentsOf(folderPath(path))));
}

function encodedSegments(path: string): string[] {
  return segmentsOf(folderPath(path)).map(encodeURIComponent);
}

/** *MLflow: a version that is made from another one has its run and its logged model.* */
async function versionSource(
  reference: VersionReference,
  given: GivenSource,
  origins: Origins,
): Promise<CheckedSource> {
  const of = await origins.resolveVersion(reference);
  const differs =
    (given.runId !== undefined && given.runId !== of.runId) ||
    (given.modelId !== undefined && given.modelId !== (of.modelId ?? ''));
  if (differs) {
    throw invalidParameter(
      `Invalid model version source: '${given.source}'. The run_id and model_id request parameters must match the referenced model version.`,
    );
  }
  return {
    source: `models:/${of.name}/${of.version}`,
    storageLocation: of.storageLocation,
    runId: of.runId,
    modelId: of.modelId,
  };
}

/** What `models:/…` names: a version, or undefined for what can only be a logged model. */
function readReference(source: string): VersionReference | undefined {
  const parts = splitUri(source).path.replace(/^\/+/, '').split('/');
  const [first = '', second] = parts;
  if (parts.length === 2 && first !== '' && second !== undefined && second !== '') {
    const by = /^\d+$/.test(second) ? 'version' : second.toLowerCase() === 'latest' ? 'alias' : 'stage';
    return { name: first, by, value: second, source };
  }
  const at = first.lastIndexOf('@');
  if (parts.length === 1 && at > 0 && at < first.length - 1) {
    return { name: first.slice(0, at), by: 'alias', value: first.slice(at + 1), source };
  }
  return undefined;
}

function refuseForeignHost(scheme: string, authority: string | undefined): void {
  const isForeign = hostSchemes.has(scheme) || (scheme === 'mlflow-artifacts' && Boolean(authority));
  if (!isForeign) return;
  throw invalidParameter(
    `'source' cannot use the '${scheme}' scheme: the '${scheme}' scheme addresses a host other than the tracking server's ` +
      `configured artifact storage, so the server would connect to the host named in the URI.`,
  );
}

/** A single letter is a Windows drive, which means nothing on this server. */
function isLocal(scheme: string | undefined): boolean {
  return scheme === undefined || scheme === 'file' || scheme.length === 1;
}

const maxLayers = 8;

/** Refuses what is, or would be after any number of decodings, another path than it says. */
function refuseRelative(source: string): void {
  let layer = source;
  for (let count = 0; ; count += 1) {
    if (!isPlain(layer)) throw relativeSource(source);
    const next = decodeLayer(layer);
    if (next === layer) return;
    if (count === maxLayers) throw relativeSource(source);
    layer = next;
  }
}

function isPlain(layer: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(layer)) return false;
  if (layer.split(/[/\\]/).includes('..')) return false;
  const { path } = splitUri(layer);
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.startsWith('/') && !trimmed.split('/').includes('.');
}

function relativeSource(source: string): MlflowError {
  return invalidParameter(
    `Invalid model version source: '${source}'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.`,
  );
}

function unidentified(source: string, parameter: 'run_id' | 'model_id'): MlflowError {
  return invalidParameter(
    `Invalid model version source: '${source}'. The ${parameter} request parameter must identify the resource that contains the source.`,
  );
}

/** A run that is gone for good gets no new versions: what is collected is what nothing leads to, and stays so. */
async function requireRun(
  { source, runId, modelId }: GivenSource,
  authority: string | undefined,
  { findRun }: Origins,
): Promise<void> {
  if (modelId !== undefined) throw unidentified(source, 'model_id');
  const [named] = splitUri(source).path.replace(/^\/+/, '').split('/');
  const isNamed = !authority && runId !== undefined && named === runId;
  if (!isNamed || (await findRun(runId)) === undefined) throw unidentified(source, 'run_id');
}

function requireLoggedModel({ source, modelId }: GivenSource): void {
  const named = splitUri(source).path.replace(/^\/+/, '');
  if (modelId === undefined || named !== modelId) throw unidentified(source, 'model_id');
}

/** Requires that a source lies in the artifacts of the logged model or, where none is named, of the run. */
async function requireInside(
  kind: 'local' | 'proxied',
  { source, runId, modelId }: GivenSource,
  origins: Origins,
): Promise<void> {
  const parameter = modelId === undefined ? 'run_id' : 'model_id';
  const owner =
    modelId !== undefined
      ? await origins.findLoggedModel(modelId)
      : runId === undefined
        ? undefined
        : await origins.findRun(runId);
  if (owner !== undefined && isInside(kind, source, owner.artifactUri)) return;
  if (kind === 'proxied') throw unidentified(source, parameter);
  throw invalidParameter(
    `Invalid model version source: '${source}'. To use a local path as a model version source, the ${parameter} request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the ${parameter}.`,
  );
}

function isInside(kind: 'local' | 'proxied', source: string, root: string): boolean {
  const { scheme, authority, path, tail } = splitUri(source);
  if (kind === 'local' && (authority || tail !== '' || scheme?.length === 1)) return false;
  try {
    refuseRelative(kind === 'local' ? `file:${path}` : source);
    const inner = describeLocation(source);
    const outer = describeLocation(root);
    if (inner.kind !== kind || outer.kind !== kind) return false;
    const [folder, place] = [segments(outer.path), segments(inner.path)];
    return folder.length > 0 && folder.every((segment, index) => place[index] === segment);
  } catch (error) {
    // A location that cannot be read is inside of nothing.
    if (error instanceof MlflowError) return false;
    throw error;
  }
}

function segments(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}
