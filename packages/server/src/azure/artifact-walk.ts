import { joinPaths, segmentsOf, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import { byCodePoint, type ReadableArtifacts } from '../artifact-store/artifact-store.ts';

/**
 * All files below a folder, folder by folder, each in the order of its names, so that a walk can go on behind any file
 * without looking into the folders before it. Paths count from the folder.
 */
export async function* walkFiles(
  files: ReadableArtifacts,
  folder: ArtifactPath,
  after: readonly string[] = [],
): AsyncGenerator<string> {
  yield* walk(files, folder, '', after);
}

async function* walk(
  files: ReadableArtifacts,
  folder: ArtifactPath,
  prefix: string,
  [reached, ...deeper]: readonly string[],
): AsyncGenerator<string> {
  const entries = await files.list(folder);
  for (const { name, isFolder } of entries.toSorted((one, other) => byCodePoint(one.name, other.name))) {
    const order = reached === undefined ? 1 : byCodePoint(name, reached);
    if (order < 0) continue;
    const path = prefix + name;
    if (isFolder) {
      yield* walk(files, joinPaths(folder, name as ArtifactPath), `${path}/`, order === 0 ? deeper : []);
    } else if (order > 0) {
      yield path;
    }
  }
}

/** Up to `limit` of them, and where the next page begins. */
export async function pageOfFiles(
  files: ReadableArtifacts,
  folder: ArtifactPath,
  { limit, after }: { readonly limit: number; readonly after: ArtifactPath | undefined },
): Promise<{ readonly paths: readonly string[]; readonly next: string | undefined }> {
  const paths: string[] = [];
  for await (const path of walkFiles(files, folder, after === undefined ? [] : segmentsOf(after))) {
    if (paths.length === limit) return { paths, next: paths.at(-1) };
    paths.push(path);
  }
  return { paths, next: undefined };
}
