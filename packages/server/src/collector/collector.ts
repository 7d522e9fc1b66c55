import type { WorkspaceRef } from '../access/caller.ts';
import type { Engine } from '../database/engine.ts';

/**
 * Owns the end of life: what was marked as deleted goes for good, page by page, unless something still uses it.
 *
 * A page of things ends in one transaction, which locks them, asks who uses them, and removes what others see of them; so
 * nobody meets half a run, and what has begun cannot be called back. Points and files, of which there may be very many,
 * are left to a list in the same database (`removals`) and go piece by piece. Whatever interrupts that, the next
 * collection goes on with the list first (docs/decisions/collecting.md).
 */
export interface Collector {
  readonly engine: Engine;
  readonly now: () => number;
  /** Removes a folder with all that is in it; 'elsewhere' where the server does not write. */
  readonly removeFolder: (workspace: WorkspaceRef, uri: string) => Promise<'removed' | 'elsewhere'>;
  /** Forgets what is cached about runs; called after the commit. */
  readonly forgetRuns: (
    workspaceId: number,
    runs: readonly { readonly run_key: number; readonly run_id: string }[],
  ) => void;
  readonly forgetExperiment: (workspaceId: number, experimentId: number) => void;
}
