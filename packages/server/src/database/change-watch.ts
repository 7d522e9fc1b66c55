import type { Engine, SetSelect, Transaction } from './engine.ts';

/**
 * Keeps what several processes have in memory about workspaces, roles and API tokens from getting old. Whoever changes them counts
 * the change in the same transaction; whoever is about to use what it remembers asks for the count first. One question
 * serves all requests that were waiting when it was sent, so under load it costs next to nothing.
 */
export interface ChangeWatch {
  /** Settles when every change that was acknowledged before this call is known here; undefined where it is known already. */
  catchUp(): Promise<void> | undefined;
}

/** Counts a change of a workspace, a role or an API token. To be the last statement of its transaction, because others wait for it. */
export async function countChange({ db }: Transaction): Promise<void> {
  await db
    .updateTable('change_counts')
    .set((update) => ({ changes: update('changes', '+', 1) }))
    .where('subject', '=', 'access')
    .execute();
}

const findCount: SetSelect = { table: 'change_counts', by: { subject: 'text' }, columns: ['changes'] };

/** Calls `forget` when another process has changed something. */
export function createChangeWatch(engine: Pick<Engine, 'group' | 'ownership'>, forget: () => void): ChangeWatch {
  // The only process that changes anything forgets with its own commit.
  if (engine.ownership === 'sole') return { catchUp: () => undefined };
  let known: unknown;
  let asking = Promise.resolve();
  let next: Promise<void> | undefined;

  async function ask(): Promise<void> {
    // Whoever comes from now on may know of a change that this question does not see.
    next = undefined;
    const [row] = await engine.group((tx) => tx.select(findCount, [['access']]));
    const count = row?.['changes'];
    if (count === known) return;
    known = count;
    forget();
  }

  return {
    catchUp() {
      if (next === undefined) {
        next = asking.then(ask);
        asking = next.catch(() => undefined);
      }
      return next;
    },
  };
}
