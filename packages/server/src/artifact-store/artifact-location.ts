import { posix } from 'node:path';
import { invalidParameter, limits } from '@lazuli/contract';
import { asClientsWriteIt } from '../settings/store-location.ts';
import { checkLayer, decodeLayer, folderPath, type ArtifactPath } from './artifact-path.ts';

/**
 * Locations: the URIs and local paths under which experiments and runs keep their artifacts.
 *
 * A client may name any location when it creates an experiment, because clients write to `s3:` or a shared disk
 * themselves. The server stores the text and opens none of it: only `mlflow-artifacts:` leads to files that it serves,
 * and the roots that its operator has configured. Nothing in this file touches a disk or a network.
 */
export type ArtifactLocation =
  /** Served by this server, below the workspace's own folder. */
  | { readonly kind: 'proxied'; readonly path: ArtifactPath }
  /** A folder of the machine, as an absolute path. */
  | { readonly kind: 'local'; readonly path: string }
  /** A place that clients reach without the server. */
  | { readonly kind: 'remote'; readonly scheme: string };

const maxLength = limits.artifactLocation;

/** *MLflow: schemes whose URIs name a host that the server would have to connect to.* */
const hostSchemes = new Set(['http', 'https', 'ftp', 'ftps', 'sftp', 'hdfs', 'viewfs', 'abfs', 'abfss', 'r2', 'b2']);

export interface LocationRules {
  /** Where relative paths start; *MLflow resolves them on the server*. */
  readonly workingDirectory: string;
  /** `host` or `host:port` that stand for this server in `mlflow-artifacts://host/…`. */
  readonly ownHosts: readonly string[];
  /** Whether a location lies where the operator lets the server go: the host that it names is then no stranger. */
  readonly isInRoot?: (location: string) => boolean;
}

/** The location to store for the `artifact_location` that a client gave. */
export function checkLocation(given: string, rules: LocationRules): string {
  if (given.length > maxLength) throw tooLong();
  if (!given.isWellFormed() || given.trim() !== given) throw invalidLocation('it is not a path or a URI');
  const uri = splitUri(given);
  let layer = given;
  for (let count = 0; ; count += 1) {
    checkCharacters(layer);
    const next = decodeLayer(layer);
    if (next === layer) break;
    if (count === 8) throw invalidLocation('it is percent-encoded too many times');
    layer = next;
  }
  if (uri.scheme === 'runs') throw invalidParameter(`Artifact location cannot be a runs:/ URI. Given: '${given}'`);
  if (uri.scheme?.length === 1) throw invalidLocation('a Windows path means nothing on this server');
  if (rules.isInRoot?.(given) !== true) checkHost(uri, rules.ownHosts);
  const resolved = asClientsWriteIt(resolveRelative(given, uri, rules.workingDirectory));
  if (resolved.length > maxLength) throw tooLong();
  // What cannot be read back later is refused now, while there is somebody to tell.
  describeLocation(runArtifactUri(resolved, 'run'));
  return resolved;
}

/** Tells what a stored location or artifact URI is. */
export function describeLocation(location: string): ArtifactLocation {
  const { scheme, path } = splitUri(location);
  if (scheme === undefined) return { kind: 'local', path: posix.normalize(location) };
  if (scheme === 'file') return { kind: 'local', path: posix.normalize(decodedOnce(path)) };
  if (scheme === 'mlflow-artifacts') {
    return { kind: 'proxied', path: folderPath(decodedOnce(path).replace(/^\/+/, '')) };
  }
  return { kind: 'remote', scheme };
}

/**
 * Where an experiment lies whose creator named no location. Experiment ids repeat between workspaces, so a root that
 * several share carries the workspace's GUID; the proxy puts it in by itself.
 */
export function experimentLocation(root: string, workspaceGuid: string, experimentId: string): string {
  const isProxied = splitUri(root).scheme === 'mlflow-artifacts';
  return isProxied ? joinLocation(root, experimentId) : joinLocation(root, workspaceGuid, experimentId);
}

/** *MLflow: the artifacts of a run lie in `<location>/<run id>/artifacts`.* */
export function runArtifactUri(location: string, runId: string): string {
  return joinLocation(location, runId, 'artifacts');
}

/** The folder that a run or a logged model has to itself, where its artifact URI is one that was made here. */
export function ownFolder(artifactUri: string, id: string): string {
  const { head, path, tail } = splitUri(artifactUri);
  return path.endsWith(`/${id}/artifacts`) ? `${head}${path.slice(0, -'/artifacts'.length)}${tail}` : artifactUri;
}

/** Appends segments to the path of a location, in front of its query. */
export function joinLocation(location: string, ...segments: readonly string[]): string {
  const { head, path, tail } = splitUri(location);
  return `${head}${path.replace(/\/+$/, '')}/${segments.join('/')}${tail}`;
}

export interface SplitUri {
  /** In lower case; undefined for a plain path. */
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  /** The scheme and the authority as they were written. */
  readonly head: string;
  readonly path: string;
  /** From the `?` on; a plain path has none. */
  readonly tail: string;
}

/** Splits without normalising anything: a parser that tidies up would hide what is looked for. */
export function splitUri(text: string): SplitUri {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):(\/\/([^/?#]*))?([^?]*)(.*)$/s.exec(text);
  if (match === null) return { scheme: undefined, authority: undefined, head: '', path: text, tail: '' };
  const [, scheme = '', slashes = '', authority, path = '', tail = ''] = match;
  return { scheme: scheme.toLowerCase(), authority, head: `${scheme}:${slashes}`, path, tail };
}

/** Rules that hold for every text that the location could be decoded to. */
function checkCharacters(layer: string): void {
  const { path, tail } = splitUri(layer);
  if (/[#;]/.test(layer)) {
    throw invalidParameter("'artifact_location' URL can't include fragments or params.");
  }
  if (tail.includes('..')) throw invalidParameter('Invalid query string');
  if (layer.split(/[/?]/).includes('..')) throw invalidLocation("it contains a '..' segment");
  if (path.startsWith('//')) throw invalidLocation('its path starts with two slashes');
  // A path may be absolute here; what follows the first slash has to be a name like any other.
  checkLayer(path.replace(/^\//, ''));
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(layer)) throw invalidLocation('it contains a control character or a backslash');
}

function checkHost({ scheme, authority }: SplitUri, ownHosts: readonly string[]): void {
  if (scheme === undefined) return;
  const isOwn = scheme === 'mlflow-artifacts' && (!authority || ownHosts.includes(authority.toLowerCase()));
  if (hostSchemes.has(scheme) || (scheme === 'mlflow-artifacts' && !isOwn)) {
    throw invalidParameter(
      `'artifact_location' cannot use the '${scheme}' scheme: the '${scheme}' scheme addresses a host other than the ` +
        `tracking server's configured artifact storage, so the server would connect to the host named in the URI.`,
    );
  }
  if (scheme === 'file' && authority) {
    throw invalidLocation(`a file: location names a path of this machine, not the host '${authority}'`);
  }
}

function resolveRelative(given: string, { scheme, path, tail }: SplitUri, workingDirectory: string): string {
  if (path.startsWith('/')) return given;
  if (scheme === undefined) return posix.join(workingDirectory, given);
  if (scheme === 'file') return `file://${encodeURI(workingDirectory)}/${path}${tail}`;
  return given;
}

/** *Clients put the path of an `mlflow-artifacts:` URI into the address of a request, where it is decoded once.* */
function decodedOnce(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function tooLong(): Error {
  return invalidParameter(
    `Invalid artifact path length. The length of the artifact path cannot be greater than ${maxLength} characters.`,
  );
}

function invalidLocation(rule: string): Error {
  return invalidParameter(`Invalid artifact location: ${rule}`);
}
