import type { Caller, WorkspaceRef } from '../access/caller.ts';
import { workspaceScope } from '../access/scope.ts';
import { splitUri } from '../artifact-store/artifact-location.ts';
import { segmentsOf, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import { localUpload, wholeWorkspace, type OwnedPath } from '../artifact-store/azureml-location.ts';
import { pathOfUri, type ArtifactPlaces } from '../artifacts/artifact-folders.ts';
import { originOf } from './own-host.ts';

/**
 * Where artifacts lie, as clients of `azureml://` are told. In the database a location stays what it is, so that MLflow's
 * plain clients find the same files; the form for Azure is put in its place on the way out.
 *
 * - What belongs to a run or a logged model has the run's form, `azureml://{host}/mlflow/v2.0{scope}/experiments/{experiment}/runs/{id}/artifacts`.
 *   *Azure's plugin mixes folders up in locations of any other form as soon as they have a path at their end.*
 * - Everything else behind the proxy has the local form, `azureml://artifacts/{origin}/{container}/{path}`.
 * - What the server cannot reach stays as it is: clients go there themselves.
 */
const ownerId = /^(?:[0-9a-f]{32}|(?:m|tr)-[0-9a-f]{32})$/;

export interface Shower {
  readonly places: ArtifactPlaces;
  /** Where clients reach this server by https. */
  readonly origin: () => string;
}

/** Puts Azure's form in the place of each location in the text of an answer. */
export function showLocations(body: string | Uint8Array, { workspace }: Caller, shower: Shower): string | Uint8Array {
  const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8');
  if (!text.includes('"artifact_uri":"')) return body;
  let experimentId = '-';
  // In an object, the experiment's id goes before the location. A quote in somebody's text has a backslash before it, so
  // no text can look like a field.
  return text.replace(
    /"experiment_id":"(\d+)"|"artifact_uri":("(?:[^"\\]|\\.)*")/g,
    (whole, id: string | undefined, location: string | undefined) => {
      if (location === undefined) {
        experimentId = id ?? experimentId;
        return whole;
      }
      const shown = azureLocation(JSON.parse(location) as string, { workspace, experimentId }, shower);
      return `"artifact_uri":${JSON.stringify(shown)}`;
    },
  );
}

interface Surroundings {
  readonly workspace: WorkspaceRef;
  readonly experimentId: string;
}

function azureLocation(uri: string, { workspace, experimentId }: Surroundings, { places, origin }: Shower): string {
  const path = pathOfUri(places, workspace, uri);
  if (path === undefined) return uri;
  const owned = ownedPath(path);
  if (owned === undefined) {
    const isProxied = splitUri(uri).scheme === 'mlflow-artifacts';
    return isProxied ? `azureml://artifacts/${localName(path)}` : uri;
  }
  const host = originOf(workspace, origin()).replace(/^https?:\/\//, '');
  const below = owned.path === '' ? '' : `/${owned.path}`;
  return `azureml://${host}/mlflow/v2.0${workspaceScope(workspace)}/experiments/${experimentId}/runs/${owned.ownerId}/artifacts${below}`;
}

/** *MLflow: the artifacts of a run, and of a model, lie in `{location}/{id}/artifacts`.* */
function ownedPath(path: ArtifactPath): OwnedPath | undefined {
  const segments = segmentsOf(path);
  const index = segments.findIndex((segment, at) => segment === 'artifacts' && ownerId.test(segments[at - 1] ?? ''));
  const id = segments[index - 1];
  return index < 1 || id === undefined ? undefined : { ownerId: id, path: segments.slice(index + 1).join('/') };
}

function localName(path: ArtifactPath): string {
  const [first] = segmentsOf(path);
  return first === localUpload ? path : `${wholeWorkspace.origin}/${wholeWorkspace.container}/${path}`;
}
