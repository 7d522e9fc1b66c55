import { posix } from 'node:path';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import { contentDisposition } from '../artifact-store/content-disposition.ts';
import { joinPaths, rootPath, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { ReadableArtifacts } from '../artifact-store/artifact-store.ts';
import type { Download, Wanted } from './download.ts';
import { writeZip, type ZipMember } from './zip-writer.ts';

export interface ArchivedFolder {
  readonly folder: ArtifactPath;
  /** The same as the caller named it. */
  readonly below: ArtifactPath;
  /** What the archive of the whole is called. */
  readonly name: string;
  readonly part: Wanted['part'];
}

/** A folder as a zip archive that is made while it is sent; names in it count from the folder. */
export async function folderArchive(
  files: ReadableArtifacts,
  { folder, below, name, part }: ArchivedFolder,
): Promise<Download> {
  const found = below === rootPath ? undefined : await files.stat(folder);
  if (below !== rootPath && found === undefined) {
    throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `No such artifact: '${below}'`);
  }
  if (found?.kind === 'file') throw invalidParameter(`Artifact path refers to a file, not a directory: '${below}'`);
  const headers = {
    'content-type': 'application/zip',
    'content-disposition': contentDisposition(`${posix.basename(below) || name}.zip`),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  };
  if (part === 'headers') return { status: 200, headers, sendTo: undefined };
  return { status: 200, headers, sendTo: (take) => writeZip(membersOf(files, folder, rootPath), take) };
}

const pageSize = 1000;

async function* membersOf(
  files: ReadableArtifacts,
  folder: ArtifactPath,
  path: ArtifactPath,
): AsyncGenerator<ZipMember> {
  let token: string | undefined;
  do {
    const page = await files.listPage(joinPaths(folder, path), { limit: pageSize, token });
    for (const entry of page.entries) {
      const name = joinPaths(path, entry.name as ArtifactPath);
      if (entry.isFolder) {
        yield* membersOf(files, folder, name);
        continue;
      }
      const file = await files.open(joinPaths(folder, name));
      // It has been deleted since the folder was listed.
      if (file === undefined) continue;
      const { size, modifiedMs } = file;
      const state = { isSent: false };
      try {
        yield {
          ...{ name, size, modifiedMs },
          sendTo(take) {
            state.isSent = true;
            return file.sendTo(take);
          },
        };
      } finally {
        if (!state.isSent) await file.close();
      }
    }
    token = page.next;
  } while (token !== undefined);
}
