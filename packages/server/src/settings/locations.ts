import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { asClientsWriteIt, readStorePlace, storeForms } from './store-location.ts';
import { BrokenRule } from './setting-rules.ts';

/** The settings that say where data lie. A relative one counts from `base`. */

export function readFolder(text: string, base: string): string {
  refuseNul(text);
  return resolve(base, text);
}

/** Where the server keeps artifacts: the local folder that a path or a `file:` URI names, or a place in an object store. */
export function readArtifactDestination(text: string, base: string): string {
  refuseNul(text);
  const scheme = schemeOf(text);
  if (scheme === undefined) return resolve(base, text);
  if (scheme === 'file') return pathOfFileUri(text, base);
  if (readStorePlace(text) !== undefined) return text;
  throw new BrokenRule(
    `must be a local folder (a path, or a URI such as file:///srv/artifacts) or one of ${storeForms}`,
  );
}

/** Places below which the server reaches artifacts beside those behind its proxy. */
export function readArtifactRoots(text: string, base: string): readonly string[] {
  return text
    .split(',')
    .map((root) => root.trim())
    .filter((root) => root !== '')
    .map((root) => readArtifactDestination(root, base));
}

/**
 * Where new experiments keep their artifacts: behind this server (`mlflow-artifacts:/`), or in a folder or an object store
 * that the clients reach themselves. *MLflow: a relative folder is resolved where the server starts.*
 */
export function readArtifactRoot(text: string, base: string): string {
  refuseNul(text);
  const scheme = schemeOf(text);
  if (scheme === 'mlflow-artifacts') return readProxiedRoot(text);
  if (scheme === undefined) return resolve(base, text);
  if (scheme === 'file') return pathToFileURL(pathOfFileUri(text, base)).href;
  if (readStorePlace(text) !== undefined) return asClientsWriteIt(text);
  throw new BrokenRule(
    `must be mlflow-artifacts:/ with or without a path, a local folder (a path or a file: URI) or one of ${storeForms}`,
  );
}

function readProxiedRoot(text: string): string {
  const path = /^mlflow-artifacts:(?:\/\/)?(\/[^?#]*)?$/i.exec(text)?.[1] ?? '';
  const plain = text.toLowerCase() === 'mlflow-artifacts:' || path !== '';
  if (
    !plain ||
    path
      .slice(1)
      .split('/')
      .some((segment) => /^\.{1,2}$/.test(segment)) ||
    /[\\%]|\/\//.test(path)
  ) {
    throw new BrokenRule('must be mlflow-artifacts:/ with or without a plain path, and without a host');
  }
  return `mlflow-artifacts:${path === '' ? '/' : path}`;
}

function schemeOf(text: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
}

function pathOfFileUri(text: string, base: string): string {
  const rest = text.slice('file:'.length);
  if (!rest.startsWith('/')) return resolve(base, rest);
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw new BrokenRule('is no file: URI of this machine; one looks like file:///srv/artifacts', { cause });
  }
}

export function refuseNul(text: string): void {
  if (text.includes('\0')) throw new BrokenRule('must not contain a NUL character');
}
