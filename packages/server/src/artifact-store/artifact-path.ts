import { invalidParameter, type MlflowError } from '@lazuli/contract';

/**
 * The one checker for every name of a file or folder that a request carries.
 *
 * A name reaches it decoded exactly once (by the router, the query reader or the JSON reader) and is used as it stands:
 * `#`, `?`, `%`, `;`, blanks and any Unicode are ordinary characters of a name. For the check alone the name is decoded
 * again and again, because published attacks hid `..` behind one more layer of percent signs; whatever a later layer
 * would turn into a traversal is refused, although nothing here would decode it.
 *
 * What passes is canonical: segments joined by single slashes, with no empty and no `.` segment, so that one file has one
 * name. *MLflow answers `Invalid path` too, and refuses `#` as well, which is harmless where names never become URLs.*
 */
declare const checked: unique symbol;
export type ArtifactPath = string & { readonly [checked]: true };

/** The folder that everything lies in. */
export const rootPath = '' as ArtifactPath;

/** Characters of a whole name; S3 keys (1024 bytes) and file systems (255 bytes a segment) refuse more on their own. */
const maxLength = 2048;

/** Folders in folders; each one costs a look on the way to the file. */
const maxSegments = 256;

/** A name cannot be wrapped more often than this; one that still changes has no honest reason to. */
const maxLayers = 8;

/** Checks the name of a file or folder; `''`, `.` and `a/` name folders. */
export function folderPath(name: string): ArtifactPath {
  if (name.length > maxLength) throw invalidPath(`it is longer than ${maxLength} characters`);
  if (!name.isWellFormed()) throw invalidPath('it is not valid Unicode');
  checkCharacters(name);
  checkLayer(name);
  const path = canonical(name);
  if (segmentsOf(path).length > maxSegments) throw invalidPath(`it is deeper than ${maxSegments} folders`);
  let layer: string = path;
  for (let count = 0; ; count += 1) {
    checkLayer(layer);
    const next = decodeLayer(layer);
    if (next === layer) return path;
    if (count === maxLayers) throw invalidPath('it is percent-encoded too many times');
    layer = next;
  }
}

/** Checks the name of one file. */
export function filePath(name: string): ArtifactPath {
  const path = folderPath(name);
  if (path === rootPath || name.endsWith('/')) {
    throw invalidParameter("Artifact path must include a filename (cannot end with '/').");
  }
  return path;
}

export function joinPaths(folder: ArtifactPath, path: ArtifactPath): ArtifactPath {
  if (folder === rootPath) return path;
  return path === rootPath ? folder : (`${folder}/${path}` as ArtifactPath);
}

export function segmentsOf(path: ArtifactPath): string[] {
  return path === rootPath ? [] : path.split('/');
}

/**
 * Throws where a text, or what it becomes by decoding, could lead out of a folder. Locations are checked by the same
 * rules after their scheme and host have been taken off.
 */
export function checkLayer(layer: string): void {
  if (/^[\\/]/.test(layer)) throw invalidPath('it must be relative');
  if (/^[A-Za-z]:/.test(layer)) throw invalidPath('it starts with a drive letter');
  if (/^file:/i.test(layer)) throw invalidPath('it is a file: URI');
  if (layer.split(/[\\/]/).includes('..')) throw invalidPath("it contains a '..' segment");
}

/**
 * Characters that no name has. Only the name itself is looked at: what further decoding would give never becomes a name,
 * and *MLflow 2 uploads images as `sample%step%1%timestamp%1795….png`, where `%17` is no control character*.
 */
function checkCharacters(name: string): void {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) throw invalidPath('it contains a control character');
  if (name.includes('\\')) throw invalidPath('it contains a backslash');
}

/** One round of percent-decoding, byte by byte: enough to see ASCII, and never failing on a stray percent sign. */
export function decodeLayer(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

export function invalidPath(rule: string): MlflowError {
  return invalidParameter(`Invalid path: ${rule}`);
}

function canonical(name: string): ArtifactPath {
  return name
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/') as ArtifactPath;
}
