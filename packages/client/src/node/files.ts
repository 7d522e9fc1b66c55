import { createHash } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { invalidParameter } from '@lazuli/contract';
import type { DigestOf } from '../artifacts/content-digest.ts';
import type { Files } from '../tracking/platform.ts';

export const nodeFiles: Files = {
  async open(path) {
    // What is wrong with the file is said by the file system, with its name.
    if (!(await stat(path)).isFile()) throw invalidParameter(`'${path}' is not a file; logArtifacts takes folders.`);
    return openAsBlob(path);
  },
  nameOf: basename,
  async below(folder) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = join(entry.parentPath, entry.name);
        return { file, path: file.slice(join(folder, sep).length).split(sep).join('/') };
      })
      .sort((one, two) => (one.path < two.path ? -1 : 1));
  },
};

export const digestOf: DigestOf = async (content, algorithm) => {
  const hash = createHash(algorithm);
  for await (const piece of content.stream() as unknown as AsyncIterable<Uint8Array>) hash.update(piece);
  return hash.digest('base64');
};
