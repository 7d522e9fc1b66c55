import { relative, sep } from 'node:path';
import { MlflowError } from '@lazuli/contract';
import { readStorePlace, type StorePlace } from '../settings/store-location.ts';
import { describeLocation } from './artifact-location.ts';
import { folderPath, type ArtifactPath } from './artifact-path.ts';
import type { ArtifactStore, ReadableArtifacts } from './artifact-store.ts';
import { openLocalFolder } from './local-folder.ts';
import { openLocalReader } from './local-folder-reader.ts';
import { openStore, type StoreOptions } from './open-store.ts';

/** A place that the operator has named, below which experiments may lie beside those behind the proxy. */
export interface ArtifactRoot {
  readonly place: StorePlace;
  read(): Promise<ReadableArtifacts & Pick<ArtifactStore, 'direct'>>;
  write(): Promise<ArtifactStore>;
}

/** An object store is asked at once, so that what is wrong with it is said at the start. */
export async function openRoot(options: StoreOptions): Promise<ArtifactRoot> {
  const { destination, staleBefore } = options;
  const place = placeOf(destination);
  if (place === undefined) throw new Error(`'${destination}' is no place for artifacts`);
  if (place.kind !== 'folder') {
    const store = await openStore(options);
    return { place, read: async () => store, write: async () => store };
  }
  // Clients write there themselves: the server may have no right to, and needs none until it is asked to.
  const root = place.path;
  return { place, read: () => openLocalReader(root), write: () => openLocalFolder({ root, staleBefore }) };
}

/** Which folder of a root a location is; undefined for one that lies elsewhere. */
export function pathBelow(root: StorePlace, location: string): ArtifactPath | undefined {
  const place = placeOf(location);
  if (place === undefined || !isSameStore(root, place)) return undefined;
  const below = relative(`/${root.path}`, `/${place.path}`);
  if (below.split(sep)[0] === '..') return undefined;
  try {
    return folderPath(below);
  } catch (error) {
    if (error instanceof MlflowError) return undefined;
    throw error;
  }
}

function placeOf(location: string): StorePlace | undefined {
  const described = describeLocation(location);
  return described.kind === 'local' ? { kind: 'folder', path: described.path } : readStorePlace(location);
}

function isSameStore(one: StorePlace, other: StorePlace): boolean {
  if (one.kind === 's3') return other.kind === 's3' && one.bucket === other.bucket;
  if (one.kind === 'folder') return other.kind === 'folder';
  return (
    other.kind === 'azure' &&
    one.account === other.account &&
    one.domain === other.domain &&
    one.container === other.container
  );
}
