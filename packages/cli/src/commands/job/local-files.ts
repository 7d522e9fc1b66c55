import { createHash } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Upload } from '@lazuli/client';
import ignore from 'ignore';
import { wrong } from './job-file.ts';

/**
 * A file or folder of this machine that a job brings along. Links are followed. What `.amlignore` of a folder names stays at
 * home, or where there is none what its `.gitignore` does, and Git's own folder always.
 */
export interface LocalFiles {
  /** The field of the job that names them. */
  readonly field: string;
  readonly path: string;
  readonly isFile: boolean;
  /** Its last name, as addresses take it. */
  readonly name: string;
  readonly files: readonly Upload[];
  readonly bytes: number;
}

/** Of code, and of what images are built from: more than this is data, and no job should wait for it. */
export const mostBytesOfCode = 1024 ** 3;

/** The path of a field of the job, or nothing where it is the address of something elsewhere. */
export function localPath(folder: string, text: string): string | undefined {
  if (/^file:\/\//i.test(text)) return fileURLToPath(text);
  const path = text.replace(/^file:/i, '');
  return /^[a-z][a-z0-9+.-]+:/i.test(path) ? undefined : resolve(folder, path);
}

export async function readLocalFiles(
  field: string,
  path: string,
  { mostBytes = Infinity }: { readonly mostBytes?: number } = {},
): Promise<LocalFiles> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw wrong(field, `there is no ${path}`);
  const isFile = found.isFile();
  if (!isFile && !found.isDirectory()) throw wrong(field, `${path} is neither a file nor a folder`);
  const names = isFile ? [basename(path)] : await namesBelow(field, path);
  if (names.length === 0) throw wrong(field, `${path} has no files, or all of them are ignored`);
  const root = isFile ? dirname(path) : path;
  const files: Upload[] = [];
  let bytes = 0;
  for (const name of names) {
    // A file that changes after this moment cannot be read any more: what is hashed is what is sent.
    const content = await openAsBlob(join(root, name)).catch((cause: unknown) => {
      throw wrong(field, `${join(root, name)} cannot be read: ${(cause as Error).message}`);
    });
    files.push({ path: name, content });
    bytes += content.size;
    if (bytes > mostBytes) throw wrong(field, tooMuch(path, mostBytes));
  }
  return { field, path, isFile, name: basename(path).replaceAll(/[^\w.-]+/g, '-'), files, bytes };
}

/**
 * *Azure ML's content hash of version 202208: SHA-256 of the number of files, then of each file's path and size, then of each
 * file's content, in the order of the paths in small letters.*
 */
export async function contentHash({ field, path: root, files }: LocalFiles): Promise<string> {
  const ordered = files
    .map((file) => ({ ...file, key: Buffer.from(file.path.toLowerCase()) }))
    .sort(
      (one, two) => Buffer.compare(one.key, two.key) || Buffer.compare(Buffer.from(one.path), Buffer.from(two.path)),
    );
  const hash = createHash('sha256').update(String(ordered.length));
  for (const { path, content } of ordered) hash.update(`#${path}#${content.size}`);
  for (const { path, content } of ordered) {
    try {
      for await (const piece of content.stream() as unknown as AsyncIterable<Uint8Array>) hash.update(piece);
    } catch {
      throw wrong(field, `${path} of ${root} cannot be read, or has changed meanwhile`);
    }
  }
  return hash.digest('hex');
}

export const hashVersion = 202208;

function tooMuch(path: string, mostBytes: number): string {
  const limit = `${mostBytes / 1024 ** 2} MiB`;
  return `${path} holds more than ${limit}; name what is not needed in .amlignore, and give data as inputs`;
}

async function namesBelow(field: string, root: string): Promise<string[]> {
  const rules = await ignoreRules(root);
  const names: string[] = [];
  /** `above` are the folders that lead here, by which a link into one of them is known. */
  const walk = async (folder: string, above: readonly string[]): Promise<void> => {
    const place = await realpath(join(root, folder));
    if (above.includes(place)) throw wrong(field, `${join(root, folder)} is a link to a folder that it lies in`);
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name === '.git' || rules.ignores(name)) continue;
      const kind = entry.isSymbolicLink() ? await stat(join(root, name)).catch(() => undefined) : entry;
      if (kind === undefined) throw wrong(field, `${join(root, name)} is a link to nothing`);
      if (kind.isDirectory()) {
        if (!rules.ignores(`${name}/`)) await walk(name, [...above, place]);
      } else if (kind.isFile()) names.push(name);
    }
  };
  await walk('', []);
  return names.sort();
}

async function ignoreRules(root: string): Promise<ignore.Ignore> {
  const rules = ignore({ ignorecase: false });
  for (const name of ['.amlignore', '.gitignore']) {
    const text = await readFile(join(root, name), 'utf8').catch(() => undefined);
    if (text !== undefined) return rules.add(text);
  }
  return rules;
}
