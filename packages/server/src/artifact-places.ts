import type { WorkspaceRef } from './access/caller.ts';
import { checkLocation, experimentLocation } from './artifact-store/artifact-location.ts';
import { openRoot, pathBelow, type ArtifactRoot } from './artifact-store/artifact-root.ts';
import type { ArtifactStore } from './artifact-store/artifact-store.ts';
import { openStore } from './artifact-store/open-store.ts';
import type { Settings } from './settings/parse-settings.ts';

/** The artifact folder may be shared, so an upload without a write for this long counts as given up. */
const staleUploadMs = 60 * 60 * 1000;

/** Where artifacts lie: in the store behind the proxy, and below the other roots that the operator has named. */
export interface OpenPlaces {
  readonly places: {
    readonly store: ArtifactStore;
    readonly roots: readonly ArtifactRoot[];
    readonly directTransfers: Settings['directTransfers'];
  };
  /** Gives a location back that somebody has asked for, where artifacts may lie there. */
  readonly checkArtifactRoot: (root: string) => string;
  /** Where the artifacts of a new experiment lie. */
  readonly locationFor: (asked: string | undefined, workspace: WorkspaceRef, experimentId: number) => string;
}

export async function openArtifactPlaces(
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>>,
  now: () => number,
): Promise<OpenPlaces> {
  const { artifactsDestination, defaultArtifactRoot, directTransfers } = settings;
  const opening = { staleBefore: () => now() - staleUploadMs, environment };
  const store = await openStore({ destination: artifactsDestination, ...opening });
  const roots = await Promise.all(rootsOf(settings).map((destination) => openRoot({ destination, ...opening })));
  const isInRoot = (location: string): boolean => roots.some(({ place }) => pathBelow(place, location) !== undefined);
  const checkArtifactRoot = (root: string): string =>
    checkLocation(root, { workingDirectory: process.cwd(), ownHosts: [], isInRoot });
  return {
    places: { store, roots, directTransfers },
    checkArtifactRoot,
    locationFor: (asked, workspace, experimentId) =>
      asked === undefined || asked === ''
        ? experimentLocation(workspace.defaultArtifactRoot ?? defaultArtifactRoot, workspace.guid, String(experimentId))
        : checkArtifactRoot(asked),
  };
}

/** What the operator has named as places of artifacts beside the proxy's. */
function rootsOf({ defaultArtifactRoot, artifactRoots }: Settings): readonly string[] {
  return defaultArtifactRoot.startsWith('mlflow-artifacts:') ? artifactRoots : [defaultArtifactRoot, ...artifactRoots];
}
