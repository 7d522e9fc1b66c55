import { MlflowError } from '@lazuli/contract';
import type { WorkspaceRef } from '../access/caller.ts';
import { joinLocation } from '../artifact-store/artifact-location.ts';
import { filePath, segmentsOf } from '../artifact-store/artifact-path.ts';
import { localUpload, wholeWorkspace } from '../artifact-store/azureml-location.ts';
import { folderOfUri, type ArtifactFolder } from '../artifacts/artifact-folders.ts';
import type { ArtifactRoom } from '../artifacts/artifact-handlers.ts';

/**
 * What has artifacts, as Azure names it by an origin and a container: a run, a logged model, or a container of uploads.
 * Its files may lie behind the proxy or in any root that the operator has named; clients of Azure see no difference.
 */
export interface ArtifactHolder extends ArtifactFolder {
  readonly origin: string;
  readonly container: string;
}

export type HolderRoom = Pick<ArtifactRoom, 'store' | 'roots' | 'directTransfers' | 'findRun' | 'findModel'>;

const runOrigin = 'ExperimentRun';

export async function holderOfRun(room: HolderRoom, workspace: WorkspaceRef, id: string): Promise<ArtifactHolder> {
  const { artifact_uri } = await (id.startsWith('m-') ? room.findModel(workspace, id) : room.findRun(workspace, id));
  return { origin: runOrigin, container: `dcid.${id}`, ...(await folderOfUri(room, workspace, artifact_uri)) };
}

export async function holderOf(
  room: HolderRoom,
  workspace: WorkspaceRef,
  { origin, container }: Pick<ArtifactHolder, 'origin' | 'container'>,
): Promise<ArtifactHolder> {
  if (origin === runOrigin) return await holderOfRun(room, workspace, container.replace(/^dcid\./, ''));
  const at = async (...path: readonly string[]): Promise<ArtifactHolder> => {
    const uri = joinLocation('mlflow-artifacts:', ...path.map(encodeURIComponent));
    return { origin, container, ...(await folderOfUri(room, workspace, uri)) };
  };
  if (origin === localUpload) return await at(origin, ...segmentsOf(filePath(container)));
  if (origin === wholeWorkspace.origin && container === wholeWorkspace.container) return await at();
  throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `There is no container '${container}' of the origin '${origin}'.`);
}
