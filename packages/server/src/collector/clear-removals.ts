import type { UnremovedFiles } from '@lazuli/contract';
import type { WorkspaceRef } from '../access/caller.ts';
import type { Collector } from './collector.ts';
import { finishRemoval, listRemovals, noteFailure, removeSomePoints, type Removal } from './removal-store.ts';

export interface Cleared {
  readonly isFinished: boolean;
  readonly unremoved: readonly UnremovedFiles[];
}

/** Points that one transaction removes: a few milliseconds, between which requests are answered. */
const pointsAtOnce = 5_000;
/** What has failed is left alone for so long, so that a collection goes on with the rest. */
const retryAfterMs = 60_000;

/**
 * Removes points and files of what was collected, by whomever, for about as long as `milliseconds`. Two who do so at once
 * do no harm: what is gone already is removed again.
 */
export async function clearRemovals(
  { engine, now, removeFolder }: Collector,
  workspace: WorkspaceRef,
  milliseconds: number,
): Promise<Cleared> {
  const deadline = performance.now() + milliseconds;
  const failedBefore = now() - retryAfterMs;
  const unremoved: UnremovedFiles[] = [];
  for (;;) {
    const removals = await listRemovals(engine.db, workspace.workspaceId, failedBefore);
    if (removals.length === 0) return { isFinished: true, unremoved };
    for (const removal of removals) {
      do {
        if (performance.now() > deadline) return { isFinished: false, unremoved };
      } while ((await engine.transaction(({ db }) => removeSomePoints(db, removal, pointsAtOnce))) === 'more');
      const failure = await tryRemoveFiles(removal);
      if (failure === undefined) await engine.transaction(({ db }) => finishRemoval(db, removal));
      else await engine.transaction(({ db }) => noteFailure(db, removal, now()));
    }
  }

  /** The failure, after which the removal stays. */
  async function tryRemoveFiles({ location: uri }: Removal): Promise<unknown> {
    try {
      if ((await removeFolder(workspace, uri)) === 'elsewhere') {
        unremoved.push({ uri, reason: 'the server does not write there: remove it where it lies' });
      }
      return undefined;
    } catch (error) {
      unremoved.push({ uri, reason: error instanceof Error ? error.message : String(error) });
      return error;
    }
  }
}
